"""Images as a projective transformation sees them: TensorFlow's ImageProjectiveTransformV3.

Keras's geometric layers end in that operation. Its sums are of float32, in the same order here: the
last bit of a place decides whether it is outside of an image.
"""

from collections.abc import Callable
from functools import cache
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.layer import Images
from cnnrun.augment.machine_code import compiled, inlined

Matrices = NDArray[np.float32]
"""`(images, 8)`: the rows of each 3 x 3 matrix, from the place (x, y, 1) of a pixel of the result
to that in the image, without the last number, which is 1."""

FILL_MODES: Final = ("reflect", "wrap", "constant", "nearest")
_REFLECT, _WRAP, _CONSTANT, _NEAREST = range(4)
_ONE: Final = np.float32(1)


def projected(
    images: Images, matrices: Matrices, *, fill_mode: str, fill_value: float, interpolation: str
) -> Images:
    """Images `(images, height, width, channels)`, each seen through its matrix.

    Args:
        images: as above.
        matrices: one for each.
        fill_mode: what stands outside of an image.
        fill_value: the level outside, for "constant".
        interpolation: "bilinear" or "nearest".
    """
    result = np.empty_like(images)
    _project_in_machine_code()(
        result,
        np.ascontiguousarray(images),
        np.ascontiguousarray(matrices, np.float32),
        interpolation == "nearest",
        FILL_MODES.index(fill_mode),
        np.float32(fill_value),
    )
    return result


@cache
def _project_in_machine_code() -> Callable[..., None]:
    images = numba.float32[:, :, :, ::1]
    signature = numba.void(
        images, images, numba.float32[:, ::1], numba.bool_, numba.int64, numba.float32
    )
    return compiled(_project, signature)


def _project(
    out: Images,
    images: Images,
    matrices: Matrices,
    takes_nearest: bool,
    fill_mode: int,
    fill_value: np.float32,
) -> None:
    count, height, width = out.shape[:3]
    for number in range(count):
        a0, a1, a2, b0, b1, b2, c0, c1 = matrices[number]
        image, result = images[number], out[number]
        for row in range(height):
            y = np.float32(row)
            for column in range(width):
                x = np.float32(column)
                depth = c0 * x + c1 * y + _ONE
                if depth == 0:
                    result[row, column, :] = fill_value
                    continue
                across = _inside((a0 * x + a1 * y + a2) / depth, width, fill_mode)
                down = _inside((b0 * x + b1 * y + b2) / depth, height, fill_mode)
                if takes_nearest:
                    _copy_nearest(result[row, column], image, down, across, fill_value)
                else:
                    _blend(result[row, column], image, down, across, fill_value)


@inlined
def _inside(place: np.float32, length: int, fill_mode: int) -> np.float32:
    """The place along an axis whose level stands for one outside (MapCoordinate of TensorFlow)."""
    last = np.float32(length - 1)
    if fill_mode == _CONSTANT:
        return place
    if fill_mode == _REFLECT and length > 1:
        place = _reflected(place, np.float32(length))
    elif fill_mode == _WRAP and length > 1:
        if place < 0:
            place += np.float32(length) * np.float32(np.int64(-place / last) + 1)
        elif place > last:
            place -= np.float32(length) * np.float32(np.int64(place / last))
    # Zeros that compare as they do there: NaN, of a place beyond all numbers, is the first.
    if not place > 0:
        return np.float32(0)
    return min(place, last)


@inlined
def _reflected(place: np.float32, length: np.float32) -> np.float32:
    """D c b a | a b c d | d c b a."""
    period = np.float32(2) * length
    if place < 0:
        if place < period:
            place = period * np.float32(np.int64(-place / period)) + place
        return place + period if place < -length else -place - _ONE
    if place > length - _ONE:
        place -= period * np.float32(np.int64(place / period))
        if place >= length:
            return period - place - _ONE
    return place


@inlined
def _copy_nearest(
    result: NDArray[np.float32],
    image: NDArray[np.float32],
    down: np.float32,
    across: np.float32,
    fill_value: np.float32,
) -> None:
    height, width, channels = image.shape
    row, column = _rounded(down), _rounded(across)
    if 0 <= row < height and 0 <= column < width:
        for channel in range(channels):
            result[channel] = image[np.int64(row), np.int64(column), channel]
    else:
        result[:] = fill_value


@inlined
def _rounded(place: np.float32) -> np.float32:
    """The nearest whole number, halves away from zero."""
    rounded: np.float32 = np.copysign(np.floor(abs(place) + np.float32(0.5)), place)
    return rounded


@inlined
def _blend(
    result: NDArray[np.float32],
    image: NDArray[np.float32],
    down: np.float32,
    across: np.float32,
    fill_value: np.float32,
) -> None:
    """Write the level between four pixels, those outside having the level that fills."""
    height, width, channels = image.shape
    top, left = np.floor(down), np.floor(across)
    bottom, right = top + _ONE, left + _ONE
    is_top, is_bottom = 0 <= top < height, 0 <= bottom < height
    is_left, is_right = 0 <= left < width, 0 <= right < width
    if not ((is_top or is_bottom) and (is_left or is_right)):
        result[:] = fill_value
        return
    row, column = np.int64(top), np.int64(left)
    left_weight, right_weight = right - across, across - left
    top_weight, bottom_weight = bottom - down, down - top
    for channel in range(channels):
        top_left = image[row, column, channel] if is_top and is_left else fill_value
        top_right = image[row, column + 1, channel] if is_top and is_right else fill_value
        bottom_left = image[row + 1, column, channel] if is_bottom and is_left else fill_value
        bottom_right = image[row + 1, column + 1, channel] if is_bottom and is_right else fill_value
        above = left_weight * top_left + right_weight * top_right
        below = left_weight * bottom_left + right_weight * bottom_right
        result[channel] = top_weight * above + bottom_weight * below
