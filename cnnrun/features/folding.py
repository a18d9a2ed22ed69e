"""Batch normalization folded into the layer that feeds it: the same numbers from fewer steps."""

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
_HALF: Final = frozenset({"float16", "bfloat16"})


def folded(model: Any) -> Any:
    """A copy of a model for inference alone, in float32, batch norm folded in where it can be.

    A convolution or Dense layer without activation that feeds batch norm and nothing else gets
    kernel and bias that do both. What feeds anything besides, such as an output of the model,
    stays as it is. The outputs are those of the model in their order, equal but for rounding.

    Args:
        model: a functional Keras model; it is left as it is.
    """
    norms = _foldable_norms(model)
    dissolved = {norm.name for norm in norms.values()}

    def copy(layer: Any) -> Any:
        arguments = layer.get_config()
        if layer.name in norms:
            arguments["use_bias"] = True
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


def _foldable_norms(model: Any) -> Mapping[str, Any]:
    """The batch norm that can be folded into a layer, by that layer's name."""
    consumers: dict[int, list[Any]] = {id(tensor): [] for tensor in model.outputs}
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            continue
        try:
            sources = keras.tree.flatten(operation.input)
        except (AttributeError, ValueError):  # it is called more than once: who knows by whom
            return {}
        for tensor in sources:
            consumers.setdefault(id(tensor), []).append(operation)
    outputs = {id(tensor) for tensor in model.outputs}
    norms = {}
    for layer in model.layers:
        if type(layer) not in _FOLDABLE or id(layer.output) in outputs:
            continue
        fed = consumers.get(id(layer.output), [])
        if len(fed) == 1 and _folds(layer, fed[0]):
            norms[layer.name] = fed[0]
    return norms


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
