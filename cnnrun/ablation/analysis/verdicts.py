"""What may be said of a contrast, and what may not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cnnrun.ablation.analysis.paired_tests import PairedTest, holm, paired_test
from cnnrun.ablation.planning.contrasts import SIGNIFICANCE, fewest_seeds
from cnnrun.ablation.planning.plan import Contrast
from cnnrun.ablation.studies.study import Metric

Verdict = Literal["better", "worse", "larger", "smaller", "undecided", "equivalent", "not tested"]


@dataclass(frozen=True)
class Finding:
    """A contrast with what its pairs say.

    Attributes:
        contrast: the contrast.
        seeds: those of its pairs.
        differences: the weighted sum of the arms' values, one a seed.
        test: of the differences; None where fewer than two pairs are left.
        adjusted_p: Holm's, over the declared contrasts; None for what is not tested.
        verdict: for a difference of arms "better" or "worse"; for one of two differences, where
            neither direction is good, "larger" or "smaller".
        why: the reason where nothing is claimed; empty elsewhere.
    """

    contrast: Contrast
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    test: PairedTest | None
    adjusted_p: float | None
    verdict: Verdict
    why: str


def findings(
    contrasts: Sequence[Contrast],
    values: Mapping[str, Mapping[int, float]],
    *,
    seeds: Sequence[int],
    metric: Metric,
    has_added_seeds: bool,
) -> tuple[Finding, ...]:
    """A finding for each contrast; the declared ones are tested as one family.

    Args:
        contrasts: declared ones, and others, which are only described.
        values: arm -> seed -> the metric; a seed that a failed cell leaves out makes no pair.
        seeds: all seeds.
        metric: which direction is better, and the margin of equivalence.
        has_added_seeds: whether there are seeds that the plan did not have.
    """
    pairs = [_pairs(contrast, values, seeds) for contrast in contrasts]
    declared = [number for number, contrast in enumerate(contrasts) if contrast.is_declared]
    confidence = 1 - SIGNIFICANCE
    tests = [
        paired_test(list(each.values()), confidence=confidence) if len(each) > 1 else None
        for each in pairs
    ]
    # A contrast without pairs stays in the family: to lose it must not make the others easier.
    p_values = [_p_of(tests[number]) for number in declared]
    adjusted = dict(zip(declared, holm(p_values), strict=True))
    found = []
    for number, contrast in enumerate(contrasts):
        test, differences = tests[number], tuple(pairs[number].values())
        why = _why_not_tested(test, contrast, has_added_seeds=has_added_seeds)
        verdict: Verdict = "not tested"
        if test is not None and not why:
            verdict = _verdict(
                contrast, test, differences, adjusted[number], metric, family=len(declared)
            )
        if test is not None and verdict == "undecided":
            why = _too_few(test, family=len(declared))
        found.append(
            Finding(
                contrast=contrast,
                seeds=tuple(pairs[number]),
                differences=differences,
                test=test,
                adjusted_p=adjusted.get(number) if test is not None else None,
                verdict=verdict,
                why=why,
            )
        )
    return tuple(found)


def is_difference_of_differences(contrast: Contrast) -> bool:
    """Whether no direction of it is good by itself: it compares how much other things matter."""
    positive = sum(weight for weight in contrast.weights.values() if weight > 0)
    return positive > 1 + 1e-9


def _pairs(
    contrast: Contrast, values: Mapping[str, Mapping[int, float]], seeds: Sequence[int]
) -> dict[int, float]:
    """Seed -> difference, for seeds that all arms of the contrast have."""
    arms = contrast.weights
    return {
        seed: math.fsum(weight * values[arm][seed] for arm, weight in arms.items())
        for seed in seeds
        if all(seed in values[arm] for arm in arms)
    }


def _p_of(test: PairedTest | None) -> float:
    return 1.0 if test is None else test.p


def _why_not_tested(test: PairedTest | None, contrast: Contrast, *, has_added_seeds: bool) -> str:
    if not contrast.is_declared:
        return "it was not among the contrasts that were declared before the start"
    if has_added_seeds:
        return "seeds were added after the plan, and looking twice finds too much"
    return "fewer than two of its pairs were trained" if test is None else ""


def _too_few(test: PairedTest, *, family: int) -> str:
    """Why nothing could be found, where the pairs that differ are too few for Holm's first step."""
    needed = fewest_seeds(family)
    if test.non_zero >= needed:
        return ""
    ties = test.pairs - test.non_zero
    return (
        f"{test.non_zero} differences{f' beside {ties} pairs that are equal' if ties else ''} are"
        f" too few: to tell anything from chance takes {needed}"
    )


def _verdict(
    contrast: Contrast,
    test: PairedTest,
    differences: Sequence[float],
    adjusted_p: float,
    metric: Metric,
    *,
    family: int,
) -> Verdict:
    if metric.margin is not None and not is_difference_of_differences(contrast):
        # At Bonferroni's level, so that all claims of equivalence hold together.
        each = paired_test(differences, confidence=1 - SIGNIFICANCE / family)
        if -metric.margin < each.low and each.high < metric.margin:
            return "equivalent"
    if adjusted_p > SIGNIFICANCE:
        return "undecided"
    if is_difference_of_differences(contrast):
        return "larger" if test.mean > 0 else "smaller"
    return "better" if (test.mean < 0) == (metric.direction == "lower") else "worse"
