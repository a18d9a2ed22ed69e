"""Batch normalization and zero padding folded into convolutions: equal numbers, fewer steps."""

from collections.abc import Mapping
from typing import Any, Final

import keras
import numpy as np

_FOLDABLE: Final = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
)
_PADDABLE: Final = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
_HALF: Final = frozenset({"float16", "bfloat16"})


def folded(model: Any) -> Any:
    """A copy of a model for inference alone, in float32, folded together where it can be.

    A convolution or Dense layer without activation that feeds batch norm and nothing else gets
    kernel and bias that do both. What feeds anything besides, such as an output of the model,
    stays as it is. Zero padding that "same" would give a convolution is left to it. The outputs are
    those of the model in their order, equal but for rounding.

    Args:
        model: a functional Keras model; it is left as it is.
    """
    consumers = _consumers(model)
    norms = _foldable_norms(model, consumers)
    paddings = _foldable_paddings(model, consumers)
    dissolved = {layer.name for layer in (*norms.values(), *paddings.values())}

    def copy(layer: Any) -> Any:
        arguments = layer.get_config()
        if layer.name in norms:
            arguments["use_bias"] = True
        if layer.name in paddings:
            arguments["padding"] = "same"
        if getattr(layer, "compute_dtype", None) in _HALF:  # an operation has none
            arguments["dtype"] = "float32"
        return type(layer).from_config(arguments)

    def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
        return arguments[0] if layer.name in dissolved else layer(*arguments, **keywords)

    copied = keras.models.clone_model(model, clone_function=copy, call_function=call)
    copies = {layer.name: layer for layer in copied.layers}
    for layer in model.layers:
        if layer.name in norms:
            copies[layer.name].set_weights(_folded_weights(layer, norms[layer.name]))
        elif layer.weights and layer.name not in dissolved:
            copies[layer.name].set_weights(layer.get_weights())
    return copied


def _consumers(model: Any) -> Mapping[int, list[Any]]:
    """By the identity of a tensor, what takes it; nothing if an operation is called twice.

    The model counts as a consumer of its outputs.
    """
    consumers: dict[int, list[Any]] = {id(tensor): [model] for tensor in model.outputs}
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        try:
            sources = keras.tree.flatten(operation.input)
        except (AttributeError, ValueError):  # it is called more than once: who knows by whom
            return {}
        for tensor in sources:
            consumers.setdefault(id(tensor), []).append(operation)
    return consumers


def _foldable_norms(model: Any, consumers: Mapping[int, list[Any]]) -> Mapping[str, Any]:
    """The batch norm that can be folded into a layer, by that layer's name."""
    fed = (
        (layer, _only_consumer(layer, consumers))
        for layer in model.layers
        if type(layer) in _FOLDABLE
    )
    return {layer.name: norm for layer, norm in fed if _folds(layer, norm)}


def _foldable_paddings(model: Any, consumers: Mapping[int, list[Any]]) -> Mapping[str, Any]:
    """The zero padding that a convolution does as well by itself, by that convolution's name."""
    fed = (
        (padding, _only_consumer(padding, consumers))
        for padding in model.layers
        if type(padding) is keras.layers.ZeroPadding2D
    )
    return {
        convolution.name: padding
        for padding, convolution in fed
        if type(convolution) in _PADDABLE and _is_sames(padding, convolution)
    }


def _only_consumer(layer: Any, consumers: Mapping[int, list[Any]]) -> Any:
    """What alone takes a layer's output, or None."""
    fed = consumers.get(id(layer.output), []) if consumers else []
    return fed[0] if len(fed) == 1 else None


def _is_sames(padding: Any, convolution: Any) -> bool:
    """Whether a padding is what the convolution's own "same" gives images of this size."""
    if (
        convolution.padding != "valid"
        or {padding.data_format, convolution.data_format} != {"channels_last"}
        or set(convolution.dilation_rate) != {1}
    ):
        return False
    sizes = padding.input.shape[1:3]
    return None not in sizes and all(
        _same_padding(size, kernel, stride) == tuple(given)
        for size, kernel, stride, given in zip(
            sizes, convolution.kernel_size, convolution.strides, padding.padding, strict=True
        )
    )


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "SAME" along one axis: pixels before and after.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    """
    steps = -(-size // stride)
    total = max((steps - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _folds(layer: Any, norm: Any) -> bool:
    """Whether a layer has no activation, and its only consumer normalizes its channels."""
    return (
        type(norm) is keras.layers.BatchNormalization
        and layer.activation is keras.activations.linear
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and norm.axis in (-1, len(layer.output.shape) - 1)
    )


def _folded_weights(layer: Any, norm: Any) -> list[Any]:
    """The weights of a layer with a bias that does what layer and batch norm did.

    With scale = gamma / sqrt(variance + epsilon), kernels are multiplied with it, and the bias is
    (bias - mean) * scale + beta; computed in float64.
    """
    *kernels, last = layer.get_weights()
    bias = last.astype(np.float64) if layer.use_bias else 0.0
    if not layer.use_bias:
        kernels.append(last)
    gamma = _numbers(norm.gamma) if norm.scale else 1.0
    beta = _numbers(norm.beta) if norm.center else 0.0
    scale = gamma / np.sqrt(_numbers(norm.moving_variance) + norm.epsilon)
    # A depthwise kernel is (height, width, channels, multiplier), its outputs channel by channel.
    is_depthwise = type(layer) is keras.layers.DepthwiseConv2D
    kernels[-1] = kernels[-1] * (scale.reshape(kernels[-1].shape[2:]) if is_depthwise else scale)
    return [*kernels, (bias - _numbers(norm.moving_mean)) * scale + beta]


def _numbers(variable: Any) -> Any:
    return keras.ops.convert_to_numpy(variable).astype(np.float64)
