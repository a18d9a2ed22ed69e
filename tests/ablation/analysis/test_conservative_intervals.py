"""Nadeau and Bengio's test against its formula with SciPy's t, and against resplit means."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from cnnrun.ablation.analysis.conservative_intervals import conservative_test


def test_without_tested_images_it_is_students_test() -> None:
    differences = list(np.random.default_rng(1).normal(0.3, 1, 10))
    found = conservative_test(differences, tested=0, trained=900, confidence=0.95)
    oracle = ttest_1samp(differences, 0.0)
    assert found.p == pytest.approx(oracle.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval(0.95)))
    for bound in (-0.4, 0.0, 0.5):
        assert found.p_above(bound) == pytest.approx(
            ttest_1samp(differences, bound, alternative="greater").pvalue
        )
        assert found.p_below(bound) == pytest.approx(
            ttest_1samp(differences, bound, alternative="less").pvalue
        )


def test_the_variance_grows_as_the_corrected_resampled_t_test_says() -> None:
    differences = [0.1, 0.2, 0.4, 0.3, 0.2]
    plain = conservative_test(differences, tested=0, trained=80, confidence=0.95)
    found = conservative_test(differences, tested=20, trained=80, confidence=0.95)
    assert found.variance == pytest.approx(plain.variance * (1 / 5 + 20 / 80) / (1 / 5))


def test_equal_differences() -> None:
    assert conservative_test([0.5] * 4, tested=1, trained=4, confidence=0.95).p == 0.0
    assert conservative_test([0.0] * 4, tested=1, trained=4, confidence=0.95).p == 1.0


def test_means_over_new_cuts_of_one_pool_are_called_different_one_time_in_twenty() -> None:
    # Learners without noise of their own: all that differs is which 30 % of the pool is tested.
    # Theirs is the worst case, in which the correction is about exact.
    random = np.random.default_rng(3)
    wrong = []
    for _ in range(800):
        pool = random.normal(0, 1, 300)
        means = [float(pool[random.permutation(300)[:90]].mean()) for _ in range(10)]
        wrong.append(conservative_test(means, tested=90, trained=210, confidence=0.95).p <= 0.05)
    assert np.mean(wrong) <= 0.05 + 2 * (0.05 * 0.95 / 800) ** 0.5
