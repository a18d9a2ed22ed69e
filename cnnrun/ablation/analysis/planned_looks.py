"""Looks at a study before its last seed, planned beforehand, whose claims hold together.

Exact and conditional on the sizes of the differences (Lin, Wei and DeMets 1991, Exact statistical
inference for group sequential trials), with the spending function of Lan and DeMets (1983,
Discrete sequential boundaries for clinical trials): the sign-flip test at each look spends a part
of alpha that grows as seeds come in, and what an earlier look would have rejected is not spent
again.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

from cnnrun.ablation.analysis.paired_tests import Numbers, flipped_sums

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


def spent(alpha: float, *, share: float) -> float:
    """How much of `alpha` may be spent when a share of all seeds is there.

    Lan and DeMets' function in the manner of O'Brien and Fleming: little at first.
    """
    return 2 - 2 * float(ndtr(ndtri(1 - alpha / 2) / math.sqrt(share)))


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
    if not rejects(high):
        return 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if rejects(middle) else (middle, high)
    return high


def can_reject(looks: Sequence[int], *, alpha: float) -> list[bool]:
    """Whether each look can reject anything at level `alpha`, whatever comes out.

    Without zero differences and ties, a look rejects sign vectors in pairs.
    """
    found, rejected, seeds_before = [], 0, 0
    for seeds in looks:
        rejected *= 2 ** (seeds - seeds_before)
        pairs = (_budget(alpha, seeds / looks[-1], 2**seeds) - rejected) // 2
        found.append(pairs > 0)
        rejected, seeds_before = rejected + 2 * max(pairs, 0), seeds
    return found


def usable_looks(looks: Sequence[int], *, alpha: float) -> tuple[int, ...]:
    """Looks that can reject, near those that are asked for, with the same last one if it can."""
    last = max(looks[-1], math.ceil(math.log2(2 / alpha)))
    earliest = next(
        seeds for seeds in range(2, last + 1) if can_reject((seeds, last), alpha=alpha)[0]
    )
    kept = sorted({max(seeds, earliest) for seeds in looks if seeds < last} | {last})
    while not all(can_reject(kept, alpha=alpha)):
        kept.pop(can_reject(kept, alpha=alpha).index(False))
    return tuple(kept)


def _budget(alpha: float, share: float, vectors: int) -> int:
    return math.floor(spent(alpha, share=share) * vectors + _ROUNDING)


def _sums(differences: Sequence[float], pairs: Sequence[int]) -> list[Numbers]:
    """Of each look the sizes of the sums of all sign vectors, the observed one first.

    The vectors are those of all pairs; an earlier look reads their beginnings.
    """
    values = np.asarray(differences, dtype=np.float64)
    return [np.abs(flipped_sums(values, first=number)) for number in pairs]


def _looks(
    sums: Sequence[Numbers], pairs: Sequence[int], shares: Sequence[float], alpha: float
) -> Iterator[Look]:
    rejected = np.zeros(len(sums[0]), dtype=bool)
    for number, share, sizes in zip(pairs, shares, sums, strict=True):
        budget = _budget(alpha, share, len(sizes)) - int(rejected.sum())
        edge = _edge(sizes[~rejected], budget) + _ROUNDING * float(sizes.max())
        beyond = sizes > edge
        yield Look(number, float(beyond.mean()), bool(beyond[0] and not rejected[0]))
        rejected |= beyond


def _edge(sizes: Numbers, budget: int) -> float:
    """The largest size that is not rejected any more; what equals it is not rejected either."""
    if budget <= 0:
        return math.inf
    if budget >= len(sizes):
        return -1.0
    return float(np.partition(sizes, len(sizes) - budget - 1)[len(sizes) - budget - 1])
