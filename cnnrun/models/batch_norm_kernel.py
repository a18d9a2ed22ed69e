"""Batch norm in training by TensorFlow's fused kernel: Keras's numbers, in fewer passes.

On a CPU, Keras computes moments and arithmetic one after the other, which costs more than half of a
convolutional network's training step. The layers stay what they are, stock BatchNormalization: what
changes is the function that one instance calls, which no file knows of.
"""

from types import MethodType
from typing import Any, Final

import keras
import tensorflow as tf

# cuDNN takes no less, and TensorFlow would put it in the place of a smaller one.
_LEAST_EPSILON: Final = 1.001e-5
_PRECISIONS: Final = ("float32", "bfloat16", "float16")


def use_fused_kernel(
    model: keras.Model, *, batch_size: int, least_numbers: int, channel_multiple: int
) -> tuple[str, ...]:
    """Let the fused kernel compute the model's batch norm in training, where it is faster.

    Outputs, gradients and moving statistics are those of Keras's layer, but for the order of sums.
    A model has to be compiled afterwards.

    Args:
        model: the model; the layers directly in it are looked at.
        batch_size: images a step.
        least_numbers: see `gains_from_fused_kernel`, like the next.
        channel_multiple: of what the channels have to be a multiple.

    Returns:
        The names of the layers that it computes.
    """
    layers = [
        layer
        for layer in model.layers
        if fits_fused_kernel(layer)
        and gains_from_fused_kernel(
            (batch_size, *layer.output.shape[1:]),
            least_numbers=least_numbers,
            channel_multiple=channel_multiple,
        )
    ]
    for layer in layers:
        layer.call = MethodType(_normalized, layer)
    return tuple(layer.name for layer in layers)


def fits_fused_kernel(layer: Any) -> bool:
    """Whether the fused kernel computes what this layer does, and on every processor."""
    return (
        type(layer) is keras.layers.BatchNormalization
        and len(layer.output.shape) == 4
        and layer.axis in (-1, 3)
        and not layer.renorm
        and not layer.synchronized
        and layer.epsilon >= _LEAST_EPSILON
        and layer.compute_dtype in _PRECISIONS
        and layer.variable_dtype == "float32"
    )


def gains_from_fused_kernel(
    shape: tuple[int | None, ...], *, least_numbers: int, channel_multiple: int
) -> bool:
    """Whether the fused kernel is the faster one for a batch of this shape, by rule.

    Args:
        shape: `(batch, height, width, channels)`; None for what is not known beforehand.
        least_numbers: numbers in a batch from which on it is: a call of it costs a quarter of a
            millisecond before the first number.
        channel_multiple: of what the channels have to be a multiple: for others oneDNN has a
            kernel that is several times as slow, in bfloat16 above all.
    """
    numbers = 1
    for size in shape:
        if size is None:
            return False
        numbers *= size
    return numbers >= least_numbers and shape[-1] % channel_multiple == 0  # type: ignore[operator]


def _normalized(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """What the layer makes of `(batch, height, width, channels)`, in place of its `call`."""
    if not (training and layer.trainable) or mask is not None:
        return keras.layers.BatchNormalization.call(layer, inputs, training=training, mask=mask)
    channels = inputs.shape[-1]
    none = tf.zeros([0])
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=layer.gamma.value if layer.scale else tf.ones([channels]),
        offset=layer.beta.value if layer.center else tf.zeros([channels]),
        mean=none,
        variance=none,
        epsilon=layer.epsilon,
        is_training=True,
    )
    # The kernel's variance is the unbiased one, Keras's moving variance is of biased ones.
    count = tf.cast(tf.size(inputs) // channels, tf.float32)
    _move(layer.moving_mean, mean, momentum=layer.momentum)
    _move(layer.moving_variance, variance * ((count - 1.0) / count), momentum=layer.momentum)
    return outputs


def _move(average: Any, value: Any, *, momentum: float) -> None:
    average.assign(average * momentum + value * (1.0 - momentum))
