"""Wilson's interval of a share, and shares in words."""

import math
from typing import Final

_NORMAL_QUANTILE: Final = 1.959963984540054
"""Of 97.5 %."""


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share, as `evaluation.scores` has it of accuracy.

    Written out here, since a page of a run is to be there within a second and SciPy alone takes
    half of it to be loaded. Its source: Wilson 1927, Probable inference, the law of succession, and
    statistical inference.
    """
    if not trials:
        return 0.0, 1.0
    share, square = successes / trials, _NORMAL_QUANTILE**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = (
        _NORMAL_QUANTILE
        * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
        / (1 + square / trials)
    )
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == trials else middle + half
    return low, high


def percent(share: float) -> str:
    """A share such as "97.4 %"; what is not all or nothing is not rounded to it."""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"


def percent_interval(low: float, high: float) -> str:
    """Such as "95.7 to 99.2 %"."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"
