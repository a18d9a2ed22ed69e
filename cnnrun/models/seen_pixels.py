"""Which pixels of the image reach one number of a layer, the holes of a dilation left out.

receptive_field.py has the sizes in closed form. Here the way back is gone layer by layer, with a
table of outputs and inputs for each axis.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.models.network import Network
from cnnrun.models.receptive_field import (
    KEEPING,
    NORMALIZING,
    WHOLE,
    only_channels,
    rows_before,
)

Mask = NDArray[np.bool_]
"""Which places count, `(height, width)`; `()` where there are none, as in a vector."""


class UntracedLayerError(Exception):
    """A layer on the way whose outputs are not of fixed places; `kind` is its class."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def seen_pixels(network: Network, name: str, *, row: int, column: int) -> Mask:
    """Which pixels reach one number of a layer that has height and width.

    Preprocessing is passed over, and batch norm looks at one place, as in prediction.

    Args:
        network: a built network.
        name: the layer's name.
        row: the number's row.
        column: its column.

    Returns:
        `(height, width)` of the image.

    Raises:
        UntracedLayerError: a layer on the way cannot be traced.
    """
    built = list(network.layers)
    target = next(number for number, each in enumerate(built) if each.name == name)
    output = built[target].layer.output
    mask = np.zeros(_places(output), bool)
    mask[row, column] = True
    masks = {id(output): mask}
    for each in reversed(built[: target + 1]):
        reached = masks.pop(id(each.layer.output), None)
        if reached is None:
            continue
        taken = each.layer.input
        for source in taken if isinstance(taken, list) else [taken]:
            before = _before(each.layer, source, reached)
            masks[id(source)] = before | masks.get(id(source), np.zeros(before.shape, bool))
    return masks.get(id(network.preprocessing.output), np.zeros(_places(network.model.input), bool))


def _before(layer: Any, source: Any, reached: Mask) -> Mask:
    """Which places of a layer's input reach the places of its output."""
    kind = type(layer).__name__
    shape = _places(source)
    if not reached.any():
        return np.zeros(shape, bool)
    if kind in _TABLES:
        if getattr(layer, "data_format", "channels_last") == "channels_first":
            raise UntracedLayerError(f"{kind} with channels_first")
        rows, columns = (
            _TABLES[kind](layer, axis, shape[axis], reached.shape[axis]) for axis in (0, 1)
        )
        return np.asarray((rows.T.astype(int) @ reached.astype(int) @ columns.astype(int)) > 0)
    is_of_whole = kind in WHOLE or (kind == "Dense" and len(source.shape) == 2)
    # A vector laid out as a map of one place, as squeeze and excitation has it.
    if is_of_whole or (kind == "Reshape" and reached.size == 1):
        return np.ones(shape, bool)
    is_of_channels = kind in (*NORMALIZING, "Concatenate")
    if kind in KEEPING or (is_of_channels and only_channels(layer, source)):
        return _unbroadcast(reached, shape)
    raise UntracedLayerError(kind)


def _unbroadcast(reached: Mask, shape: tuple[int, ...]) -> Mask:
    """What reaches through an operation in which a side of 1 was repeated."""
    if not shape or not reached.shape:
        return np.full(shape, reached.any())
    for axis in (0, 1):
        if shape[axis] == 1:
            reached = np.asarray(reached.any(axis=axis, keepdims=True))
    return reached


def _windows(layer: Any, axis: int, inputs: int, outputs: int) -> Mask:
    """Which inputs, along one axis, the window of each output takes: `(outputs, inputs)`."""
    taps = (getattr(layer, "pool_size", None) or layer.kernel_size)[axis]
    dilation = getattr(layer, "dilation_rate", (1, 1))
    dilation = dilation[axis] if isinstance(dilation, tuple | list) else dilation
    stride = layer.strides[axis]
    before = rows_before(
        inputs, window=(taps - 1) * dilation + 1, stride=stride, padding=layer.padding
    )
    first = np.arange(outputs)[:, None] * stride - before
    return _table(first + np.arange(taps)[None] * dilation, inputs)


def _padded(layer: Any, axis: int, inputs: int, outputs: int) -> Mask:
    return _table(np.arange(outputs)[:, None] - layer.padding[axis][0], inputs)


def _cropped(layer: Any, axis: int, inputs: int, outputs: int) -> Mask:
    return _table(np.arange(outputs)[:, None] + layer.cropping[axis][0], inputs)


def _enlarged(layer: Any, axis: int, inputs: int, outputs: int) -> Mask:
    if layer.interpolation != "nearest":
        raise UntracedLayerError(f"UpSampling2D with {layer.interpolation} interpolation")
    return _table(np.arange(outputs)[:, None] // layer.size[axis], inputs)


def _table(taken: NDArray[np.int_], inputs: int) -> Mask:
    """From the inputs that each output takes, those beyond the edge among them."""
    return np.asarray((taken[:, :, None] == np.arange(inputs)).any(axis=1))


def _places(tensor: Any) -> tuple[int, ...]:
    """Height and width of a tensor of maps; nothing of others."""
    shape = tuple(tensor.shape[1:])
    return (int(shape[0]), int(shape[1])) if len(shape) == 3 else ()


_TABLES: Final[Mapping[str, Callable[[Any, int, int, int], Mask]]] = {
    **dict.fromkeys(
        ("Conv2D", "SeparableConv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D"),
        _windows,
    ),
    "ZeroPadding2D": _padded,
    "Cropping2D": _cropped,
    "UpSampling2D": _enlarged,
}
