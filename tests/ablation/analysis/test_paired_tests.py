"""The paired test against SciPy, its interval against the test, both against simulated studies."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import permutation_test, ttest_1samp

from cnnrun.ablation.analysis.paired_tests import (
    MOST_EXACT,
    equivalence_p,
    flipped_sums,
    holm,
    one_sided_p,
    paired_test,
    sign_flip_interval,
    sign_flip_p,
)

# Coarse on purpose, so that zeros and equal sums are frequent.
DIFFERENCES = st.lists(st.integers(-20, 20).map(lambda each: each / 10), min_size=2, max_size=10)


def scipy_p(differences: list[float]) -> float:
    """SciPy's exact two-sided p of the sign-flip test of the mean."""
    return permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=math.inf,
        alternative="two-sided",
    ).pvalue


@pytest.mark.parametrize("pairs", [3, 6, 7, 8, 11])
def test_p_is_scipys(pairs: int) -> None:
    random = np.random.default_rng(pairs)
    for shift in (0.0, 0.5, 2.0):
        differences = list(random.normal(shift, 1, pairs).round(1))
        assert sign_flip_p(differences) == pytest.approx(scipy_p(differences), abs=1e-12)


# At 75 % half of alpha is a whole number of subsets, at 95 % it never is.
@given(DIFFERENCES, st.sampled_from([0.75, 0.95]))
@example([1.0, 2.0, 1.5], 0.75)
@example([-0.1, -0.7, 0.8, 0.8, 0.8], 0.75)  # three of which add up to 0 but for rounding
def test_zero_lies_outside_of_the_interval_just_where_the_test_rejects(
    differences: list[float], confidence: float
) -> None:
    low, high = sign_flip_interval(differences, confidence=confidence)
    rejected = sign_flip_p(differences) <= 1 - confidence
    assert (low > 0 or high < 0) == rejected


@given(DIFFERENCES, st.floats(-3, 3))
def test_the_interval_moves_with_the_differences(differences: list[float], shift: float) -> None:
    low, high = sign_flip_interval(differences, confidence=0.95)
    moved = sign_flip_interval([each + shift for each in differences], confidence=0.95)
    assert moved == pytest.approx((low + shift, high + shift))


def test_shifts_within_the_interval_are_those_that_the_test_lets_stand() -> None:
    differences = list(np.random.default_rng(3).normal(0.3, 1, 9))
    low, high = sign_flip_interval(differences, confidence=0.9)
    for shift, stands in [
        (low - 1e-6, False),
        (low + 1e-6, True),
        (high - 1e-6, True),
        (high + 1e-6, False),
    ]:
        assert (sign_flip_p([each - shift for each in differences]) > 0.1) == stands


def test_too_few_pairs_have_no_interval() -> None:
    assert sign_flip_interval([1.0, 2.0, 1.5, 1.2, 1.3], confidence=0.95) == (-math.inf, math.inf)
    assert sign_flip_interval([1.0] * 6, confidence=0.95) == (1.0, 1.0)


@given(st.lists(st.integers(-20, 20).map(float), min_size=2, max_size=9))
def test_differences_are_described_as_the_standard_library_and_the_t_test_do(
    differences: list[float],
) -> None:
    test = paired_test(differences, confidence=0.9)
    assert test.mean == pytest.approx(statistics.fmean(differences))
    assert test.deviation == pytest.approx(statistics.stdev(differences))
    assert (test.low, test.high) == sign_flip_interval(differences, confidence=0.9)
    if test.deviation > 0:
        t = ttest_1samp(differences, 0).statistic
        assert test.effect * math.sqrt(test.pairs) == pytest.approx(t)


def test_one_pair_has_neither_deviation_nor_effect() -> None:
    test = paired_test([0.5], confidence=0.95)
    assert (test.mean, test.p) == (0.5, 1.0)
    assert math.isnan(test.deviation)
    assert math.isnan(test.effect)


@pytest.mark.parametrize("differences", [[0.5, 0.5], [0.0, 0.0], [(0.1 + 0.2) * 1e6, 0.3 * 1e6]])
def test_equal_differences_have_no_effect_size_also_where_rounding_makes_them_differ(
    differences: list[float],
) -> None:
    assert math.isnan(paired_test(differences, confidence=0.95).effect)


def test_zero_differences_do_not_count() -> None:
    test = paired_test([0.5, 0.4, 0.3, 0.5, 0.6, 0.4, 0.0], confidence=0.95)
    assert (test.pairs, test.non_zero, test.p) == (7, 6, 2 / 2**6)


@pytest.mark.parametrize(("pairs", "heavy_tails"), [(7, False), (8, True), (12, False)])
def test_false_positives_and_coverage_are_as_stated(pairs: int, heavy_tails: bool) -> None:
    random = np.random.default_rng(pairs)
    studies = 4000
    noise = (
        random.standard_t(2, (studies, pairs))
        if heavy_tails
        else random.normal(size=(studies, pairs))
    )
    p_values = np.array([sign_flip_p(row) for row in noise])
    # The largest attainable level below 5 %: the test is exact, so it is met, not undercut.
    level = math.floor(0.05 * 2 ** (pairs - 1)) / 2 ** (pairs - 1)
    error = 4 * math.sqrt(level * (1 - level) / studies)
    assert np.mean(p_values <= 0.05) == pytest.approx(level, abs=error)
    intervals = [sign_flip_interval(row + 0.7, confidence=0.95) for row in noise]
    covered = np.mean([low <= 0.7 <= high for low, high in intervals])
    assert covered == pytest.approx(1 - level, abs=error)


def test_twenty_pairs_are_still_tested_by_every_flip() -> None:
    assert sign_flip_p([1.0] * MOST_EXACT) == 2 / 2**MOST_EXACT


def test_many_pairs_are_tested_by_random_flips() -> None:
    differences = list(np.random.default_rng(0).normal(0.5, 1, MOST_EXACT + 4))
    oracle = permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=99_999, rng=1
    ).pvalue
    assert sign_flip_p(differences) == pytest.approx(oracle, abs=0.004)
    low, high = sign_flip_interval(differences, confidence=0.95)
    half = 2.07 * np.std(differences, ddof=1) / math.sqrt(len(differences))
    assert (low + high) / 2 == pytest.approx(np.mean(differences), abs=0.03)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_above_twenty_pairs_p_and_interval_agree() -> None:
    random = np.random.default_rng(7)
    decisions = []
    for _ in range(120):
        # Close to .05, where they could differ.
        values = random.normal(0, 1, MOST_EXACT + 3)
        values += 0.43 - values.mean() + random.normal(0, 0.02)
        low, high = sign_flip_interval(values, confidence=0.95)
        decisions.append(sign_flip_p(values) <= 0.05)
        assert (low > 0 or high < 0) == decisions[-1]
    assert 10 < sum(decisions) < 110


@pytest.mark.parametrize("pairs", [4, 7, 10])
def test_one_sided_p_is_scipys(pairs: int) -> None:
    differences = list(np.random.default_rng(pairs).normal(0.4, 1, pairs))
    oracle = permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=math.inf,
        alternative="greater",
    ).pvalue
    assert one_sided_p(differences) == pytest.approx(oracle, abs=1e-12)


def test_equivalence_is_the_larger_of_two_one_sided_p() -> None:
    differences = np.array([0.1, -0.2, 0.05, 0.3, -0.1, 0.15])
    # All 6 lie above -0.5 and below 0.5: each of both tests has the smallest p there is.
    assert equivalence_p(differences, margin=0.5) == 1 / 2**6
    assert equivalence_p(differences, margin=0.2) == max(
        one_sided_p(differences + 0.2), one_sided_p(0.2 - differences)
    )


def test_at_the_margin_arms_are_called_equivalent_one_time_in_twenty() -> None:
    random = np.random.default_rng(8)
    p = [equivalence_p(random.normal(1.0, 1, 7), margin=1.0) for _ in range(1500)]
    # 6 of 128 flips is the largest level below 5 %; three Monte Carlo errors of .0055 beside.
    assert np.mean(np.array(p) <= 0.05) <= 6 / 128 + 3 * 0.0055


def test_equal_arms_are_called_equivalent_as_often_as_simulated() -> None:
    random = np.random.default_rng(9)
    p = [equivalence_p(random.normal(0.0, 1, 7), margin=1.5) for _ in range(800)]
    # The project's simulations with 4,000 studies: .93.
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.93, abs=0.03)


def test_no_number_of_pairs_makes_a_p_of_nothing() -> None:
    # Random flips hardly contain the one observed, which has to be counted.
    assert 0 < sign_flip_p([1.0] * 60) < 1e-3


@given(DIFFERENCES, st.integers(1, 10))
def test_sums_of_the_first_pairs_are_those_of_every_flip_of_all(
    differences: list[float], first: int
) -> None:
    signs = itertools.product([1, -1], repeat=len(differences))
    by_hand = [
        sum(sign * each for sign, each in list(zip(flip, differences, strict=True))[:first])
        for flip in signs
    ]
    sums = flipped_sums(np.array(differences), first=first)
    assert np.sort(sums) == pytest.approx(np.sort(by_hand))
    assert sums[0] == pytest.approx(sum(differences[:first]))


def test_holms_example() -> None:
    # Holm 1979 in the form of Wright 1992, table 1's rule worked by hand.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_the_familys_level() -> None:
    random = np.random.default_rng(5)
    studies, level = 2000, 0.05
    # Three contrasts of four arms, all equal: their differences share an arm and so depend.
    arms = random.normal(size=(studies, 7, 4))
    wrong = 0
    for study in arms:
        p_values = [sign_flip_p(study[:, each] - study[:, 0]) for each in (1, 2, 3)]
        wrong += min(holm(p_values)) <= level
    assert wrong / studies <= level + 4 * math.sqrt(level * (1 - level) / studies)
