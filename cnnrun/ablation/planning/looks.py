"""Looks at a study before its last seed: how much each may spend, and which can find anything.

The spending function of Lan and DeMets (1983, Discrete sequential boundaries for clinical trials).
"""

import math
from collections.abc import Sequence
from typing import Final

from cnnrun.ablation.planning.contrasts import SIGNIFICANCE
from cnnrun.errors import StudyError

_ROUNDING: Final = 1e-12


def spent(alpha: float, *, share: float) -> float:
    """How much of `alpha` may be spent when a share of all seeds is there.

    Lan and DeMets' function in the manner of O'Brien and Fleming: little at first.
    """
    # Few studies have looks, and SciPy takes longer to load than all else that plans one.
    from scipy.special import ndtr, ndtri

    return 2 - 2 * float(ndtr(ndtri(1 - alpha / 2) / math.sqrt(share)))


def budget(alpha: float, *, share: float, vectors: int) -> int:
    """How many of so many sign vectors may be rejected when a share of all seeds is there."""
    return math.floor(spent(alpha, share=share) * vectors + _ROUNDING)


def can_reject(looks: Sequence[int], *, alpha: float) -> list[bool]:
    """Whether each look can reject anything at level `alpha`, whatever comes out.

    Without zero differences and ties, a look rejects sign vectors in pairs.
    """
    found, rejected, seeds_before = [], 0, 0
    for seeds in looks:
        rejected *= 2 ** (seeds - seeds_before)
        pairs = (budget(alpha, share=seeds / looks[-1], vectors=2**seeds) - rejected) // 2
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


def check_looks(looks: Sequence[int], *, seeds: int, contrasts: int) -> None:
    """Raise unless each look can find something and this number of seeds is one of them.

    Args:
        looks: the planned numbers of seeds; none for a study that is looked at once.
        seeds: the number of seeds that is asked for.
        contrasts: how many are tested together.

    Raises:
        StudyError: a look can reject nothing, or none is planned at this number.
    """
    if not looks:
        return
    alpha = SIGNIFICANCE / contrasts
    useless = [
        look for look, can in zip(looks, can_reject(looks, alpha=alpha), strict=True) if not can
    ]
    if useless:
        proposed = usable_looks(looks, alpha=alpha)
        of = "its contrast" if contrasts == 1 else f"any of its {contrasts} contrasts"
        instead = (
            f"write `looks: [{', '.join(map(str, proposed))}]`"
            if len(proposed) > 1
            else f"leave `looks` out and write `seeds: {proposed[0]}`"
        )
        raise StudyError.at(
            "looks",
            rule="each look must be able to tell something from chance",
            received=f"one at {useless[0]} of {looks[-1]} seeds, by when the part of 5 % that may"
            f" be spent is too small for {of}, whatever comes out",
            advice=instead,
        )
    if seeds < looks[-1] and seeds not in looks:
        raise StudyError.at(
            "--seeds",
            rule="a study with planned looks is looked at there and nowhere else: at"
            f" {', '.join(map(str, looks))} seeds",
            received=str(seeds),
            advice="ask for one of these",
        )
