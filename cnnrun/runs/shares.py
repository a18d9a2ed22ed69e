"""Shares of images, such as an accuracy, and how far they may be trusted."""

import math
from typing import Final

_NORMAL_QUANTILE: Final = 1.959963984540054
"""Of 97.5 %."""


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share.

    Written out, for SciPy has it in `scipy.stats` alone, which takes half a second to load: too
    much at the end of every training, and for a page. Its source: E. B. Wilson, "Probable
    inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927), 209-212.

    Args:
        successes: how many images are of the share.
        trials: how many there are, at least one.
    """
    share, square = successes / trials, _NORMAL_QUANTILE**2
    denominator = 2 * (trials + square)
    center = (2 * trials * share + square) / denominator
    reach = _NORMAL_QUANTILE / denominator * math.sqrt(4 * trials * share * (1 - share) + square)
    return (
        0.0 if successes == 0 else center - reach,
        1.0 if successes == trials else center + reach,
    )
