"""Which numbers of an image stand for black and white, as far as the numbers themselves tell."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Range = tuple[float, float]

# A quarter of all levels: what 14 bits leave of 16, and 6 bits of 8.
FEW_LEVELS = 64


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


def uses_few_levels(found: Range | None, bits: int) -> bool:
    """Whether values use less than a quarter of what so many bits can hold.

    Of 16 bits it is what lies between lowest and highest that counts; of 8 the highest alone, for
    a low contrast is no mistake there. All black is no picture, which is another finding.
    """
    if found is None or found[1] <= 0:
        return False
    low, high = found if bits > 8 else (0, found[1])
    return bool((high - low) * 256 < 2**bits * FEW_LEVELS)
