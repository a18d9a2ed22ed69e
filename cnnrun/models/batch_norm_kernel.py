"""Batch norm in training by faster kernels: Keras's numbers, in fewer passes or better ones.

On a CPU, Keras computes moments and arithmetic one after the other, which costs more than half of a
convolutional network's training step. TensorFlow's fused kernel makes fewer passes. It is slow for
odd channels; where these are few, as of colours, rows of several pixels fill the processor's
registers. The layers stay what they are, stock BatchNormalization: what changes is the function
that one instance calls, which no file knows of.
"""

import math
from types import MethodType
from typing import Any, Final, Literal

import keras
import tensorflow as tf

# cuDNN takes no less, and TensorFlow would put it in the place of a smaller one.
_LEAST_EPSILON: Final = 1.001e-5
# Numbers of a float32 register of AVX-512; two of AVX2's.
_REGISTER: Final = 16
_PRECISIONS: Final = ("float32", "bfloat16", "float16")


def use_fast_kernels(
    model: keras.Model,
    *,
    batch_size: int,
    least_numbers: int,
    channel_multiple: int,
    few_channels: int,
) -> tuple[str, ...]:
    """Let the model's batch norm be computed faster in training, where a rule says that it is.

    Outputs, gradients and moving statistics are those of Keras's layer, but for the order of sums.
    A model has to be compiled afterwards.

    Args:
        model: the model; the layers directly in it are looked at.
        batch_size: images a step.
        least_numbers: see `kernel_for`, like the next two.
        channel_multiple: of what the channels have to be a multiple for the fused kernel.
        few_channels: up to how many of other channels several pixels are summed at once.

    Returns:
        The names of the layers that are computed so.
    """
    chosen = {
        layer: kernel_for(
            (batch_size, *layer.output.shape[1:]),
            least_numbers=least_numbers,
            channel_multiple=channel_multiple,
            few_channels=few_channels,
        )
        for layer in model.layers
        if fits_fast_kernels(layer)
    }
    calls = {"fused": _fused, "several pixels": _several_pixels}
    for layer, kernel in chosen.items():
        if kernel is not None:
            layer.call = MethodType(calls[kernel], layer)
    return tuple(layer.name for layer, kernel in chosen.items() if kernel is not None)


def fits_fast_kernels(layer: Any) -> bool:
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


def kernel_for(
    shape: tuple[int | None, ...], *, least_numbers: int, channel_multiple: int, few_channels: int
) -> Literal["fused", "several pixels"] | None:
    """What is faster than Keras's own arithmetic for a batch of this shape, by rule.

    Args:
        shape: `(batch, height, width, channels)`; None for what is not known beforehand.
        least_numbers: numbers in a batch from which on anything is: a call of the fused kernel
            costs a quarter of a millisecond before the first number.
        channel_multiple: of what the channels have to be a multiple for the fused kernel: for
            others oneDNN has one that is several times as slow, in bfloat16 above all.
        few_channels: up to how many of other channels Keras's arithmetic is slow, for a row of so
            few numbers fills no register. One channel is a row of its own.

    Returns:
        The kernel; None for Keras's own.
    """
    numbers = 1
    for size in shape:
        if size is None:
            return None
        numbers *= size
    _, height, width, channels = shape
    if numbers < least_numbers or height is None or width is None or channels is None:
        return None
    if channels % channel_multiple == 0:
        return "fused"
    if 1 < channels <= few_channels and pixels_at_once(height * width, channels) > 1:
        return "several pixels"
    return None


def pixels_at_once(pixels: int, channels: int) -> int:
    """How many neighbours of an image's pixels have as many numbers as fill registers; or 1."""
    wanted = _REGISTER // math.gcd(_REGISTER, channels)
    return wanted if pixels % wanted == 0 else 1


def _fused(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """What the layer makes of `(batch, height, width, channels)`, by TensorFlow's kernel."""
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


def _several_pixels(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    """What the layer makes of `(batch, height, width, channels)`, summed by rows of pixels."""
    if not (training and layer.trainable) or mask is not None:
        return keras.layers.BatchNormalization.call(layer, inputs, training=training, mask=mask)
    _, height, width, channels = inputs.shape
    at_once = pixels_at_once(height * width, channels)

    def of_channels(row: Any) -> Any:  # (at_once * channels,) -> (channels,)
        return tf.reduce_mean(tf.reshape(row, [at_once, channels]), 0)

    def for_row(values: Any) -> Any:  # (channels,) -> (at_once * channels,)
        return tf.tile(values, [at_once])

    rows = tf.cast(tf.reshape(inputs, [-1, at_once * channels]), tf.float32)
    mean = of_channels(tf.reduce_mean(rows, 0))
    variance = of_channels(tf.reduce_mean(tf.math.squared_difference(rows, for_row(mean)), 0))
    _move(layer.moving_mean, mean, momentum=layer.momentum)
    _move(layer.moving_variance, variance, momentum=layer.momentum)
    scale = tf.math.rsqrt(variance + layer.epsilon)
    if layer.scale:
        scale *= layer.gamma.value
    offset = -mean * scale
    if layer.center:
        offset += layer.beta.value
    outputs = rows * for_row(scale) + for_row(offset)
    return tf.reshape(tf.cast(outputs, inputs.dtype), tf.shape(inputs))


def _move(average: Any, value: Any, *, momentum: float) -> None:
    average.assign(average * momentum + value * (1.0 - momentum))
