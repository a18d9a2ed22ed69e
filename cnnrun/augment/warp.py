"""Images turned, shifted, sheared, zoomed and mirrored: what SciPy does in Keras, faster."""

import math
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.borders import bring_inside
from cnnrun.augment.geometry import Coordinates, Sources
from cnnrun.augment.sampling import (
    LARGEST_SIDE,
    read_exactly,
    read_fast,
    round_to_pixels,
    write_float32,
)

Images: TypeAlias = NDArray[np.float32]

Accuracy: TypeAlias = Literal["close", "whole", "exact"]
"""How close results are to SciPy's: within 0.008 levels; so close, and equal after their digits
behind the point are cut; to the bit."""

_SMALLEST_TILE = 16
_NEAR = 0.01  # more than what "close" results are off


def is_smooth(*, fill_mode: str, interpolation_order: int) -> bool:
    """Whether results never change at once with a place, so that it can be rounded."""
    return interpolation_order == 1 and fill_mode in ("nearest", "reflect")


def images_at_once(height: int, width: int) -> int:
    """How many images of a size a `Warp` takes in one call."""
    return max(1, LARGEST_SIDE // height) if width <= LARGEST_SIDE else 1


@final
class Warp:
    """Reads images at the places that they come from.

    It keeps the memory that it works in, which would otherwise cost as much as the work; each
    thread needs one of its own.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        *,
        fill_mode: str,
        cval: float,
        interpolation_order: int,
    ) -> None:
        """Prepare for images of one shape.

        Args:
            shape: (height, width, channels).
            fill_mode: what stands outside, see `bring_inside`.
            cval: the level outside, for "constant".
            interpolation_order: 0 for the nearest pixel, 1 for bilinear interpolation.
        """
        height, width, channels = shape
        self._fill_mode = fill_mode
        self._cval = cval
        self._is_nearest = interpolation_order == 0
        self._is_large = max(height, width) > LARGEST_SIDE
        pixels = images_at_once(height, width) * height * width
        if self._is_large:
            pixels = LARGEST_SIDE**2
        self._source = np.empty(pixels * channels, np.float32)
        self._coordinates = np.empty((2, pixels), np.float64)
        self._places = np.empty((2, pixels), np.float32)

    def __call__(
        self, out: Images, images: NDArray[Any], sources: Sources, *, accuracy: Accuracy
    ) -> None:
        """Write warped images.

        Args:
            out: `(images, height, width, channels)`, contiguous.
            images: `(images, height, width, channels)`, contiguous, no more than
                `images_at_once`.
            sources: where the pixels of `out` come from; rounded ones do for smooth results.
            accuracy: how close results are to SciPy's.
        """
        if not self._is_large:
            self._write(out, images, sources, accuracy=accuracy)
            return
        for down, across in _tiles(sources, out.shape):
            tile = np.empty_like(out[:, down, across])
            self._write(tile, images, sources.of_tile(down, across), accuracy=accuracy)
            out[:, down, across] = tile

    def _write(
        self, out: Images, images: NDArray[Any], sources: Sources, *, accuracy: Accuracy
    ) -> None:
        """Write warped images, or a tile of one image."""
        height, width = images.shape[1:3]
        fits_float32 = sources.of_rows.dtype == np.float32
        memory = self._places if fits_float32 else self._coordinates
        rows, columns = _reused(memory, out.shape[:3])
        sources.write(rows, 0)
        sources.write(columns, 1)
        outside = None
        if self._fill_mode == "constant":
            # SciPy does not blend: a thousandth of a pixel outside is outside.
            outside = (rows < 0) | (rows > height - 1)
            outside |= (columns < 0) | (columns > width - 1)
        for places, length in ((rows, height), (columns, width)):
            bring_inside(places, length, self._fill_mode)
            if self._is_nearest:
                round_to_pixels(places)
        self._read(out, images, rows, columns, accuracy=accuracy)
        if outside is not None:
            out[outside] = self._cval

    def _read(
        self,
        out: Images,
        images: NDArray[Any],
        rows: NDArray[Any],
        columns: NDArray[Any],
        *,
        accuracy: Accuracy,
    ) -> None:
        """Read images at places within them; the places are changed."""
        kept = (rows.copy(), columns.copy()) if accuracy == "whole" else None
        if accuracy == "exact" or not self._read_fast(out, images, rows, columns):
            every = np.arange(len(images))[:, None, None]
            out[...] = read_exactly(images, every, rows, columns)
        elif kept is not None:
            _correct_whole_levels(out, images, *kept)

    def _read_fast(
        self, out: Images, images: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]
    ) -> bool:
        """Read the part of the images where the places are, unless it is too large."""
        top = left = 0
        bottom, right = images.shape[1:3]
        if self._is_large:
            top, left = int(rows.min()), int(columns.min())
            bottom, right = int(rows.max()) + 2, int(columns.max()) + 2
            if max(bottom - top, right - left) > LARGEST_SIDE:
                return False
        part = images[:, top:bottom, left:right]
        source = self._source[: part.size].reshape(part.shape)
        source[...] = part
        tops = np.arange(len(part))[:, None, None] * part.shape[1]
        float_rows, float_columns = _reused(self._places, rows.shape)
        write_float32(float_rows, rows, tops - top)
        write_float32(float_columns, columns, -left)
        read_fast(out, source, float_rows, float_columns)
        return True


def _correct_whole_levels(
    out: Images, images: NDArray[Any], rows: Coordinates, columns: Coordinates
) -> None:
    """Read exactly what may be on the other side of a whole number than SciPy's."""
    channels = out.shape[3]
    is_near = np.abs(out - np.rint(out)) < _NEAR
    pixels = np.flatnonzero(is_near) // channels
    which = pixels // (rows.size // len(rows))
    flat_rows, flat_columns = rows.reshape(-1)[pixels], columns.reshape(-1)[pixels]
    out.reshape(-1, channels)[pixels] = read_exactly(images, which, flat_rows, flat_columns)


def _reused(memory: NDArray[Any], shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Two arrays of a shape, in memory that is used again."""
    first, second = memory[:, : math.prod(shape)]
    return first.reshape(shape), second.reshape(shape)


def _tiles(sources: Sources, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Tiles of a large result, each of them read from a part of the image that is small."""
    _, height, width, _ = shape
    steps = (
        np.abs(np.diff(terms, axis=2, append=terms[..., -1:])).max(axis=2)
        for terms in (sources.of_rows, sources.of_columns)
    )
    spread = np.add(*steps).max()
    side = max(_SMALLEST_TILE, int((LARGEST_SIDE - 2) / max(spread, 1.0)))
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, top + side), slice(left, left + side)
