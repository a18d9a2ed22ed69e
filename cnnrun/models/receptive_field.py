"""How much of the image a layer's outputs see.

An output at row r sees the input rows `start + r * step` to `start + r * step + size - 1`; the
arithmetic is that of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural
Networks" (Distill 2019), with TensorFlow's "same" padding, which puts the odd pixel at the end.
Sizes are not cut off at the image's edge, as in the published figures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from cnnrun.models.layer_calls import attends, taken_by
from cnnrun.models.network import Network


@dataclass(frozen=True)
class Reach:
    """What the outputs see along one axis of the image; see above."""

    start: int
    size: int
    step: int


class Beyond(Enum):
    """What has no size that holds for every output."""

    WHOLE_IMAGE = "whole image"
    UNKNOWN = "unknown"


Field = tuple[Reach, Reach] | Beyond


def receptive_fields(network: Network) -> dict[str, tuple[int, int] | None]:
    """Layer name -> height and width of what one of its outputs sees; None where it varies.

    Preprocessing is passed over: that an image's mean is subtracted lets nobody see further.

    Where every output depends on all positions, such as after a global pooling, the size is the
    image's own.
    """
    image = network.model.input
    whole = (int(image.shape[1]), int(image.shape[2]))
    standardized = network.preprocessing.output
    fields: dict[int, Field] = {id(standardized): (Reach(0, 1, 1), Reach(0, 1, 1))}
    sizes = {}
    for built in network.layers:
        layer = built.layer
        taken = taken_by(layer)
        sources = taken if isinstance(taken, list) else [taken]
        field = _merged([_through(layer, one, fields[id(one)]) for one in sources])
        fields[id(layer.output)] = field
        sizes[built.name] = _size(field, whole)
    return sizes


def _size(field: Field, whole: tuple[int, int]) -> tuple[int, int] | None:
    if isinstance(field, Beyond):
        return whole if field is Beyond.WHOLE_IMAGE else None
    return field[0].size, field[1].size


def _merged(fields: Sequence[Field]) -> Field:
    """What the outputs of a merging layer see: all that its inputs see."""
    if Beyond.UNKNOWN in fields:
        return Beyond.UNKNOWN
    known = [field for field in fields if not isinstance(field, Beyond)]
    if len(known) < len(fields):
        return Beyond.WHOLE_IMAGE
    rows, columns = (_union([field[axis] for field in known]) for axis in (0, 1))
    return Beyond.UNKNOWN if rows is None or columns is None else (rows, columns)


def _union(reaches: Sequence[Reach]) -> Reach | None:
    if len({one.step for one in reaches}) > 1:
        return None
    start = min(one.start for one in reaches)
    end = max(one.start + one.size for one in reaches)
    return Reach(start, end - start, reaches[0].step)


def _through(layer: Any, source: Any, field: Field) -> Field:
    """What the layer's outputs see, given what those of `source` see."""
    kind = type(layer).__name__
    if attends(layer):
        return Beyond.WHOLE_IMAGE
    if isinstance(field, Beyond):
        return field
    if kind in _REARRANGING and tuple(layer.output.shape[1:3]) == tuple(source.shape[1:3]):
        return field if kind != "Permute" or tuple(layer.dims[:2]) == (1, 2) else Beyond.UNKNOWN
    if kind in WHOLE or (kind == "Dense" and len(source.shape) == 2):
        return Beyond.WHOLE_IMAGE
    if kind in _STEPS:
        return _STEPS[kind](layer, source, field)
    if kind in KEEPING or (kind in NORMALIZING and only_channels(layer, source)):
        return field
    return Beyond.UNKNOWN


def only_channels(layer: Any, source: Any) -> bool:
    """Whether a layer with an axis looks along, or joins, the channels alone."""
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    return axes in ([-1], [len(source.shape) - 1])


def _windowed(layer: Any, source: Any, field: tuple[Reach, Reach]) -> Field:
    window = getattr(layer, "pool_size", None) or layer.kernel_size
    dilation = getattr(layer, "dilation_rate", (1, 1))
    first = 2 if layer.data_format == "channels_first" else 1
    axes = [
        _slide(
            field[axis],
            length=source.shape[first + axis],
            window=(window[axis] - 1) * dilation[axis] + 1,
            stride=layer.strides[axis],
            padding=layer.padding,
        )
        for axis in (0, 1)
    ]
    return axes[0], axes[1]


def _slide(reach: Reach, *, length: int, window: int, stride: int, padding: str) -> Reach:
    before = rows_before(length, window=window, stride=stride, padding=padding)
    return Reach(
        start=reach.start - before * reach.step,
        size=reach.size + (window - 1) * reach.step,
        step=reach.step * stride,
    )


def rows_before(length: int, *, window: int, stride: int, padding: str) -> int:
    """How many rows of padding stand before the first one, as TensorFlow has it.

    Args:
        length: how many rows there are.
        window: how many one output spans, holes included.
        stride: from the window of an output to that of the next.
        padding: "same" or "valid".
    """
    if padding != "same":
        return 0
    return max((-(-length // stride) - 1) * stride + window - length, 0) // 2


def _padded(layer: Any, _: Any, field: tuple[Reach, Reach]) -> Field:
    return _shifted(field, [-before for before, _ in layer.padding])


def _cropped(layer: Any, _: Any, field: tuple[Reach, Reach]) -> Field:
    return _shifted(field, [before for before, _ in layer.cropping])


def _shifted(field: tuple[Reach, Reach], by: Sequence[int]) -> Field:
    rows, columns = (
        Reach(reach.start + shift * reach.step, reach.size, reach.step)
        for reach, shift in zip(field, by, strict=True)
    )
    return rows, columns


def _permuted(layer: Any, _: Any, field: tuple[Reach, Reach]) -> Field:
    keeps_order = tuple(layer.dims) in ((1, 2, 3), (2, 3, 1), (3, 1, 2))
    return field if keeps_order else Beyond.UNKNOWN


def _concatenated(layer: Any, source: Any, field: tuple[Reach, Reach]) -> Field:
    return field if only_channels(layer, source) else Beyond.UNKNOWN


_STEPS: Final[Mapping[str, Callable[[Any, Any, tuple[Reach, Reach]], Field]]] = {
    **dict.fromkeys(
        (
            "Conv2D",
            "SeparableConv2D",
            "DepthwiseConv2D",
            "MaxPooling2D",
            "AveragePooling2D",
        ),
        _windowed,
    ),
    "ZeroPadding2D": _padded,
    "Cropping2D": _cropped,
    "Permute": _permuted,
    "Concatenate": _concatenated,
}

WHOLE: Final = frozenset(
    {
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "GroupNormalization",
    }
)

_REARRANGING: Final = frozenset({"Cropping3D", "Permute", "Reshape"})
"""Layers that leave rows and columns where they are, if these keep their number and place."""

NORMALIZING: Final = frozenset(
    {"LayerNormalization", "RMSNormalization", "UnitNormalization", "Softmax"}
)
"""Layers that look along their axis, which must be that of the channels."""

KEEPING: Final = frozenset(
    {
        "Activation",
        "ActivityRegularization",
        "Add",
        "AlphaDropout",
        "Average",
        "BatchNormalization",
        "CustomScaleLayer",
        "Dense",
        "Dropout",
        "ELU",
        "Flatten",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "LayerScale",
        "LeakyReLU",
        "Maximum",
        "Minimum",
        "Multiply",
        "Normalization",
        "PReLU",
        "ReLU",
        "Rescaling",
        "SpatialDropout2D",
        "Subtract",
    }
)
"""Layers whose outputs see one position of their input each (batch norm: when predicting)."""
