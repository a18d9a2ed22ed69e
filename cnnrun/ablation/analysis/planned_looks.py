"""Looks at a study before its last seed, planned beforehand, whose claims hold together.

Exact and conditional on the sizes of the differences (Lin, Wei and DeMets 1991, Exact statistical
inference for group sequential trials): the sign-flip test at each look spends a part of alpha that
grows as seeds come in, see cnnrun/ablation/planning/looks.py, and what an earlier look would have
rejected is not spent again.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cnnrun.ablation.analysis.paired_tests import Numbers, flipped_sums
from cnnrun.ablation.planning.looks import budget

_BISECTIONS: Final = 40
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Look:
    """What a look may reject.

    Attributes:
        pairs: how many there are at this look.
        critical_p: the largest p of the sign-flip test that it rejects; 0 where it can reject none.
        rejects: whether it rejects the observed differences.
    """

    pairs: int
    critical_p: float
    rejects: bool


def looks_at(
    differences: Sequence[float],
    *,
    pairs: Sequence[int],
    shares: Sequence[float],
    alpha: float,
) -> list[Look]:
    """What each look so far may reject at level `alpha` over all looks, and whether it does.

    Args:
        differences: one a pair, in the order of the seeds.
        pairs: how many of them each look so far has, rising; the last has all.
        shares: the share of all planned seeds at each of these looks.
        alpha: the level, over all looks.
    """
    return list(_looks(_sums(differences, pairs), pairs, shares, alpha))


def sequential_p(
    differences: Sequence[float],
    *,
    pairs: Sequence[int],
    shares: Sequence[float],
    other_p: Sequence[float],
    signs_count: bool,
) -> float:
    """The smallest level, over all looks, at which some look so far rejects.

    Args:
        differences: one a pair, in the order of the seeds.
        pairs: how many of them each look so far has, rising; the last has all.
        shares: the share of all planned seeds at each of these looks.
        other_p: another test's p at each of these looks, which has to pass the look's critical p as
            well, such as the one over seeds and images; 0 where there is none.
        signs_count: whether the sign-flip test itself has to reject.
    """
    sums = _sums(differences, pairs)

    def rejects(alpha: float) -> bool:
        return any(
            (look.rejects or not signs_count) and look.critical_p > 0 and other <= look.critical_p
            for look, other in zip(_looks(sums, pairs, shares, alpha), other_p, strict=True)
        )

    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if rejects(middle) else (middle, high)
    return high


def _sums(differences: Sequence[float], pairs: Sequence[int]) -> list[Numbers]:
    """The sizes of the sums of all sign vectors at each look, the observed one first.

    The vectors are those of all pairs; an earlier look reads their beginnings.
    """
    values = np.asarray(differences, dtype=np.float64)
    return [np.abs(flipped_sums(values, first=number)) for number in pairs]


def _looks(
    sums: Sequence[Numbers], pairs: Sequence[int], shares: Sequence[float], alpha: float
) -> Iterator[Look]:
    rejected = np.zeros(len(sums[0]), dtype=bool)
    for number, share, sizes in zip(pairs, shares, sums, strict=True):
        left = budget(alpha, share=share, vectors=len(sizes)) - int(rejected.sum())
        edge = _edge(sizes[~rejected], left) + _ROUNDING * float(sizes.max())
        beyond = sizes > edge
        yield Look(number, float(beyond.mean()), bool(beyond[0] and not rejected[0]))
        rejected |= beyond


def _edge(sizes: Numbers, left: int) -> float:
    """The largest size that is not rejected any more; what equals it is not rejected either."""
    if left <= 0:
        return math.inf
    if left >= len(sizes):
        return -1.0
    return float(np.partition(sizes, len(sizes) - left - 1)[len(sizes) - left - 1])
