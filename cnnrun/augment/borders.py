"""What stands beyond the borders of an image, as SciPy fills it (`map_coordinate` in ndimage)."""

import numpy as np
from numpy.typing import NDArray

Coordinates = NDArray[np.float64]


def bring_inside(coordinates: Coordinates, length: int, fill_mode: str) -> None:
    """Move coordinates to the place within an axis whose value stands for them.

    Args:
        coordinates: changed in place; afterwards they are from 0 to `length - 1`.
        length: pixels along the axis.
        fill_mode: "nearest", "reflect", "wrap", or "constant", for which they become the nearest:
            whoever calls paints over what was outside.
    """
    if fill_mode in ("reflect", "wrap") and length > 1:
        flat = coordinates.reshape(-1)
        outside = np.flatnonzero((flat < 0) | (flat > length - 1))
        fold = _reflected if fill_mode == "reflect" else _wrapped
        flat[outside] = fold(flat[outside], length)
    np.clip(coordinates, 0, length - 1, out=coordinates)


def _reflected(coordinates: Coordinates, length: int) -> Coordinates:
    """D c b a | a b c d | d c b a, the border standing half a pixel beyond the last pixel."""
    period = 2 * length
    below = np.where(
        coordinates < -period,
        coordinates + period * np.floor(-coordinates / period),
        coordinates,
    )
    below = np.where(below < -length, below + period, -below - 1)
    above = coordinates - period * np.floor(coordinates / period)
    above = np.where(above >= length, period - above - 1, above)
    folded: Coordinates = np.where(coordinates < 0, below, above)
    return folded


def _wrapped(coordinates: Coordinates, length: int) -> Coordinates:
    """A b c d | b c d | b c d: the last pixel stands where the first one comes again."""
    period = length - 1
    below = coordinates + period * (np.floor(-coordinates / period) + 1)
    above = coordinates - period * np.floor(coordinates / period)
    folded: Coordinates = np.where(coordinates < 0, below, above)
    return folded
