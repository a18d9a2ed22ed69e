"""The power that is announced is the share of simulated studies that find the difference."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nct, norm, t

from cnnrun.ablation.analysis.paired_tests import sign_flip_p
from cnnrun.ablation.analysis.power import MARGINS, equivalence_power_of, power_of
from cnnrun.ablation.analysis.tuning import TuningError, tuned_arm
from cnnrun.ablation.planning.contrasts import fewest_seeds
from cnnrun.ablation.planning.plan import TuningPlan


def t_test_power(*, pairs: int, effect: float, level: float = 0.05) -> float:
    """The power of the paired t test, whose assumptions the simulation fulfils."""
    critical = t.ppf(1 - level / 2, pairs - 1)
    return float(1 - nct.cdf(critical, pairs - 1, effect * pairs**0.5))


@pytest.mark.parametrize("pairs", [7, 10, 15])
def test_power_is_close_to_that_of_the_t_test(pairs: int) -> None:
    for power in power_of(pairs=pairs, contrasts=1):
        oracle = t_test_power(pairs=pairs, effect=power.effect)
        assert power.alone == pytest.approx(oracle, abs=0.06)
        assert power.corrected == power.alone


def test_seven_pairs_find_one_deviation_57_and_one_and_a_half_87_times_in_a_hundred() -> None:
    one, more = power_of(pairs=7, contrasts=3)
    assert (one.alone, more.alone) == pytest.approx((0.57, 0.87), abs=0.02)
    assert one.corrected < one.alone


def test_too_few_pairs_find_nothing() -> None:
    assert power_of(pairs=6, contrasts=2)[1].corrected == 0.0
    assert power_of(pairs=5, contrasts=1)[1].alone == 0.0


@pytest.mark.parametrize("contrasts", [1, 3, 6, 102])
def test_with_the_fewest_seeds_a_difference_is_found_just_when_all_pairs_agree(
    contrasts: int,
) -> None:
    """Then only the smallest p of all, 2 / 2^n, passes Holm's first step."""
    pairs = fewest_seeds(contrasts)
    for power in power_of(pairs=pairs, contrasts=contrasts):
        all_agree = norm.cdf(power.effect) ** pairs + norm.cdf(-power.effect) ** pairs
        assert power.corrected == pytest.approx(all_agree, abs=0.025)


def test_many_pairs_find_it_by_some_of_all_flips() -> None:
    assert [power.corrected for power in power_of(pairs=60, contrasts=3)] == [1.0, 1.0]


def test_asked_again_it_is_the_same() -> None:
    # So many pairs draw their flips as well as their differences.
    assert power_of(pairs=13, contrasts=3) == power_of(pairs=13, contrasts=3)
    assert equivalence_power_of(pairs=7, contrasts=3) == equivalence_power_of(pairs=7, contrasts=3)


@pytest.mark.parametrize(
    ("pairs", "alone", "of_three"),
    [
        (7, (0.50, 0.93, 1.0), (0.22, 0.84, 0.99)),
        (10, (0.79, 0.99, 1.0), (0.63, 0.99, 1.0)),
        (14, (0.94, 1.0, 1.0), (0.92, 1.0, 1.0)),
    ],
)
def test_equal_arms_are_called_equivalent_as_often_as_simulated(
    pairs: int, alone: tuple[float, ...], of_three: tuple[float, ...]
) -> None:
    found = equivalence_power_of(pairs=pairs, contrasts=3)
    assert tuple(each.effect for each in found) == MARGINS
    assert [each.alone for each in found] == pytest.approx(alone, abs=0.03)
    # Holm's later steps are easier than the first, which is what is announced.
    for each, simulated in zip(found, of_three, strict=True):
        assert each.corrected <= min(each.alone, simulated + 0.02)


TUNING = TuningPlan(
    "learning_rate", ("a", "b"), True, 1e-4, 1e-2, (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (7, 8)
)


def test_a_tuned_study_finds_less() -> None:
    for power, plain in zip(
        power_of(pairs=7, contrasts=3, tuning=TUNING), power_of(pairs=7, contrasts=3), strict=True
    ):
        assert power.corrected < power.alone < plain.alone
    more = replace(TUNING, seeds=tuple(range(8)))
    for power, few in zip(
        power_of(pairs=7, contrasts=3, tuning=more),
        power_of(pairs=7, contrasts=3, tuning=TUNING),
        strict=True,
    ):
        assert power.alone > few.alone


def test_the_power_of_a_tuned_study_is_that_of_its_own_test() -> None:
    """Oracle: studies that are simulated one by one, tuned and tested as real ones are."""
    random = np.random.default_rng(3)
    studies, found = 400, 0
    for _ in range(studies):
        places = np.arange(5) + random.random() - 2.5
        regret, variance = [], 0.0
        for _ in range(2):
            losses = 0.25 * places[:, None] ** 2 + random.normal(0, math.sqrt(0.5), (5, 2))
            arm = tuned_arm("", np.exp(places), losses, measured=losses, is_logarithmic=True)
            assert arm is not None
            regret.append(0.25 * math.log(arm.chosen) ** 2)
            variance += arm.variance
        differences = 1.5 + regret[0] - regret[1] + random.normal(0, 1, 7)
        p = max(sign_flip_p(differences), TuningError(variance, 3).p(list(differences)))
        found += p <= 0.05
    said = next(
        each for each in power_of(pairs=7, contrasts=1, tuning=TUNING) if each.effect == 1.5
    )
    assert found / studies == pytest.approx(said.alone, abs=3 * math.sqrt(0.25 / studies))
