"""What the runs say of a contrast: over seeds, over seeds and images, and how its sides behave."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cnnrun.ablation.analysis.conservative_intervals import ConservativeTest, conservative_test
from cnnrun.ablation.analysis.crossed_intervals import (
    CrossedContrast,
    crossed_contrast,
    detectable,
)
from cnnrun.ablation.analysis.image_values import ImageValues
from cnnrun.ablation.analysis.paired_tests import (
    PairedTest,
    equivalence_p,
    paired_test,
    sign_flip_p,
)
from cnnrun.ablation.analysis.planned_looks import sequential_p
from cnnrun.ablation.analysis.tuning import TuningError
from cnnrun.ablation.analysis.unlike_arms import Wins, spread_ratio, wins
from cnnrun.ablation.planning.contrasts import SIGNIFICANCE
from cnnrun.ablation.planning.plan import Contrast, Repetition

CONFIDENCE = 1 - SIGNIFICANCE


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The tested metric of a study's runs.

    Attributes:
        values: arm -> seed -> the metric; a failed run is in none.
        images: the same of every test image, where it can be had.
        diverged: arm -> the seeds with which it diverged.
        seeds: all seeds, in the order in which they were planned.
        fewer_is_better: which direction is better.
        repetition: what a seed draws anew, and when the study is looked at.
        tuning_variances: arm -> the variance of its mean by the choice of its tuned value.
        tuning_freedom: the degrees of freedom of these.
        guessing: what guessing evenly scores; None where that is not known.
    """

    values: Mapping[str, Mapping[int, float]]
    images: ImageValues
    diverged: Mapping[str, frozenset[int]]
    seeds: Sequence[int]
    fewer_is_better: bool
    repetition: Repetition
    tuning_variances: Mapping[str, float] = field(default_factory=dict)
    tuning_freedom: int = 1
    guessing: float | None = None

    @property
    def is_one_test(self) -> bool:
        """Whether all runs test the same images, so that seeds can be flipped."""
        return not self.repetition.draws_splits or self.images.is_one_test

    def mean(self, arm: str, seeds: Sequence[int]) -> float:
        """The mean of an arm over these seeds."""
        return math.fsum(self.values[arm][seed] for seed in seeds) / len(seeds)

    def tuning_error(self, contrast: Contrast) -> TuningError:
        """How much the choice of tuned values adds to the error of a contrast."""
        variance = math.fsum(
            weight**2 * self.tuning_variances.get(arm, 0.0)
            for arm, weight in contrast.weights.items()
        )
        return TuningError(variance, self.tuning_freedom)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A contrast with what its pairs say; of pairs in which all its arms converged.

    Attributes:
        contrast: the contrast.
        seeds: those of its pairs.
        differences: the weighted sum of the arms' values, one a seed.
        test: of the differences over seeds, and tuned values; None for fewer than two pairs.
        crossed: over seeds and images; None where the metric cannot be had image by image.
        conservative: Nadeau and Bengio's; None where a seed draws no new split.
        seeds_p: of no difference over seeds alone, over all looks; None where it is not exact.
        p: of no difference for such images, as far as it can be told: the larger of both.
        reaches_images: whether `p` speaks of such images, not of these alone.
        wins: how many pairs the first side won; None for no pair.
        spread_ratio: how many times as much the first side varies over seeds as the second.
        diverged: arm -> with how many of the seeds it diverged.
        could_find: the true difference that such a study finds in four of five cases; None for
            fewer than two pairs.
    """

    contrast: Contrast
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    test: PairedTest | None
    crossed: CrossedContrast | None
    conservative: ConservativeTest | None
    seeds_p: float | None
    p: float
    reaches_images: bool
    wins: Wins | None
    spread_ratio: float
    diverged: Mapping[str, int]
    could_find: float | None

    @property
    def diverged_sides(self) -> tuple[bool, bool]:
        """Whether any arm that is added diverged, and any that is subtracted."""
        weights = self.contrast.weights
        return (
            any(weights[arm] > 0 for arm in self.diverged),
            any(weights[arm] < 0 for arm in self.diverged),
        )

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval that reaches furthest of those that there are."""
        if self.crossed is not None:
            return self.crossed.interval(confidence=CONFIDENCE)
        if self.conservative is not None:
            return self.conservative.low, self.conservative.high
        if self.test is not None:
            return self.test.low, self.test.high
        return -math.inf, math.inf

    def equivalence_p(self, margin: float) -> float:
        """The p of a difference of at least `margin`: the largest of those tests that count."""
        found = []
        if self.seeds_p is not None:
            found.append(equivalence_p(self.differences, margin=margin))
        beyond = self.crossed or self.conservative
        if beyond is not None:
            found += [beyond.p_above(-margin), beyond.p_below(margin)]
        return max(found, default=1.0)


def evidence_of(contrast: Contrast, measured: Measured) -> Evidence:
    """What the runs say of a contrast."""
    weights, values = contrast.weights, measured.values
    there = [seed for seed in measured.seeds if all(seed in values[arm] for arm in weights)]
    lost = {arm: measured.diverged.get(arm, frozenset()) for arm in weights}
    seeds = tuple(seed for seed in there if not any(seed in each for each in lost.values()))
    differences = tuple(
        math.fsum(weight * values[arm][seed] for arm, weight in weights.items()) for seed in seeds
    )
    enough = len(seeds) > 1
    test = _over_seeds(contrast, differences, measured) if enough else None
    crossed = _crossed(contrast, seeds, measured) if enough else None
    conservative = _conservative(contrast, differences, measured) if enough else None
    seeds_p, p = _p_values(contrast, seeds, differences, measured)
    return Evidence(
        contrast=contrast,
        seeds=seeds,
        differences=differences,
        test=test,
        crossed=crossed,
        conservative=conservative,
        seeds_p=seeds_p,
        p=p,
        reaches_images=crossed is not None or conservative is not None,
        wins=wins(differences, fewer_is_better=measured.fewer_is_better) if seeds else None,
        spread_ratio=spread_ratio(weights, values, seeds) if enough else 1.0,
        diverged={arm: len(those) for arm, those in lost.items() if those},
        could_find=_could_find(test, crossed, conservative, measured.tuning_error(contrast)),
    )


def _over_seeds(contrast: Contrast, differences: Sequence[float], measured: Measured) -> PairedTest:
    test = paired_test(differences, confidence=CONFIDENCE)
    error = measured.tuning_error(contrast)
    low, high = error.interval(differences, confidence=CONFIDENCE)
    return replace(
        test,
        low=min(test.low, low),
        high=max(test.high, high),
        p=max(test.p, error.p(differences)),
    )


def _crossed(
    contrast: Contrast, seeds: Sequence[int], measured: Measured
) -> CrossedContrast | None:
    images, weights = measured.images, contrast.weights
    if images.why_not or not seeds:
        return None
    rows = [sum(w * images.values[arm][seed] for arm, w in weights.items()) for seed in seeds]
    found = crossed_contrast(np.asarray(rows, dtype=np.float64))
    return found.with_tuning(measured.tuning_error(contrast))


def _conservative(
    contrast: Contrast, differences: Sequence[float], measured: Measured
) -> ConservativeTest | None:
    if measured.is_one_test:
        return None
    repetition = measured.repetition
    return conservative_test(
        differences,
        tested=repetition.tested_share,
        trained=repetition.trained_share,
        confidence=CONFIDENCE,
        tuning=measured.tuning_error(contrast),
    )


def _p_values(
    contrast: Contrast,
    seeds: Sequence[int],
    differences: Sequence[float],
    measured: Measured,
) -> tuple[float | None, float]:
    """The p over seeds, None where signs cannot be flipped, and the claim's; over all looks."""
    if len(seeds) < 2:
        return (1.0 if measured.is_one_test else None), 1.0
    reached = _pairs_at_looks(seeds, measured)
    other = [
        _other_p(contrast, seeds[:pairs], differences[:pairs], measured) for pairs, _ in reached
    ]

    def over_looks(other_p: Sequence[float]) -> float:
        return sequential_p(
            differences,
            pairs=[pairs for pairs, _ in reached],
            shares=[share for _, share in reached],
            other_p=other_p,
            signs_count=measured.is_one_test,
        )

    if not measured.is_one_test:
        return None, over_looks(other) if measured.repetition.looks else other[-1]
    error = measured.tuning_error(contrast)
    if measured.repetition.looks:
        tuned = [error.p(differences[:pairs]) for pairs, _ in reached]
        return over_looks(tuned), over_looks(list(map(max, tuned, other)))
    alone = max(sign_flip_p(differences), error.p(differences))
    return alone, max(alone, other[-1])


def _pairs_at_looks(seeds: Sequence[int], measured: Measured) -> list[tuple[int, float]]:
    """How many pairs each look so far has, and the share of all planned seeds that it is at."""
    looks = measured.repetition.looks
    if not looks:
        return [(len(seeds), 1.0)]
    done = [look for look in looks if look <= len(measured.seeds)]
    pairs = [len([seed for seed in seeds if seed in measured.seeds[:look]]) for look in done]
    return [(number, look / looks[-1]) for number, look in zip(pairs, done, strict=True)]


def _other_p(
    contrast: Contrast, seeds: Sequence[int], differences: Sequence[float], measured: Measured
) -> float:
    """The p over seeds and images, or the conservative one; 0 where there is neither."""
    if len(seeds) < 2:
        return 1.0
    beyond = _crossed(contrast, seeds, measured) or _conservative(contrast, differences, measured)
    if beyond is None:
        return 0.0
    return beyond.p() if isinstance(beyond, CrossedContrast) else beyond.p


def _could_find(
    test: PairedTest | None,
    crossed: CrossedContrast | None,
    conservative: ConservativeTest | None,
    tuning: TuningError,
) -> float | None:
    if test is None:
        return None
    if crossed is not None:
        return crossed.could_find
    if conservative is not None:
        return detectable(variance=conservative.variance, freedom=conservative.freedom)
    variance, freedom = tuning.added_to(test.deviation**2 / test.pairs, test.pairs - 1)
    return detectable(variance=variance, freedom=freedom)
