"""Accuracy over the number of training images. Oracle: laws that the numbers were made with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnrun.ablation.analysis.arm_results import ArmResult, arm_result
from cnnrun.ablation.analysis.training_sizes import (
    Extrapolation,
    PowerLaw,
    extrapolate,
    size_curve,
)

from ..conftest import PlanStudy
from ..outcomes import outcomes_of

IMAGES = np.array([79.0, 157.0, 314.0, 628.0, 1257.0])
MORE = np.array([2514.0, 5028.0])
FOLDER = Path("experiments/study")
STUDY = """\
question: Would more images help?
factors:
  images:
    path: role.training_share
    values: {1/8: 0.125, 1/4: 0.25, half: 0.5, all: 1}
"""


def measured(law: PowerLaw, *, seeds: int, tested: int, draw: int) -> np.ndarray:
    """Mistakes `(sizes, seeds)` of networks of a law, on so many test images each."""
    random = np.random.default_rng(draw)
    harder = random.normal(0, 0.1, seeds) + random.normal(0, 0.1, (len(IMAGES), seeds))
    chance = law.errors(IMAGES)[:, None] * np.exp(harder - 0.01)
    return random.binomial(tested, np.minimum(chance, 1)) / tested


def from_law(law: PowerLaw, *, seeds: int = 7, tested: int = 10**7, draw: int = 0) -> Extrapolation:
    errors = measured(law, seeds=seeds, tested=tested, draw=draw)
    return extrapolate(IMAGES, errors, resamples=199)


@pytest.mark.parametrize("law", [(0.0, 0.1, 0.5), (0.05, 0.1, 0.7), (0.2, 0.05, 1.2)])
def test_a_law_without_noise_is_found_again(law: tuple[float, float, float]) -> None:
    known = PowerLaw(*law, images=1257.0)
    errors = np.repeat(known.errors(IMAGES)[:, None], 5, axis=1)
    found = extrapolate(IMAGES, errors, resamples=9)
    assert vars(found.law) == pytest.approx(vars(known), abs=2e-3)
    accuracies = [found.twice.accuracy.value, found.four_times.accuracy.value]
    assert accuracies == pytest.approx((1 - known.errors(MORE)).tolist(), abs=1e-4)
    assert found.off.value == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("law", "advice"),
    [
        # Twice as many images take away 39 % of the mistakes; or none.
        (PowerLaw(0.0, 0.1, 0.7, 1257.0), "more images"),
        (PowerLaw(0.2, 0.0, 1.0, 1257.0), "another network"),
    ],
)
def test_the_advice_is_what_the_law_says(law: PowerLaw, advice: str) -> None:
    assert from_law(law).advice == advice


def test_where_the_curve_bends_nothing_is_promised() -> None:
    """Falling at first and then rising: no inverse power law goes through."""
    errors = np.array([0.4, 0.2, 0.1, 0.05, 0.2])[:, None] + np.linspace(0, 0.01, 7)
    found = extrapolate(IMAGES, errors, resamples=99)
    assert not found.foretells
    assert found.advice == "open"


@pytest.mark.slow
def test_intervals_hold_what_is_true() -> None:
    """Of 80 simulated studies of 7 seeds, tested on 300 images each; 95 % are promised of each."""
    laws = [PowerLaw(0.0, 0.03, 0.8, 1257.0), PowerLaw(0.1, 0.15, 0.4, 1257.0)]
    held = []
    for draw in range(40):
        for law in laws:
            found = from_law(law, tested=300, draw=draw)
            true = 1 - law.errors(MORE)
            for point, accuracy in zip((found.twice, found.four_times), true, strict=True):
                held.append(point.accuracy.low <= accuracy <= point.accuracy.high)
    assert np.mean(held) >= 0.9


def sized(plan: PlanStudy, *, seeds: int = 5, text: str = STUDY) -> list[ArmResult]:
    """The arms of a study whose loss falls with the images, which the cells say."""
    planned = plan(f"{text}seeds: {seeds}\nresplit: true\n").plan
    shares = {arm.name: arm.config.data.train_share or 1.0 for arm in planned.arms}
    images = {name: 1000 * share for name, share in shares.items()}

    def loss(arm: str, seed: int) -> float:
        return shares[arm] ** -0.5 / 10 + 0.001 * seed

    found = [
        replace(each, values={**each.values, "training_images": images[each.arm]})
        for each in outcomes_of(planned, loss, FOLDER)
    ]
    return [
        arm_result(arm, [each for each in found if each.arm == arm.name]) for arm in planned.arms
    ]


def test_the_arms_of_a_study_become_a_curve(plan: PlanStudy) -> None:
    curve = size_curve(sized(plan))
    assert curve is not None
    assert [arm.images for arm in curve.arms] == [125, 250, 500, 1000]
    assert curve.fit is not None
    assert curve.fit.law.exponent == pytest.approx(0.5, abs=0.05)
    assert curve.fit.twice.images == 2000


def test_too_few_seeds_or_sizes_are_named(plan: PlanStudy) -> None:
    few_seeds = size_curve(sized(plan, seeds=4))
    few_sizes = size_curve(sized(plan, text=STUDY.replace("1/8: 0.125, ", "")))
    assert few_seeds is not None
    assert few_sizes is not None
    assert "5 seeds" in few_seeds.why_not
    assert "4 sizes" in few_sizes.why_not


def test_other_studies_have_no_curve(plan: PlanStudy) -> None:
    other = STUDY.replace("role.training_share", "train.epochs").replace(
        "{1/8: 0.125, 1/4: 0.25, half: 0.5, all: 1}", "[1, 2]"
    )
    assert size_curve(sized(plan, text=other)) is None
