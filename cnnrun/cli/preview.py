"""`cnnrun preview`: what augmentation does to the images of a config, as a picture."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli.options import ConfigFile, Overrides, Quiet
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnrun.augment.layers.chain import Engine as LayersEngine
    from cnnrun.config.augment_section import AugmentSpec
    from cnnrun.config.sections import Config
    from cnnrun.plots.contact_sheet import ContactSheet
    from cnnrun.preview.augmented_images import Engine

IMAGES = DRAWS = 3
MOST = 10  # of either; the picture could not be looked at with more


def preview(
    config: ConfigFile,
    out: Annotated[
        Path, typer.Option(metavar="FILE.png", help="Where to write the picture.")
    ] = Path("preview.png"),
    images: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST, help=f"How many training images to show; {IMAGES} if omitted."
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, help=f"How many draws of each; {DRAWS} if omitted."),
    ] = None,
    overrides: Overrides = None,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch", help="Show the first training batch instead, as the network sees it."
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Draw a contact sheet of augmented training images: originals beside draws.

    Each parameter of `augment` that is on has a row of its own, each of its
    layers too, and all together; under each image stands what was drawn. The draws are
    those that training makes: of epoch 1, of epoch 2, and so on.

    For example: `cnnrun preview configs/digits_augmented.yaml --out sheet.png`
    """
    from cnnrun.cli.terminal import waiting

    if batch and (images or draws):
        raise InputError.at(
            "--batch",
            rule="shows a batch as it is, without --images and --draws",
            received="--images" if images else "--draws",
            advice="leave one of the two out",
        )
    refuse_other_formats(out, name="preview.png")
    with waiting("reading the config", quiet=quiet):
        from cnnrun.cli.output import print_text
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.config.load import load_config
        from cnnrun.plots.contact_sheet import draw_contact_sheet
        from cnnrun.plots.save import save_figure

        checked = load_config(config, overrides=overrides or [])
    if batch or checked.augment.engine == "keras":
        load_tensorflow(quiet=quiet)
    with waiting("drawing", quiet=quiet):
        sheet = (
            batch_sheet(checked)
            if batch
            else augmentation_sheet(checked, images=images or IMAGES, draws=draws or DRAWS)
        )
        save_figure(draw_contact_sheet(sheet), out)
    print_text(str(out))


def refuse_other_formats(out: Path, *, name: str) -> None:
    """Ends the command, as any wrong usage does, when the picture's file would not be a PNG."""
    if out.is_dir():
        raise InputError.at(
            "--out",
            rule="must be a file",
            received=f"the folder {out}",
            advice=f"write {out / name}",
        )
    if out.suffix.lower() != ".png":
        raise InputError.at(
            "--out",
            rule="must end in .png",
            received=str(out),
            advice=f"write {out.with_suffix('.png')}",
        )


def augmentation_sheet(config: "Config", *, images: int, draws: int) -> "ContactSheet":
    """Originals beside draws, without TensorFlow unless the config's engine needs it."""
    from cnnrun.preview import augmented_images

    return augmented_images.augmentation_sheet(
        config,
        images=images,
        draws=draws,
        make_engine=engine_maker(config.augment),
        make_layers_engine=partial(layers_engine, config.augment),
    )


def layers_engine(augment: "AugmentSpec") -> "LayersEngine":
    """Whose code applies `augment.layers`."""
    if augment.engine == "keras":
        from cnnrun.augment.layers.keras_engine import KERAS

        return KERAS
    from cnnrun.augment.layers.chain import FAST

    return FAST


def engine_maker(augment: "AugmentSpec") -> "Callable[[tuple[int, int, int]], Engine]":
    """What makes the engine of a config, once the shape of its images is known."""
    how: dict[str, Any] = {
        "fill_mode": augment.fill_mode,
        "cval": augment.cval,
        "interpolation_order": augment.interpolation_order,
    }
    if augment.engine == "keras":
        from cnnrun.augment import keras_engine

        return lambda _: partial(keras_engine.apply, **how)
    from cnnrun.augment.fast_engine import FastEngine

    return partial(FastEngine, threads=1, **how)


def batch_sheet(config: "Config") -> "ContactSheet":
    """The first training batch as the network sees it; TensorFlow is loaded."""
    from cnnrun.preview.first_batch import first_batch_sheet

    return first_batch_sheet(config)
