"""Pixels between pixels: images read at given places."""

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.geometry import LARGEST_PLACE, STEP

Images = NDArray[np.float32]
Coordinates = NDArray[np.float64]
Places = NDArray[np.float32]

# Places within so many rows and columns are reckoned to a STEP of a pixel, all of them alike, and
# fit float32 exactly. Interpolation is then off by at most 255 * 2 * 2**-16 = 0.008 levels, and
# images stacked on each other are read as they would be alone.
LARGEST_SIDE = LARGEST_PLACE
# With other numbers of channels, OpenCV interpolates to 1/32 of a pixel.
_PRECISE_CHANNELS = (1, 3, 4)
_ROUNDING = 1.5 * 2**52 * STEP  # what is added to it keeps no digits below a step


def round_to_pixels(coordinates: Coordinates) -> None:
    """Round places to whole pixels, halves up, as SciPy does for interpolation of order 0."""
    coordinates += 0.5
    np.floor(coordinates, out=coordinates)


def write_float32(
    out: Places, places: Coordinates | Places, offsets: NDArray[np.int64] | int
) -> None:
    """Places plus whole offsets, together from 0 to LARGEST_SIDE, as `read_fast` takes them.

    Args:
        out: `(images, height, width)`; it may be `places`.
        places: `(images, height, width)`, in float32 multiples of STEP; they are changed.
        offsets: whole numbers.
    """
    if places.dtype == np.float32:
        np.add(places, offsets, out=out, dtype=np.float32, casting="same_kind")
    else:
        places += offsets + _ROUNDING
        np.subtract(places, _ROUNDING, out=out, casting="same_kind")


def read_fast(out: Images, images: Images, rows: Places, columns: Places) -> None:
    """Images read with bilinear interpolation, within 0.008 levels.

    All images go to OpenCV as one, stacked on each other: at 28x28 pixels, calls would take longer
    than pixels.

    Args:
        out: `(images, new height, new width, channels)`, contiguous.
        images: `(images, height, width, channels)`, contiguous; stacked they have no more than
            LARGEST_SIDE rows, nor is one wider.
        rows: `(images, new height, new width)`, counted from the top of the stack, each within
            the image that it belongs to.
        columns: the same, from 0 to `width - 1`.
    """
    channels = images.shape[3]
    if channels in _PRECISE_CHANNELS:
        _remap(out, images, rows, columns)
        return
    for channel in range(channels):
        level = np.empty((*out.shape[:3], 1), np.float32)
        _remap(level, np.ascontiguousarray(images[..., [channel]]), rows, columns)
        out[..., [channel]] = level


def _remap(out: Images, images: Images, rows: Places, columns: Places) -> None:
    width, new_width = images.shape[2], rows.shape[2]
    channels = images.shape[3:] if images.shape[3] > 1 else ()  # OpenCV's way to say one
    cv2.remap(
        images.reshape(-1, width, *channels),
        columns.reshape(-1, new_width),
        rows.reshape(-1, new_width),
        cv2.INTER_LINEAR,
        dst=out.reshape(-1, new_width, *channels),
        borderMode=cv2.BORDER_REPLICATE,
    )


def read_exactly(
    images: NDArray[np.generic],
    which: NDArray[np.int64],
    rows: Coordinates,
    columns: Coordinates,
) -> Images:
    """Pixels read with bilinear interpolation in float64, to the same bits as SciPy's.

    Args:
        images: `(images, height, width, channels)`, contiguous, of any dtype.
        which: the image that each pixel is of; it broadcasts to `rows`.
        rows: of any shape, from 0 to `height - 1`.
        columns: of the shape of `rows`, from 0 to `width - 1`.

    Returns:
        The shape of `rows`, and the channels.
    """
    _, height, width, channels = images.shape
    levels = images.reshape(-1)
    totals = np.zeros((*rows.shape, channels))
    for row, row_weight in _taps(rows, height):
        for column, column_weight in _taps(columns, width):
            first_channels = ((which * height + row) * width + column) * channels
            for channel in range(channels):
                tap = levels.take(first_channels + channel).astype(np.float64)
                tap *= row_weight
                tap *= column_weight
                totals[..., channel] += tap
    return totals.astype(np.float32)


def _taps(
    coordinates: Coordinates, length: int
) -> tuple[tuple[NDArray[np.int64], Coordinates], tuple[NDArray[np.int64], Coordinates]]:
    """The pixels before and after each place along an axis, and their weights."""
    whole = np.floor(coordinates)
    weight = 1.0 - (coordinates - whole)
    before = whole.astype(np.int64)
    # One beyond the last has weight 0.
    after = np.minimum(before + 1, length - 1)
    return (before, weight), (after, 1.0 - weight)
