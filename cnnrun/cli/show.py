"""`cnnrun show`: the network of a config, layer by layer, or as a plain Keras script."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli.options import AsJson, ConfigFile, Overrides, Quiet, refuse_two_forms
from cnnrun.cli.picture_file import refuse_other_endings

if TYPE_CHECKING:
    from cnnrun.config.data_section import DataSpec
    from cnnrun.config.sections import Config
    from cnnrun.models.cost import Costs, LayerRow
    from cnnrun.models.network import Network
    from cnnrun.models.trainable import Learning

HEADINGS = ("line", "layer", "kind", "output", "parameters", "multiply-adds", "receptive field")
STAGES = "trainable"
DRAWINGS = (".svg", ".png")
NUMERIC = frozenset({"line", "parameters", "multiply-adds"})


class Form(StrEnum):
    """What else a network can be shown as."""

    KERAS = "keras"


def show(
    config: ConfigFile,
    overrides: Overrides = None,
    form: Annotated[
        Form | None,
        typer.Option("--as", help="Print the network as a Keras script that ends in `model`."),
    ] = None,
    times_steps: Annotated[
        bool,
        typer.Option("--time", help="Measure training steps in each precision, and recommend one."),
    ] = False,
    drawing: Annotated[
        Path | None,
        typer.Option(
            "--draw", metavar="FILE", help="Draw the network instead, as FILE.svg or FILE.png."
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Build the network and show its layers: shapes, parameters, multiply-adds, what each sees.

    With a backbone or stages also what learns in which of them. Finds the problems that only a
    build finds. With --time instead what a training step costs here, on random images, in each
    precision. The images are not needed where `data.classes` and `data.image_size` say enough; but
    `--as keras` reads them for a mean that is fitted to them.

    For example: `cnnrun show configs/digits.yaml`
    """
    from cnnrun.cli.terminal import waiting

    if form or drawing:
        refuse_two_forms(
            **{"draw": drawing is not None, "as": form is not None},
            json=as_json,
            time=times_steps,
        )
    if drawing:
        refuse_other_endings(drawing, option="--draw", endings=DRAWINGS, example="network.svg")
    with waiting("reading the config", quiet=quiet):
        from cnnrun.cli.output import print_json, print_note
        from cnnrun.cli.show_time import choose_threads, print_timing, timed_steps
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.config.load import load_config
        from cnnrun.config.repeated_standardization import standardized_twice

        checked = load_config(config, overrides=overrides or [])
    load_tensorflow(quiet=quiet)
    if times_steps:
        choose_threads(checked)
    input_shape, classes = input_of(checked.data)
    from cnnrun.assembly.without_effect import idle_groups

    is_script = form is Form.KERAS
    with waiting("building the network", quiet=quiet):
        network = tried_network(checked, input_shape, classes, is_script=is_script)
    if twice := standardized_twice(checked):
        print_note(twice, quiet=quiet)
    for note in (
        *(network.backbone.notes if network.backbone else ()),
        *idle_groups(checked, network),
    ):
        print_note(note, quiet=quiet)
    timing = timed_steps(checked, input_shape, classes, quiet=quiet) if times_steps else None
    if drawing:
        draw_layers(network, drawing)
    elif is_script:
        print_script(network)
    elif as_json:
        document = costs_document(*costs_of(network, checked))
        print_json(document | ({"time": timing} if timing else {}))
    elif timing:
        print_timing(timing, precision=checked.train.precision)
    else:
        shows_stages = network.backbone is not None or bool(checked.train.stages)
        print_costs(*costs_of(network, checked), shows_stages=shows_stages)


def input_of(data: "DataSpec") -> tuple[tuple[int, int, int], int]:
    """The images' (height, width, channels) and the number of classes.

    The data is read, as far as its manifest, only for what the config does not say.

    Raises:
        DataError: it has to be read, and cannot be.
    """
    from cnnrun.data.sources import read_manifest

    known = data.known_channels
    classes = data.classes if isinstance(data.classes, int | None) else len(data.classes)
    if data.image_size and known and classes:
        return (*data.image_size, known), classes
    manifest = read_manifest(data)
    stored = manifest.pixels.shape[1:] if manifest.pixels is not None else (0, 0, 0)
    height, width = data.image_size or stored[:2]
    return (height, width, known or stored[2]), len(manifest.classes)


def tried_network(
    config: "Config", input_shape: tuple[int, int, int], classes: int, *, is_script: bool
) -> "Network":
    """The network of a config, on which one training step has been tried.

    Raises:
        ConfigError: a layer does not fit, or a script cannot hold the preprocessing.
        DataError: a script's statistics have to be fitted to the images, which cannot be read.
    """
    from cnnrun.assembly.building import build_and_try, fitted_preprocessing
    from cnnrun.assembly.standardizing import unfitted_preprocessing
    from cnnrun.models.script import refuse_whitening_in_script

    fitted = None
    if is_script:
        refuse_whitening_in_script(whitens=config.preprocess.zca_whitening)
        fitted = fitted_preprocessing(config)
    return build_and_try(
        config,
        input_shape=input_shape,
        classes=classes,
        preprocessing=fitted or unfitted_preprocessing(config, input_shape),
    ).network


def print_script(network: "Network") -> None:
    """Prints the network as a Keras script."""
    from cnnrun.cli.output import print_text
    from cnnrun.models.script import keras_script

    print_text(keras_script(network).rstrip("\n"))


def draw_layers(network: "Network", path: Path) -> None:
    """Draws the network into a file, and prints its path."""
    from cnnrun.assembly.drawn_layers import drawn_layers
    from cnnrun.cli.output import print_text
    from cnnrun.models.cost import network_costs
    from cnnrun.pages.network_drawing import draw_network
    from cnnrun.pages.network_picture import network_figure
    from cnnrun.pages.render import render_network
    from cnnrun.plots.save import save_figure
    from cnnrun.runs.files import storage_errors, write_text

    drawing = draw_network(drawn_layers(network, network_costs(network)))
    if path.suffix.lower() == ".png":
        save_figure(network_figure(drawing), path)
    else:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, render_network(drawing))
    print_text(str(path))


def costs_of(network: "Network", config: "Config") -> tuple["Costs", "Learning"]:
    """What the network costs, and what of it learns in which stage."""
    from cnnrun.assembly.stages import plan_stages
    from cnnrun.models.cost import network_costs
    from cnnrun.models.trainable import learning_by_stage, trainable_layers

    learning = [
        trainable_layers(network, stage.trainable, batch_norm=stage.batch_norm)
        for stage in plan_stages(config)
    ]
    return network_costs(network), learning_by_stage(network, learning)


def print_costs(costs: "Costs", learning: "Learning", *, shows_stages: bool) -> None:
    """Prints the table of layers, with the sums; `shows_stages` adds what learns when."""
    from cnnrun.cli.output import print_table, print_text

    headings = (*HEADINGS, STAGES) if shows_stages else HEADINGS
    totals = ("", "total", "", "", f"{costs.parameters:,}", f"{costs.multiply_adds:,}", "", "")
    print_table(
        headings,
        (layer_cells(row, learning)[: len(headings)] for row in costs.layers),
        numeric=NUMERIC,
        expendable=("kind", "receptive field", "multiply-adds"),
        totals=totals[: len(headings)],
    )
    several = len(learning.parameters) > 1
    for number, trained in enumerate(learning.parameters, start=1):
        stage = f"In stage {number} " if several else ""
        fixed = costs.parameters - trained
        print_text(f"{stage}{trained:,} parameters are trained, {fixed:,} are not.")
    if costs.statistics:
        print_text(
            f"Preprocessing holds {costs.statistics:,} statistics of the training images besides."
        )


def layer_cells(row: "LayerRow", learning: "Learning") -> tuple[str, ...]:
    """A layer as the table shows it; sizes are height x width x channels."""
    return (
        "" if row.line is None else str(row.line),
        row.name,
        row.kind,
        product(row.output_shape[1:]),
        f"{row.parameters:,}",
        f"{row.multiply_adds:,}",
        product(row.receptive_field or ()),
        stages_text(learning.stages.get(row.name), of=len(learning.parameters)),
    )


def stages_text(stages: tuple[int, ...] | None, *, of: int) -> str:
    """Numbers of stages as `all`, `no`, `2` or `1-2, 4`; empty where nothing could learn."""
    if stages is None or len(stages) in (0, of):
        return "" if stages is None else "all" if stages else "no"
    first_ones = [number for number in stages if number - 1 not in stages]
    last_ones = [number for number in stages if number + 1 not in stages]
    return ", ".join(
        str(first) if first == last else f"{first}-{last}"
        for first, last in zip(first_ones, last_ones, strict=True)
    )


def product(sizes: tuple[int | None, ...]) -> str:
    """Sizes as `8 x 8 x 32`, without the spaces."""
    return "x".join("?" if size is None else str(size) for size in sizes)


def costs_document(costs: "Costs", learning: "Learning") -> dict[str, Any]:
    """The cost of a network as JSON."""
    from dataclasses import asdict

    return {
        "parameters": {"total": costs.parameters, "trainable": learning.parameters_in_any},
        "preprocessing_statistics": costs.statistics,
        "multiply_adds": costs.multiply_adds,
        "stages": [
            {"stage": number, "trainable_parameters": trained}
            for number, trained in enumerate(learning.parameters, start=1)
        ],
        "layers": [
            {**asdict(row), "trainable_in_stages": list(learning.stages.get(row.name, ()))}
            for row in costs.layers
        ],
    }
