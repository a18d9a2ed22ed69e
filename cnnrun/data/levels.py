"""Which numbers of an image stand for black and white, as far as the numbers themselves tell."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def lowest_and_highest(values: Array) -> tuple[float, float]:
    """The lowest and the highest number, those aside that are none."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def likely_range(low: float, high: float, *, is_whole: bool) -> tuple[float, float]:
    """The values that probably stand for black and white, of images with these values.

    Whole numbers from 0 on are of so many bits, few ones are taken as they are; fractions up to 1
    are shares. Otherwise black is the lowest, white the highest.
    """
    if high <= low:
        return low, low + 1
    white = 1.0 if high <= 1 else high
    if is_whole and high >= 2**6:
        white = float(2 ** int(high).bit_length() - 1)
    uses_enough = low >= 0 and high - low >= white / 4
    return (0.0, white) if uses_enough else (low, high)
