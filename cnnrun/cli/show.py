"""`cnnrun show`: the network of a config, layer by layer, or as a plain Keras script."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli.options import AsJson, ConfigFile, Overrides

if TYPE_CHECKING:
    from cnnrun.config.values import Config, DataSpec
    from cnnrun.models.cost import LayerRow, NetworkCost
    from cnnrun.models.network import Network

HEADINGS = ("line", "layer", "output", "parameters", "multiply-adds", "receptive field")
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
    and `data.image_size` say enough.
    """
    from cnnrun.cli.output import print_json, print_text
    from cnnrun.cli.tensorflow_chatter import silence_tensorflow
    from cnnrun.config.load import load_config

    if form and as_json:
        raise typer.BadParameter("--as and --json exclude each other")
    checked = load_config(config, overrides=overrides or [])
    silence_tensorflow()
    from cnnrun.models.cost import network_cost
    from cnnrun.models.script import keras_script

    network = built(checked)
    if form is Form.KERAS:
        print_text(keras_script(network).rstrip("\n"))
    elif as_json:
        print_json(cost_document(network_cost(network)))
    else:
        print_cost(network_cost(network))


def built(config: "Config") -> "Network":
    """The config's network, on which one training step has been tried.

    Raises:
        ConfigError: it cannot be built or trained.
        DataError: the classes have to be counted, and the images cannot be.
    """
    from cnnrun.models.network import build_network
    from cnnrun.models.trial import try_one_step
    from cnnrun.training.targets import default_loss, output_of

    input_shape, classes = input_of(config.data)
    network = build_network(
        config.model,
        input_shape=input_shape,
        classes=classes,
        rescale=config.preprocess.rescale,
        seed=config.seed,
        precision=config.train.precision,
    )
    try_one_step(network, loss=config.train.loss or default_loss(output_of(network.model)))
    return network


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


def print_cost(cost: "NetworkCost") -> None:
    """Prints the table of layers, with the sums."""
    from cnnrun.cli.output import print_table, print_text

    totals = ("", "total", "", f"{cost.parameters:,}", f"{cost.multiply_adds:,}", "")
    print_table(HEADINGS, map(layer_cells, cost.layers), numeric=NUMERIC, totals=totals)
    fixed = cost.parameters - cost.trainable_parameters
    print_text(f"{cost.trainable_parameters:,} parameters are trained, {fixed:,} are not.")


def layer_cells(row: "LayerRow") -> tuple[str, ...]:
    """A layer as the table shows it; sizes are height x width x channels."""
    return (
        "" if row.line is None else str(row.line),
        f"{row.name} ({row.kind})",
        product(row.output_shape[1:]),
        f"{row.parameters:,}",
        f"{row.multiply_adds:,}",
        product(row.receptive_field or ()),
    )


def product(sizes: tuple[int | None, ...]) -> str:
    """Sizes as `8 x 8 x 32`, without the spaces."""
    return "x".join("?" if size is None else str(size) for size in sizes)


def cost_document(cost: "NetworkCost") -> dict[str, Any]:
    """The cost of a network as JSON."""
    from dataclasses import asdict

    return {
        "parameters": {"total": cost.parameters, "trainable": cost.trainable_parameters},
        "multiply_adds": cost.multiply_adds,
        "layers": [asdict(row) for row in cost.layers],
    }
