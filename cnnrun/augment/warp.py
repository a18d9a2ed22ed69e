"""Images turned, shifted, sheared, zoomed and mirrored: SciPy's pixels to the bit, in one pass.

What Keras asks SciPy for (`affine_transform` of order 0 and 1) is reckoned in the same sums of
float64 in the same order: the last bit of a place decides whether it is outside of an image.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, get_args

import numba
import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.machine_code import compiled, inlined
from cnnrun.config.augment_section import FillMode

Images = NDArray[np.float32]
Numbers = NDArray[np.float64]
Offsets = NDArray[np.uintp]  # Numba takes offsets with a sign for places from the end

FILL_MODES: Final[tuple[FillMode, ...]] = get_args(FillMode)
_REFLECT = FILL_MODES.index("reflect")
_WRAP = FILL_MODES.index("wrap")
_CONSTANT = FILL_MODES.index("constant")


@cache
def warp_of(dtype: np.dtype[Any]) -> Callable[..., None]:
    """`_warp` in machine code, for images of a dtype, uint8 or float32."""
    signature = numba.void(
        numba.float32[:, :, :, ::1],
        numba.types.Array(numba.from_dtype(dtype), 4, "C", readonly=True),
        numba.int64[::1],
        numba.float64[:, :, ::1],
        numba.bool_[::1],
        numba.bool_[:, ::1],
        numba.bool_,
        numba.int64,
        numba.float32,
    )
    return compiled(_warp, signature)


def _warp(
    out: Images,
    images: NDArray[Any],
    places: NDArray[np.int64],
    matrices: Numbers,
    is_moved: NDArray[np.bool_],
    is_mirrored: NDArray[np.bool_],
    takes_nearest: bool,
    fill_mode: int,
    cval: float,
) -> None:
    """Write warped images.

    Args:
        out: `(images, height, width, channels)`.
        images: `(any number, height, width, channels)`.
        places: `(images,)`, which of `images` each of `out` is made of.
        matrices: `(images, 2, 3)`, see `source_matrices`.
        is_moved: `(images,)`, whether an image's matrix changes anything.
        is_mirrored: `(images, 2)`, whether its rows and its columns are in reverse.
        takes_nearest: whether to take the nearest pixel instead of bilinear interpolation.
        fill_mode: what stands outside, by its place in FILL_MODES.
        cval: the level outside, for "constant".
    """
    count, height, width, channels = out.shape
    size, stride = height * width * channels, width * channels
    levels, results = images.reshape(-1), out.reshape(-1)
    # Beyond the last row and the last column, pixels are read with a weight of 0.
    source = np.zeros(size + stride + 2 * channels)
    rows, columns = np.empty(width), np.empty(width)
    offsets, is_outside = np.empty(width, np.uintp), np.empty(width, np.bool_)
    for number in range(count):
        first = np.uintp(places[number] * size)
        for level in range(size):
            source[level] = levels[first + np.uintp(level)]
        upside_down, mirrored = is_mirrored[number]
        for line in range(height):
            result = results[(number * height + line) * stride :][:stride]
            row = height - 1 - line if upside_down else line
            if not is_moved[number]:
                _copy(result, source[row * stride :], width, channels, mirrored)
                continue
            _write_places(rows, matrices[number, 0], row, mirrored)
            _write_places(columns, matrices[number, 1], row, mirrored)
            if fill_mode == _CONSTANT:
                _mark_outside(is_outside, rows, columns, height, width)
            _bring_inside(rows, height, fill_mode, takes_nearest)
            _bring_inside(columns, width, fill_mode, takes_nearest)
            _split(offsets, rows, columns, stride, channels)
            _blend(result, source, offsets, rows, columns, stride, channels)
            if fill_mode == _CONSTANT:
                _paint(result, is_outside, channels, cval)


@inlined
def _copy(result: Images, source: Numbers, width: int, channels: int, mirrored: bool) -> None:
    """Copy a line of pixels."""
    if not mirrored:
        for level in range(width * channels):
            result[level] = source[level]
        return
    for pixel in range(width):
        first = (width - 1 - pixel) * channels
        for channel in range(channels):
            result[pixel * channels + channel] = source[first + channel]


@inlined
def _write_places(places: Numbers, matrix: Numbers, row: int, mirrored: bool) -> None:
    """Write where the pixels of a line are read, along one axis."""
    width = len(places)
    # In SciPy's order since its 1.16: the offset first. The last bit decides at an image's border.
    of_row = matrix[2] + matrix[0] * row
    for pixel in range(width):
        column = width - 1 - pixel if mirrored else pixel
        places[pixel] = of_row + matrix[1] * column


@inlined
def _mark_outside(
    is_outside: NDArray[np.bool_], rows: Numbers, columns: Numbers, height: int, width: int
) -> None:
    """Mark the pixels of a line that are read outside; a thousandth of a pixel is outside."""
    bottom, right = height - 1.0, width - 1.0
    for pixel in range(len(rows)):
        row, column = rows[pixel], columns[pixel]
        is_outside[pixel] = (row < 0) | (row > bottom) | (column < 0) | (column > right)


@inlined
def _bring_inside(places: Numbers, length: int, fill_mode: int, takes_nearest: bool) -> None:
    """Move places along an axis to those whose levels stand for theirs (`map_coordinate`)."""
    last = length - 1.0
    # Places grow or shrink along a line, so that its ends are the furthest.
    lowest, highest = min(places[0], places[-1]), max(places[0], places[-1])
    if length > 1 and (lowest < 0 or highest > last):
        if fill_mode == _REFLECT:
            for pixel in range(len(places)):
                places[pixel] = _reflected(places[pixel], length)
        elif fill_mode == _WRAP:
            for pixel in range(len(places)):
                places[pixel] = _wrapped(places[pixel], last)
    for pixel in range(len(places)):
        place = places[pixel]
        place = place if place > 0 else 0.0
        place = place if place < last else last
        places[pixel] = np.floor(place + 0.5) if takes_nearest else place


@inlined
def _reflected(place: float, length: int) -> float:
    """D c b a | a b c d | d c b a, the border standing half a pixel beyond the last pixel."""
    period = 2.0 * length
    if place < 0:
        if place < -period:
            place += period * np.floor(-place / period)
        place = place + period if place < -length else -place - 1
    elif place > length - 1:
        place -= period * np.floor(place / period)
        place = period - place - 1 if place >= length else place
    return place


@inlined
def _wrapped(place: float, period: float) -> float:
    """A b c d | b c d | b c d: the last pixel stands where the first one comes again."""
    if place < 0:
        place += period * (np.floor(-place / period) + 1)
    elif place > period:
        place -= period * np.floor(place / period)
    return place


@inlined
def _split(offsets: Offsets, rows: Numbers, columns: Numbers, stride: int, channels: int) -> None:
    """Split places into the pixel before them, and their distance from it."""
    for pixel in range(len(offsets)):
        row, column = np.int32(rows[pixel]), np.int32(columns[pixel])
        offsets[pixel] = np.uintp(row * stride + column * channels)
        rows[pixel] -= row
        columns[pixel] -= column


@inlined
def _blend(
    result: Images,
    source: Numbers,
    offsets: Offsets,
    rows: Numbers,
    columns: Numbers,
    stride: int,
    channels: int,
) -> None:
    """Write a line of pixels between pixels."""
    width = len(offsets)
    if channels == 1:
        for pixel in range(width):
            result[pixel] = _between(
                source, offsets[pixel], rows[pixel], columns[pixel], stride, channels
            )
        return
    # Four at once for three: the fourth is written over by the next pixel, which the last lacks.
    alone = width if channels not in (3, 4) else (channels == 3)
    for pixel in range(width - alone):
        offset, row, column = offsets[pixel], rows[pixel], columns[pixel]
        first = _between(source, offset, row, column, stride, channels)
        second = _between(source, offset + np.uintp(1), row, column, stride, channels)
        third = _between(source, offset + np.uintp(2), row, column, stride, channels)
        fourth = _between(source, offset + np.uintp(3), row, column, stride, channels)
        place = np.uintp(pixel * channels)
        result[place] = first
        result[place + np.uintp(1)] = second
        result[place + np.uintp(2)] = third
        result[place + np.uintp(3)] = fourth
    for pixel in range(width - alone, width):
        for channel in range(channels):
            offset = offsets[pixel] + np.uintp(channel)
            result[pixel * channels + channel] = _between(
                source, offset, rows[pixel], columns[pixel], stride, channels
            )


@inlined
def _between(
    source: Numbers, offset: np.uintp, row: float, column: float, stride: int, channels: int
) -> np.float32:
    """A level between four, so far below and to the right of the first of them."""
    below, right = np.uintp(stride), np.uintp(channels)
    top_weight, left_weight = 1.0 - row, 1.0 - column
    bottom_weight, right_weight = 1.0 - top_weight, 1.0 - left_weight
    return np.float32(
        source[offset] * top_weight * left_weight
        + source[offset + right] * top_weight * right_weight
        + source[offset + below] * bottom_weight * left_weight
        + source[offset + below + right] * bottom_weight * right_weight
    )


@inlined
def _paint(result: Images, is_outside: NDArray[np.bool_], channels: int, cval: float) -> None:
    """Write the level that stands outside."""
    for pixel in range(len(is_outside)):
        if is_outside[pixel]:
            for channel in range(channels):
                result[pixel * channels + channel] = cval
