"""`cnnrun preview`: what augmentation does to the images of a config, as a picture."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli.options import ConfigFile, Overrides, Quiet
from cnnrun.cli.picture_file import refuse_other_endings
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
    layer: Annotated[
        str | None,
        typer.Option("--layer", metavar="NAME", help="Show instead what a layer does to an image."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw a contact sheet of augmented training images: originals beside draws.

    Each parameter of `augment` that is on has a row of its own, each of its
    layers too, and all together; under each image stands what was drawn. The draws are
    those that training makes: of epoch 1, of epoch 2, and so on. Below stands
    what a standardization of `preprocess` makes of the originals.

    With --layer: which pixels one number of the layer sees, and the maps that
    go into it and come out. Of dropout, pooling and strides also what the
    others would do in its place. `cnnrun show` has the names.

    For example: `cnnrun preview configs/digits_augmented.yaml --out sheet.png`
    """
    from cnnrun.cli.terminal import waiting

    refuse_two_subjects(batch=batch, layer=layer, images=images, draws=draws)
    refuse_other_endings(out, option="--out", endings=(".png",), example="preview.png")
    with waiting("reading the config", quiet=quiet):
        from cnnrun.cli.output import print_text
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.config.load import load_config
        from cnnrun.plots.contact_sheet import draw_contact_sheet
        from cnnrun.plots.save import save_figure

        checked = load_config(config, overrides=overrides or [])
    standardizes = checked.preprocess.is_more_than_scaling
    if batch or layer is not None or standardizes or checked.augment.engine == "keras":
        load_tensorflow(quiet=quiet)
    with waiting("drawing", quiet=quiet):
        if batch:
            sheet = batch_sheet(checked)
        elif layer is not None:
            sheet = sheet_of_layer(checked, layer)
        else:
            sheet = augmentation_sheet(checked, images=images or IMAGES, draws=draws or DRAWS)
        save_figure(draw_contact_sheet(sheet), out)
    print_text(str(out))


def refuse_two_subjects(
    *, batch: bool, layer: str | None, images: int | None, draws: int | None
) -> None:
    """Ends the command, as any wrong usage does, when it cannot show all that is asked for."""
    asked = {"--batch": batch, "--layer": layer is not None, "--images": images, "--draws": draws}
    alone = {"--batch": "shows a batch as it is", "--layer": "shows what a layer does to an image"}
    for option, shows in alone.items():
        first, second, third = (name for name in asked if name != option)
        beside = [name for name in (first, second, third) if asked[name]]
        if asked[option] and beside:
            raise InputError.at(
                option,
                rule=f"{shows}, without {first}, {second} and {third}",
                received=beside[0],
                advice="leave one of the two out",
            )


def augmentation_sheet(config: "Config", *, images: int, draws: int) -> "ContactSheet":
    """Originals beside draws and standardized ones; TensorFlow only where one of them needs it."""
    from cnnrun.preview import augmented_images

    standardized = None
    if config.preprocess.is_more_than_scaling:
        from cnnrun.preview.standardized_images import standardized_block

        standardized = standardized_block(config, images=images)
    return augmented_images.augmentation_sheet(
        config,
        images=images,
        draws=draws,
        make_engine=engine_maker(config.augment),
        make_layers_engine=partial(layers_engine, config.augment),
        standardized=standardized,
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


def sheet_of_layer(config: "Config", name: str) -> "ContactSheet":
    """What a layer does to the first training image; TensorFlow is loaded."""
    from cnnrun.preview.layer_effect import layer_sheet

    return layer_sheet(config, name)


def batch_sheet(config: "Config") -> "ContactSheet":
    """The first training batch as the network sees it; TensorFlow is loaded."""
    from cnnrun.preview.first_batch import first_batch_sheet

    return first_batch_sheet(config)
