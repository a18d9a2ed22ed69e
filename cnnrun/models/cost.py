"""What a network costs: parameters, multiply-adds, receptive fields, layer by layer."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.models.network import BuiltLayer, Network
from cnnrun.models.preprocessing import Step
from cnnrun.models.receptive_field import receptive_fields


@dataclass(frozen=True)
class LayerRow:
    """A layer and its cost.

    Attributes:
        name: the Keras layer's name.
        kind: its class.
        address: where it stands in the config.
        line: its line in the file, if it has one.
        output_shape: `(batch, height, width, channels)` or shorter; batch is None.
        parameters: how many numbers it holds.
        trainable_parameters: those of them that training changes.
        multiply_adds: multiplications with a weight, for one image; additions of a bias, batch
            norm, pooling and activations are not counted, as in the published figures.
        receptive_field: height and width of the part of the image that one output sees; None
            where it varies.
    """

    name: str
    kind: str
    address: str
    line: int | None
    output_shape: tuple[int | None, ...]
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    receptive_field: tuple[int, int] | None


@dataclass(frozen=True)
class Costs:
    """A network's layers and their sums.

    Attributes:
        layers: first the steps of the preprocessing, which cost nothing here; then the layers.
        statistics: how many numbers the preprocessing holds that were fitted to the training
            images; they are no parameters of the network.
        parameters, trainable_parameters, multiply_adds: sums over the layers.
    """

    layers: tuple[LayerRow, ...]
    statistics: int
    parameters: int
    trainable_parameters: int
    multiply_adds: int


def network_costs(network: Network) -> Costs:
    """The cost of every layer, and the sums; parameters are trainable or not as they are built."""
    fields = receptive_fields(network)
    shape = tuple(network.preprocessing.output.shape)
    steps = tuple(_step_row(step, shape) for step in network.steps)
    rows = tuple(_row(built, fields[built.name]) for built in network.layers)
    return Costs(
        layers=(*steps, *rows),
        statistics=sum(step.statistics for step in network.steps),
        parameters=sum(row.parameters for row in rows),
        trainable_parameters=sum(row.trainable_parameters for row in rows),
        multiply_adds=sum(row.multiply_adds for row in rows),
    )


def multiply_adds(layer: Any, input_shape: tuple[int | None, ...], output_shape: Any) -> int:
    """Multiplications with a weight of one image's pass through the layer; 0 where there are none.

    Of attention, those of positions with each other count as well.

    Args:
        layer: a built layer of `keras.layers`.
        input_shape: the shape it takes, batch included.
        output_shape: the shape it returns, batch included.
    """
    kind = type(layer).__name__
    if kind in _COUNTS:
        return _COUNTS[kind](layer, input_shape, output_shape)
    return 0


def _step_row(step: Step, shape: tuple[int | None, ...]) -> LayerRow:
    return LayerRow(
        name=step.name,
        kind=step.kind,
        address=step.address,
        line=None,
        output_shape=shape,
        parameters=0,
        trainable_parameters=0,
        multiply_adds=0,
        receptive_field=None if step.looks_around else (1, 1),
    )


def _row(built: BuiltLayer, field: tuple[int, int] | None) -> LayerRow:
    layer = built.layer
    source = layer.input[0] if isinstance(layer.input, list) else layer.input
    output_shape = tuple(layer.output.shape)
    return LayerRow(
        name=built.name,
        kind=type(layer).__name__,
        address=built.spec.address,
        line=built.spec.position.line if built.spec.position else None,
        output_shape=output_shape,
        parameters=_size(layer.weights),
        trainable_parameters=_size(layer.trainable_weights),
        multiply_adds=multiply_adds(layer, tuple(source.shape), output_shape),
        receptive_field=field,
    )


def _size(weights: Any) -> int:
    return sum(_product(weight.shape) for weight in weights)


def _product(sizes: Iterable[Any]) -> int:
    return math.prod(int(size) for size in sizes)


def _positions(layer: Any, shape: Any) -> int:
    """How many places the shape has, channels apart."""
    sizes = shape[2:] if layer.data_format == "channels_first" else shape[1:-1]
    return _product(sizes)


def _convolution(layer: Any, _: Any, output_shape: Any) -> int:
    return _positions(layer, output_shape) * _product(layer.kernel.shape)


def _depthwise(layer: Any, _: Any, output_shape: Any) -> int:
    return _positions(layer, output_shape) * _product(layer.kernel.shape)


def _separable(layer: Any, _: Any, output_shape: Any) -> int:
    weights = _product(layer.depthwise_kernel.shape) + _product(layer.pointwise_kernel.shape)
    return _positions(layer, output_shape) * weights


def _transposed(layer: Any, input_shape: Any, _: Any) -> int:
    return _positions(layer, input_shape) * _product(layer.kernel.shape)


def _dense(layer: Any, input_shape: Any, _: Any) -> int:
    return _product(input_shape[1:-1]) * _product(layer.kernel.shape)


def _einsum(layer: Any, input_shape: Any, _: Any) -> int:
    """One multiplication for each combination of the equation's letters, batch apart."""
    operands = layer.equation.replace("...", "").split("->")[0].split(",")
    sizes = dict(zip(reversed(operands[0]), reversed(input_shape), strict=False))
    sizes |= dict(zip(operands[1], layer.kernel.shape, strict=True))
    return _product(size for size in sizes.values() if size is not None)


def _recurrent(layer: Any, input_shape: Any, _: Any) -> int:
    cell = layer.cell
    weights = _product(cell.kernel.shape) + _product(cell.recurrent_kernel.shape)
    return int(input_shape[1]) * weights


def _convolutional_recurrent(layer: Any, input_shape: Any, output_shape: Any) -> int:
    cell = layer.cell
    state = (output_shape[0], *output_shape[2:]) if layer.return_sequences else output_shape
    weights = _product(cell.kernel.shape) + _product(cell.recurrent_kernel.shape)
    return int(input_shape[1]) * _positions(layer, state) * weights


def _time_distributed(layer: Any, input_shape: Any, output_shape: Any) -> int:
    one = (input_shape[0], *input_shape[2:])
    return int(input_shape[1]) * multiply_adds(
        layer.layer, one, (output_shape[0], *output_shape[2:])
    )


def _bidirectional(layer: Any, input_shape: Any, output_shape: Any) -> int:
    return multiply_adds(layer.forward_layer, input_shape, output_shape) + multiply_adds(
        layer.backward_layer, input_shape, output_shape
    )


def _attention(layer: Any, input_shape: Any, _: Any) -> int:
    """The four projections, and each position with each other, for scores and for sums."""
    positions = _product(input_shape[1:-1])
    kernels = sum(_product(weight.shape) for weight in layer.weights if weight.name == "kernel")
    numbers = int(layer.num_heads) * (int(layer.key_dim) + int(layer.value_dim))
    return positions * kernels + positions * positions * numbers


_COUNTS: Final[Mapping[str, Callable[[Any, Any, Any], int]]] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), _convolution),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(("SimpleRNN", "GRU", "LSTM"), _recurrent),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _convolutional_recurrent),
    "Dense": _dense,
    "EinsumDense": _einsum,
    "MultiHeadAttention": _attention,
    "TimeDistributed": _time_distributed,
    "Bidirectional": _bidirectional,
    "SpectralNormalization": lambda layer, *shapes: multiply_adds(layer.layer, *shapes),
}
