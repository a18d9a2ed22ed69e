"""Layers that change hue and saturation, by way of TensorFlow's form of HSV."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.layer import (
    Arguments,
    Draws,
    ImageLayer,
    Images,
    Shape,
    limits,
    single,
)
from cnnrun.augment.lottery import Lottery

Plane = NDArray[np.float32]
"""A channel of images, `(images, height, width)`."""

_WHITE = np.float32(255)
_KERAS_EPSILON = 1e-7


def _draw_hue(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    signs = np.where(lottery.uniform("sign", 0, 1) > 0.5, -1, 1)
    factor = lottery.uniform("factor", *limits(arguments["factor"], least=0))
    return {"turn": single(signs * factor * 0.5)}


def _turn_hue(images: Images, draws: Draws, arguments: Arguments) -> Images:
    hue, saturation, value = _hsv(images / _WHITE)
    hue = hue + draws["turn"][:, None, None]
    hue = np.where(hue > 1, hue - np.float32(1), hue)
    hue = np.where(hue < 0, hue + np.float32(1), hue)
    return np.clip(_rgb(hue, saturation, value), 0, 1) * _WHITE


def _draw_saturation(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    factor = lottery.uniform("factor", *limits(arguments["factor"], least=-1))
    return {"factor": single(factor / (1 - factor + _KERAS_EPSILON))}


def _change_saturation(images: Images, draws: Draws, arguments: Arguments) -> Images:
    hue, saturation, value = _hsv(images)
    # Keras clips saturation, which ends at 1, to 0..255: colours beyond it come out below black.
    saturation = np.clip(saturation * draws["factor"][:, None, None], 0, _WHITE)
    return _rgb(hue, saturation, value)


def _hsv(images: Images) -> tuple[Plane, Plane, Plane]:
    """Hue and saturation from 0 to 1, and the value, as tf.image.rgb_to_hsv has them."""
    red, green, blue = np.moveaxis(images, -1, 0)
    value = images.max(axis=-1)
    spread = value - images.min(axis=-1)
    saturation = _ratio(spread, value, where=value > 0)
    sixth = _ratio(np.float32(1), np.float32(6) * spread, where=spread > 0)
    hue = np.where(
        red == value,
        sixth * (green - blue),
        np.where(
            green == value,
            sixth * (blue - red) + np.float32(2 / 6),
            sixth * (red - green) + np.float32(4 / 6),
        ),
    )
    hue = np.where(spread > 0, hue, np.float32(0))
    return np.where(hue < 0, hue + np.float32(1), hue), saturation, value


def _rgb(hue: Plane, saturation: Plane, value: Plane) -> Images:
    """Images `(images, height, width, 3)`, as tf.image.hsv_to_rgb makes them."""
    sixths = hue * np.float32(6)
    red = np.clip(np.abs(sixths - 3) - 1, 0, 1)
    green = np.clip(-np.abs(sixths - 2) + 2, 0, 1)
    blue = np.clip(-np.abs(sixths - 4) + 2, 0, 1)
    rest = 1 - saturation
    return np.stack([(rest + saturation * each) * value for each in (red, green, blue)], axis=-1)


def _ratio(above: Plane | np.float32, below: Plane, *, where: NDArray[np.bool_]) -> Plane:
    result: Plane = np.divide(above, below, out=np.zeros_like(below), where=where)
    return result


HUE = ImageLayer(_draw_hue, _turn_hue, lambda draws, row: f"hue {360 * draws['turn'][row]:+.0f}°")
SATURATION = ImageLayer(
    _draw_saturation,
    _change_saturation,
    lambda draws, row: f"saturation x {max(draws['factor'][row], 0):.2f}",
)
