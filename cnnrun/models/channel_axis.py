"""Where the channels of a tensor are, so that `channels_first` is not read into the wrong axis."""

from collections.abc import Mapping
from typing import Any, Final

import keras

from cnnrun.models.layer_factory import Tensor
from cnnrun.models.layer_failures import LayerError, shape_text

_CHANNELS_FIRST_AXIS: Final = 1


def refuse_channels_first_on_channels_last(x: Tensor, arguments: Mapping[str, Any]) -> None:
    """Raise if a layer with `data_format: channels_first` meets an image whose channels come last.

    Keras would take an 8x8 image of 3 channels for a 8x3 image of 8 channels, without a word.

    Args:
        x: what the layer is called with.
        arguments: the layer's arguments.

    Raises:
        LayerError: so it is.
    """
    if arguments.get("data_format") != "channels_first":
        return
    axis = channels_axis(x)
    if axis is not None and axis != _CHANNELS_FIRST_AXIS:
        raise LayerError(
            "channels_first needs an input of (batch, channels, height, width)",
            f"input {shape_text(x.shape)}, whose channels are axis {axis}",
            "leave data_format away, or place `Permute: {dims: [3, 1, 2]}` before it",
        )


def channels_axis(x: Tensor) -> int | None:
    """The axis of the tensor that holds the channels; None where no rule tells.

    Follows the tensor back to the pixels, `(batch, height, width, channels)`, through Permute and
    through every layer that keeps the number of dimensions.
    """
    operation = x._keras_history.operation
    if isinstance(operation, keras.layers.InputLayer):
        return len(x.shape) - 1
    source = operation.input[0] if isinstance(operation.input, list) else operation.input
    axis = channels_axis(source)
    if axis is None or isinstance(operation, keras.layers.Reshape):
        return None
    if isinstance(operation, keras.layers.Permute):
        return int(operation.dims.index(axis)) + 1
    return axis if len(source.shape) == len(x.shape) else None
