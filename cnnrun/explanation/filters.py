"""What a channel looks for: its filter where that can be drawn, and the images that excite it most.

A channel is excited by an image as much as at the place where its value is highest (Zeiler and
Fergus 2014). What moved it there is read off the gradient, as the effective receptive field is (Luo
et al. 2016, arXiv:1701.04128): the field itself is the whole image soon.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.explanation.feature_maps import feature_maps
from cnnrun.explanation.network import ExplainedNetwork, MapLayer

_DRAWN_CHANNELS: Final = (1, 3)
_WITH_FILTERS: Final = frozenset({"Conv2D", "DepthwiseConv2D", "SeparableConv2D"})
_OUTSIDE: Final = 0.05
"""The share of the gradient that is left out at each side of a box."""

Box = tuple[int, int, int, int]
"""Top, left, bottom and right, in pixels; the last two are the first ones outside."""


@dataclass(frozen=True)
class Excitement:
    """An image that excites a channel.

    Attributes:
        image: its number among those that were looked at.
        value: the channel's highest.
        row: where that is.
        column: where that is.
    """

    image: int
    value: float
    row: int
    column: int


def drawable_filters(layer: MapLayer) -> NDArray[np.float32] | None:
    """The filters of a convolution of grey or of colours, `(filters, height, width, channels)`.

    None for layers whose filters have other channels than a picture, or that have none.
    """
    kind = type(layer.layer).__name__
    if kind not in _WITH_FILTERS:
        return None
    kernel = layer.layer.depthwise_kernel if kind == "SeparableConv2D" else layer.layer.kernel
    if kernel.shape[2] not in _DRAWN_CHANNELS:
        return None
    weights: NDArray[np.float32] = np.asarray(kernel.numpy(), np.float32)
    if kind != "Conv2D":  # a filter for each channel by itself
        weights = weights.reshape(*weights.shape[:2], 1, -1)
    return np.moveaxis(weights, -1, 0)


def most_exciting(
    network: ExplainedNetwork,
    layer: MapLayer,
    batches: Iterable[NDArray[Any]],
    *,
    images_each: int,
) -> list[tuple[Excitement, ...]]:
    """For each channel the images that excite it most, the most exciting one first.

    Args:
        network: the network.
        layer: one of its layers.
        batches: the images, `(images, height, width, channels)` at a time.
        images_each: how many of them are wanted; of equal ones those with the higher mean.
    """
    values, means, places = [], [], []
    for pixels in batches:
        (output,) = feature_maps(network, [layer], pixels)
        flat = output.reshape(len(output), layer.places, layer.channels)
        places.append(flat.argmax(axis=1))
        values.append(flat.max(axis=1))
        means.append(flat.mean(axis=1))
    highest, where = np.concatenate(values), np.concatenate(places)
    # Many images reach the end of an activation that has one, such as 6 of ReLU6.
    order = np.lexsort((-np.concatenate(means), -highest), axis=0)[:images_each]
    return [
        tuple(
            Excitement(
                int(image),
                float(highest[image, channel]),
                *(int(each) for each in divmod(where[image, channel], layer.width)),
            )
            for image in order[:, channel]
        )
        for channel in range(layer.channels)
    ]


def moving_boxes(
    network: ExplainedNetwork,
    layer: MapLayer,
    pixels: NDArray[Any],
    places: Sequence[tuple[int, int, int]],
) -> list[Box]:
    """For each image the box that holds nine tenths of what moved a unit.

    Where nothing moves it any more, as at the end of an activation, it is the unit's own place.

    Args:
        network: the network.
        layer: one of its layers.
        pixels: `(images, height, width, channels)`, 0 to 255.
        places: for each image the unit: row, column and channel.
    """
    model = network.until(network.standardized, layer.tensor)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        images = tf.constant(pixels, tf.float32)
        tape.watch(images)
        standardized, output = model(images, training=False)
        units = [
            output[(image, *layer.index(row, column, channel))]
            for image, (row, column, channel) in enumerate(places)
        ]
    gradients = np.abs(tape.gradient(units, standardized).numpy()).sum(axis=-1)
    return [
        _box(gradient) if gradient.any() else _place(layer, row, column, gradient.shape)
        for gradient, (row, column, _) in zip(gradients, places, strict=True)
    ]


def _place(layer: MapLayer, row: int, column: int, shape: tuple[int, ...]) -> Box:
    """The part of the image that stands where a unit stands in its layer."""
    down, right = shape[0] / layer.height, shape[1] / layer.width
    corners = (row * down, column * right, (row + 1) * down, (column + 1) * right)
    top, left, bottom, end = map(round, corners)
    return top, left, max(bottom, top + 1), max(end, left + 1)


def _box(gradient: NDArray[np.float32]) -> Box:
    (top, bottom), (left, right) = (_middle(gradient.sum(axis=axis)) for axis in (1, 0))
    return top, left, bottom, right


def _middle(amounts: NDArray[np.float32]) -> tuple[int, int]:
    """Where the middle nine tenths of amounts in a row begin and end."""
    reached = np.cumsum(amounts, dtype=np.float64) / amounts.sum(dtype=np.float64)
    begin, end = np.searchsorted(reached, (_OUTSIDE, 1 - _OUTSIDE))
    return int(begin), int(end) + 1
