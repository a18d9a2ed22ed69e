"""Layers that change the size of images: padding, cropping, resizing."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.layer import (
    Arguments,
    Draws,
    ImageLayer,
    Images,
    Shape,
    draws_nothing,
    said,
)
from cnnrun.augment.lottery import Lottery
from cnnrun.config.augment_layers import margins


def _pad(images: Images, draws: Draws, arguments: Arguments) -> Images:
    return np.pad(images, ((0, 0), *margins(arguments["padding"]), (0, 0)))


def _draw_crop(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    height, width, _ = shape
    down, across = height - arguments["height"], width - arguments["width"]
    if down and across:
        tops, lefts = lottery.uniform("top", 0, down + 1), lottery.uniform("left", 0, across + 1)
        return {"tops": tops.astype(np.int64), "lefts": lefts.astype(np.int64)}
    # As in Keras, an image that is to stay as high or as wide as it is loses its borders evenly.
    count = len(lottery)
    return {"tops": np.full(count, down // 2), "lefts": np.full(count, across // 2)}


def _crop(images: Images, draws: Draws, arguments: Arguments) -> Images:
    height, width = arguments["height"], arguments["width"]
    result = np.empty((len(images), height, width, images.shape[-1]), np.float32)
    for row, (top, left) in enumerate(zip(draws["tops"], draws["lefts"], strict=True)):
        result[row] = images[row, top : top + height, left : left + width]
    return result


def _crop_centre(images: Images, draws: Draws, arguments: Arguments) -> Images:
    height, width = arguments["height"], arguments["width"]
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def _resize(images: Images, draws: Draws, arguments: Arguments) -> Images:
    for axis, length in ((2, arguments["width"]), (1, arguments["height"])):
        images = _resized(images, axis, length, arguments["interpolation"])
    return images


def _resized(images: Images, axis: int, length: int, interpolation: str) -> Images:
    """Images with so many pixels along an axis, as tf.image.resize makes them."""
    before = images.shape[axis]
    centres = (np.arange(length, dtype=np.float32) + np.float32(0.5)) * np.float32(before / length)
    if interpolation == "nearest":
        nearest = np.minimum(np.floor(centres).astype(np.int64), before - 1)
        chosen: Images = np.take(images, nearest, axis)
        return chosen
    places = centres - np.float32(0.5)
    first = np.floor(places)
    weights = _along(places - first, axis)
    lower: Images = np.take(images, np.maximum(first, 0).astype(np.int64), axis)
    upper = np.take(images, np.minimum(np.ceil(places), before - 1).astype(np.int64), axis)
    between: Images = lower + (upper - lower) * weights
    return between


def _along(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    return values.reshape([-1 if each == axis else 1 for each in range(4)])


PADDING = ImageLayer(draws_nothing, _pad, said(""))
CROP = ImageLayer(
    _draw_crop,
    _crop,
    lambda draws, row: f"cut from row {draws['tops'][row]}, column {draws['lefts'][row]}",
)
CENTRE_CROP = ImageLayer(draws_nothing, _crop_centre, said(""))
RESIZING = ImageLayer(draws_nothing, _resize, said(""))
