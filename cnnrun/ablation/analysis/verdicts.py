"""What may be said of a contrast, and what may not."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from cnnrun.ablation.analysis.evidence import Evidence, Measured, evidence_of
from cnnrun.ablation.analysis.paired_tests import holm
from cnnrun.ablation.analysis.unlike_arms import (
    FEWEST_CONVERGED,
    unseen_divergence,
    varies_too_differently,
    varies_too_much,
)
from cnnrun.ablation.planning.contrasts import SIGNIFICANCE, fewest_seeds
from cnnrun.ablation.planning.plan import Contrast

Direction = Literal["better", "worse", "larger", "smaller"]
Verdict = (
    Direction | Literal["equivalent", "these images only", "undecided", "withheld", "not tested"]
)
NEXT_LOOK: Final = "the next look"
"""How the reason begins where a study is not over."""
_MANY_TIMES: Final = 99
FEWEST_IMAGES: Final = 5
"""On fewer effective images nothing is said about such images."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A contrast with what may be said of it.

    Attributes:
        evidence: what its pairs say.
        adjusted_p: Holm's, over the declared contrasts; None for what is not tested.
        adjusted_seeds_p: Holm's of the p over seeds alone; None where that is not exact.
        adjusted_equivalence_p: Holm's of the p of a difference beyond the margin; None without one.
        verdict: for a difference of arms "better" or "worse", for one of two differences, where
            neither direction is good, "larger" or "smaller": for such images. "these images only"
            where seeds alone tell a difference, "withheld" where a mean should not be spoken of.
        why: the reason where nothing is claimed; empty elsewhere.
    """

    evidence: Evidence
    adjusted_p: float | None
    adjusted_seeds_p: float | None
    adjusted_equivalence_p: float | None
    verdict: Verdict
    why: str

    @property
    def contrast(self) -> Contrast:
        """The contrast."""
        return self.evidence.contrast


def findings(
    contrasts: Sequence[Contrast],
    measured: Measured,
    *,
    margin: float | None,
    has_added_seeds: bool,
) -> tuple[Finding, ...]:
    """A finding for each contrast; the declared ones are tested as one family for each claim.

    Args:
        contrasts: declared ones, and others, which are only described.
        measured: the tested metric.
        margin: the smallest difference that matters, if one was declared.
        has_added_seeds: whether there are seeds that no plan had.
    """
    every = [evidence_of(contrast, measured) for contrast in contrasts]
    withheld = [_why_withheld(each, measured) for each in every]
    adjusted = _adjusted(every, withheld, measured, margin=margin)
    return tuple(
        _finding(
            each,
            withheld[number],
            adjusted.get(number),
            measured,
            family=len(adjusted),
            has_added_seeds=has_added_seeds,
        )
        for number, each in enumerate(every)
    )


class _Adjusted(NamedTuple):
    """Holm's p of a contrast for each claim; of equivalence None without a margin."""

    p: float
    seeds_p: float
    equivalence_p: float | None


def _adjusted(
    every: Sequence[Evidence], withheld: Sequence[str], measured: Measured, *, margin: float | None
) -> dict[int, _Adjusted]:
    """The adjusted p of the declared contrasts, by their places; a family for each claim."""
    declared = [number for number, each in enumerate(every) if each.contrast.is_declared]

    def family(p_of: Callable[[Evidence], float]) -> list[float]:
        # What is withheld or has no pairs stays in the family: to lose it must not make the others
        # easier to claim.
        return holm([1.0 if withheld[number] else p_of(every[number]) for number in declared])

    p = family(lambda each: each.p)
    seeds_p = family(lambda each: 1.0 if each.seeds_p is None else each.seeds_p)
    equivalence_p: Sequence[float | None] = [None] * len(declared)
    if margin:
        equivalence_p = family(lambda each: _equivalence_p(each, margin, measured))
    return dict(zip(declared, map(_Adjusted, p, seeds_p, equivalence_p), strict=True))


def _finding(
    each: Evidence,
    withheld: str,
    adjusted: _Adjusted | None,
    measured: Measured,
    *,
    family: int,
    has_added_seeds: bool,
) -> Finding:
    """What may be said of a contrast; `adjusted` is None for one that was not declared."""
    why = _why_not_tested(each, has_added_seeds=has_added_seeds)
    verdict: Verdict = "not tested"
    if not why and withheld:
        verdict, why = "withheld", withheld
    elif not why and adjusted is not None:
        verdict = _verdict(
            each,
            adjusted_p=adjusted.p,
            adjusted_seeds_p=adjusted.seeds_p,
            equivalence_p=1.0 if adjusted.equivalence_p is None else adjusted.equivalence_p,
            fewer_is_better=measured.fewer_is_better,
        )
        why = _why_open(each, verdict, measured, family=family)
    counted = adjusted if each.test is not None and not withheld else None
    return Finding(
        evidence=each,
        adjusted_p=counted and counted.p,
        adjusted_seeds_p=counted and (None if each.seeds_p is None else counted.seeds_p),
        adjusted_equivalence_p=counted and counted.equivalence_p,
        verdict=verdict,
        why=why,
    )


def is_difference_of_differences(contrast: Contrast) -> bool:
    """Whether no direction of it is good by itself: it compares how much other things matter."""
    positive = sum(weight for weight in contrast.weights.values() if weight > 0)
    return positive > 1 + 1e-9


def direction_of(contrast: Contrast, mean: float, *, fewer_is_better: bool) -> Direction:
    """What to call a mean difference that is there."""
    if is_difference_of_differences(contrast):
        return "larger" if mean > 0 else "smaller"
    return "better" if (mean < 0) == fewer_is_better else "worse"


def _why_not_tested(evidence: Evidence, *, has_added_seeds: bool) -> str:
    if evidence.contrast.beside:
        return f"it stands beside “{evidence.contrast.beside}”, which is the one that is tested"
    if not evidence.contrast.is_declared:
        return "it was not among the contrasts that were declared before the start"
    if has_added_seeds:
        return "seeds were added after the plan, and looking twice finds too much"
    if evidence.test is None and not evidence.diverged:
        return "fewer than two of its pairs were trained"
    return ""


def _why_withheld(evidence: Evidence, measured: Measured) -> str:
    """Why nothing is said of the mean; empty where something may be."""
    first, second = evidence.diverged_sides
    if first or second:
        counts = " and ".join(
            f"`{arm}` diverged {'once' if number == 1 else f'{number} times'}"
            for arm, number in evidence.diverged.items()
        )
        if first != second:
            other = "the other side" if len(evidence.contrast.weights) == 2 else "the other arms"
            return (
                f"{counts} and {other} never: a mean over the runs that converged would leave out"
                " what matters"
            )
        pairs = len(evidence.seeds)
        if pairs < FEWEST_CONVERGED:
            return (
                f"{counts}: with {pairs} {'pair' if pairs == 1 else 'pairs'} in which all"
                f" converged, nothing can be told from chance; it takes {FEWEST_CONVERGED}"
            )
    # What cannot be told from chance is undecided, however its sides vary.
    least_p = evidence.p if evidence.seeds_p is None else min(evidence.p, evidence.seeds_p)
    if evidence.test is None or least_p > SIGNIFICANCE:
        return ""
    first_is_better = (evidence.test.mean < 0) == measured.fewer_is_better
    if varies_too_much(
        evidence.spread_ratio, first_is_better=first_is_better
    ) and not _outlasts_bad_runs(evidence, measured, first_is_better=first_is_better):
        better, other = _sides(evidence.contrast, first_is_better=first_is_better)
        ratio = evidence.spread_ratio
        varies = (
            f"varies over seeds, and {other} does not"
            if ratio in (0.0, math.inf)
            else f"varies {_times(max(ratio, 1 / ratio))} as much over seeds as {other}"
        )
        return (
            f"{better} {varies}: with {len(evidence.seeds)} seeds a rare bad one would not have"
            " been seen, so nothing is said of the mean"
        )
    return ""


def _outlasts_bad_runs(evidence: Evidence, measured: Measured, *, first_is_better: bool) -> bool:
    """Whether a difference would remain if the better side had as many bad runs as could be unseen.

    A bad run learns nothing, and scores what guessing does. So it is where the other side has not
    learnt: nothing worse than that could have been seen of this one. Where a pair was lost, a bad
    run may have been seen, and more of them may be to come than the bound of none says.
    """
    won = evidence.wins
    if evidence.test is None or measured.guessing is None or won is None:
        return False
    if won.won != (won.pairs if first_is_better else 0) or won.equal:
        return False
    sign = 1 if first_is_better else -1
    lost = math.fsum(
        abs(weight) * abs(measured.guessing - measured.mean(arm, evidence.seeds))
        for arm, weight in evidence.contrast.weights.items()
        if weight * sign > 0
    )
    return abs(evidence.test.mean) > unseen_divergence(len(evidence.seeds)) * lost


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio < _MANY_TIMES else f"more than {_MANY_TIMES} times"


def _sides(contrast: Contrast, *, first_is_better: bool) -> tuple[str, str]:
    """What to call the side that looks better, and the other."""
    first = [f"`{arm}`" for arm, weight in contrast.weights.items() if weight > 0]
    second = [f"`{arm}`" for arm, weight in contrast.weights.items() if weight < 0]
    names = (
        (first[0], second[0])
        if len(first) == len(second) == 1
        else ("the side that is added", "the one that is subtracted")
    )
    return names if first_is_better else names[::-1]


def _equivalence_p(evidence: Evidence, margin: float | None, measured: Measured) -> float:
    looks = measured.repetition.looks
    # Alpha was not spent on it at earlier looks: it is claimed at the last one alone.
    if margin is None or evidence.test is None or (looks and len(measured.seeds) < looks[-1]):
        return 1.0
    if varies_too_differently(evidence.spread_ratio) or not evidence.reaches_images:
        return 1.0
    return evidence.equivalence_p(margin)


def _verdict(
    evidence: Evidence,
    *,
    adjusted_p: float,
    adjusted_seeds_p: float,
    equivalence_p: float,
    fewer_is_better: bool,
) -> Verdict:
    test = evidence.test
    if test is None:
        return "undecided"
    enough_images = evidence.crossed is None or evidence.crossed.effective_images >= FEWEST_IMAGES
    if enough_images and equivalence_p <= SIGNIFICANCE:
        return "equivalent"
    if enough_images and evidence.reaches_images and adjusted_p <= SIGNIFICANCE:
        return direction_of(evidence.contrast, test.mean, fewer_is_better=fewer_is_better)
    return "these images only" if adjusted_seeds_p <= SIGNIFICANCE else "undecided"


def _why_open(evidence: Evidence, verdict: Verdict, measured: Measured, *, family: int) -> str:
    """Why nothing could be found, where too few pairs differ; or what comes next."""
    test, looks = evidence.test, measured.repetition.looks
    if verdict != "undecided" or test is None:
        return ""
    later = [look for look in looks if look > len(measured.seeds)]
    if later:
        return f"{NEXT_LOOK} is at {later[0]} seeds (`--seeds {later[0]}`)"
    needed = fewest_seeds(family)
    if test.non_zero >= needed or not measured.is_one_test:
        return ""
    ties = test.pairs - test.non_zero
    return (
        f"{test.non_zero} differences{f' beside {ties} pairs that are equal' if ties else ''} are"
        f" too few: to tell anything from chance takes {needed}"
    )
