"""Paired differences: the sign-flip test, the interval that it implies, Holm's correction.

The test supposes that under no effect a difference is as likely to be negative as positive, which
holds by design where two arms are exchangeable within a seed; no distribution is supposed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

MOST_EXACT: Final = 20
"""Up to so many pairs all sign flips are counted; of more, `_DRAWS` random ones."""
_DRAWS: Final = 2**14
_DRAW_SEED: Final = 20_260_101
# Differences of sums that are equal up to rounding count as equal.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class PairedTest:
    """What pairs say about a difference.

    Attributes:
        pairs: how many there are.
        non_zero: how many differ at all; the smallest p that they can have is 2 / 2^non_zero.
        mean: of the differences.
        deviation: their sample standard deviation; NaN for one pair.
        effect: mean / deviation; NaN where the deviation is 0 but for rounding.
        low: the lower end of the interval; -infinity where the pairs are too few for one.
        high: its upper end.
        p: the two-sided p of the sign-flip test.
    """

    pairs: int
    non_zero: int
    mean: float
    deviation: float
    effect: float
    low: float
    high: float
    p: float


def paired_test(differences: Sequence[float], *, confidence: float) -> PairedTest:
    """The sign-flip test of paired differences, and the interval at `confidence` that fits it.

    Args:
        differences: one a pair, finite; at least one.
        confidence: such as 0.95.
    """
    values = np.asarray(differences, dtype=np.float64)
    mean = float(values.mean())
    deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    low, high = sign_flip_interval(values, confidence=confidence)
    return PairedTest(
        pairs=len(values),
        non_zero=int(np.count_nonzero(values)),
        mean=mean,
        deviation=deviation,
        effect=mean / deviation if deviation > _ROUNDING * abs(mean) else math.nan,
        low=low,
        high=high,
        p=sign_flip_p(values),
    )


def sign_flip_p(differences: Sequence[float] | Numbers) -> float:
    """The share of sign flips whose sum is at least as far from 0 as the one observed.

    The identity is among them, so p is at least 2 / 2^n; zeros stay zeros and make it larger
    (Fisher 1935, The Design of Experiments, section 21).
    """
    values = np.asarray(differences, dtype=np.float64)
    observed = abs(float(values.sum()))
    sums = np.abs(flipped_sums(values, first=len(values)))
    return float(np.count_nonzero(sums >= observed - _slack(values))) / len(sums)


def one_sided_p(differences: Sequence[float] | Numbers) -> float:
    """The share of sign flips whose sum is at least the one observed: small where it is above 0."""
    values = np.asarray(differences, dtype=np.float64)
    sums = flipped_sums(values, first=len(values))
    return float(np.count_nonzero(sums >= float(values.sum()) - _slack(values))) / len(sums)


def equivalence_p(differences: Sequence[float] | Numbers, *, margin: float) -> float:
    """The p of a mean difference of at least `margin` to either side: small where it is within.

    The larger of two one-sided tests (Schuirmann 1987): of both nulls at most one is true, so
    neither is corrected for the other.
    """
    values = np.asarray(differences, dtype=np.float64)
    return max(one_sided_p(values + margin), one_sided_p(margin - values))


def flipped_sums(values: Numbers, *, first: int) -> Numbers:
    """The sum of the first values under every flip of all their signs, the observed one first."""
    counted = np.where(np.arange(len(values)) < first, values, 0.0)
    # A flip of the subset S changes the sum to total - 2 * sum(S).
    sums: Numbers = counted.sum() - 2 * _subset_sums(counted)
    return sums


def sign_flip_interval(
    differences: Sequence[float] | Numbers, *, confidence: float
) -> tuple[float, float]:
    """The mean differences that the sign-flip test does not reject at 1 - confidence.

    Shifting the differences by d leaves p above alpha as long as d is neither among the
    floor(alpha * 2^n / 2) - 1 smallest nor the as many largest means of subsets (Hartigan 1969,
    Using subsample values as typical values). So 0 lies outside just when p is at most alpha.

    Returns:
        Both ends; infinite where the pairs are too few to reject anything.
    """
    values = np.asarray(differences, dtype=np.float64)
    sums, counts = _subset_sums(values), _subset_counts(len(values))
    # What is 0 but for rounding is 0 for the test as well.
    sums = np.where(np.abs(sums) <= _slack(values), 0.0, sums)
    means = np.sort(sums[counts > 0] / counts[counts > 0])
    # Half of alpha lies on each side; rounding must not lose a whole number.
    tail = math.floor((1 - confidence) / 2 * len(sums) + _ROUNDING)
    if tail < 1:
        return -math.inf, math.inf
    return float(means[tail - 1]), float(means[-tail])


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given (Holm 1979).

    A hypothesis is rejected at level alpha, over all together, when its adjusted p is at most
    alpha.
    """
    number = len(p_values)
    adjusted = [0.0] * number
    largest = 0.0
    for rank, index in enumerate(sorted(range(number), key=lambda each: p_values[each])):
        largest = max(largest, min(1.0, (number - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _subset_sums(values: Numbers) -> Numbers:
    """The sum of every subset, the empty one first; of random ones where they are too many."""
    if len(values) > MOST_EXACT:
        sums: Numbers = _drawn_subsets(len(values)) @ values
        return sums
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def _subset_counts(number: int) -> Numbers:
    """How many values each of `_subset_sums` is the sum of."""
    return _subset_sums(np.ones(number))


@cache
def _drawn_subsets(number: int) -> NDArray[Any]:
    """Random subsets as rows of 0 and 1, the empty one first, which is the data themselves.

    Each stands beside its complement, whose flip is the opposite: so half of what the test counts
    lies on either side, as it does where all subsets are counted, and the interval fits the test.
    """
    random = np.random.default_rng(_DRAW_SEED)
    drawn = random.integers(0, 2, size=(_DRAWS // 2, number), dtype=np.int8)
    drawn[0] = 0
    # The data themselves are there once.
    again = (drawn == drawn[:, :1]).all(axis=1)
    again[0] = False
    kept = drawn[~again]
    return np.concatenate([kept, 1 - kept]).astype(np.float64)


def _slack(values: Numbers) -> float:
    return _ROUNDING * float(np.abs(values).sum())
