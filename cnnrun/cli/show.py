"""`cnnrun show`: the network of a config, layer by layer, or as a plain Keras script."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli.options import AsJson, ConfigFile, Overrides

if TYPE_CHECKING:
    from cnnrun.config.values import DataSpec
    from cnnrun.models.cost import Costs, LayerRow

HEADINGS = ("line", "layer", "kind", "output", "parameters", "multiply-adds", "receptive field")
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
    as_json: AsJson = False,
) -> None:
    """Build the network and show its layers: shapes, parameters, multiply-adds, what each sees.

    Finds the problems that only a build finds. The images are not needed where `data.classes`
    and `data.image_size` say enough; but `--as keras` reads them for a mean that is fitted to them.
    """
    from cnnrun.cli.output import print_json, print_text
    from cnnrun.cli.tensorflow_chatter import silence_tensorflow
    from cnnrun.config.load import load_config

    if form and as_json:
        raise typer.BadParameter("--as and --json exclude each other")
    checked = load_config(config, overrides=overrides or [])
    silence_tensorflow()
    from cnnrun.models.cost import network_costs
    from cnnrun.models.script import keras_script, refuse_whitening_in_script
    from cnnrun.training.building import build_and_try, fitted_preprocessing
    from cnnrun.training.standardizing import unfitted_preprocessing

    input_shape, classes = input_of(checked.data)
    fitted = None
    if form is Form.KERAS:
        refuse_whitening_in_script(whitens=checked.preprocess.zca_whitening)
        fitted = fitted_preprocessing(checked)
    network = build_and_try(
        checked,
        input_shape=input_shape,
        classes=classes,
        preprocessing=fitted or unfitted_preprocessing(checked, input_shape),
    ).network
    if form is Form.KERAS:
        print_text(keras_script(network).rstrip("\n"))
    elif as_json:
        print_json(costs_document(network_costs(network)))
    else:
        print_costs(network_costs(network))


def input_of(data: "DataSpec") -> tuple[tuple[int, int, int], int]:
    """The images' (height, width, channels) and the number of classes.

    The data is read, as far as its manifest, only for what the config does not say.

    Raises:
        DataError: it has to be read, and cannot be.
    """
    from cnnrun.data.decode import CHANNELS
    from cnnrun.data.sources import read_manifest

    is_files = data.directory is not None or data.csv is not None
    color_mode = data.color_mode or ("rgb" if is_files else None)
    classes = data.classes if isinstance(data.classes, int | None) else len(data.classes)
    if data.image_size and color_mode and classes:
        return (*data.image_size, CHANNELS[color_mode]), classes
    manifest = read_manifest(data)
    stored = manifest.pixels.shape[1:] if manifest.pixels is not None else (0, 0, 0)
    height, width = data.image_size or stored[:2]
    channels = CHANNELS[color_mode] if color_mode else stored[2]
    return (height, width, channels), len(manifest.classes)


def print_costs(costs: "Costs") -> None:
    """Prints the table of layers, with the sums."""
    from cnnrun.cli.output import print_table, print_text

    totals = ("", "total", "", "", f"{costs.parameters:,}", f"{costs.multiply_adds:,}", "")
    rows = map(layer_cells, costs.layers)
    print_table(HEADINGS, rows, numeric=NUMERIC, expendable=["kind"], totals=totals)
    fixed = costs.parameters - costs.trainable_parameters
    print_text(f"{costs.trainable_parameters:,} parameters are trained, {fixed:,} are not.")
    if costs.statistics:
        print_text(
            f"Preprocessing holds {costs.statistics:,} statistics of the training images besides."
        )


def layer_cells(row: "LayerRow") -> tuple[str, ...]:
    """A layer as the table shows it; sizes are height x width x channels."""
    return (
        "" if row.line is None else str(row.line),
        row.name,
        row.kind,
        product(row.output_shape[1:]),
        f"{row.parameters:,}",
        f"{row.multiply_adds:,}",
        product(row.receptive_field or ()),
    )


def product(sizes: tuple[int | None, ...]) -> str:
    """Sizes as `8 x 8 x 32`, without the spaces."""
    return "x".join("?" if size is None else str(size) for size in sizes)


def costs_document(costs: "Costs") -> dict[str, Any]:
    """The cost of a network as JSON."""
    from dataclasses import asdict

    return {
        "parameters": {"total": costs.parameters, "trainable": costs.trainable_parameters},
        "preprocessing_statistics": costs.statistics,
        "multiply_adds": costs.multiply_adds,
        "layers": [asdict(row) for row in costs.layers],
    }
