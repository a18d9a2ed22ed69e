"""Wins against SciPy's exact interval; divergence and spread against cases worked by hand."""

import math

import pytest
from scipy.stats import binomtest

from cnnrun.ablation.analysis.unlike_arms import (
    spread_ratio,
    unseen_divergence,
    varies_too_differently,
    varies_too_much,
    wins,
)


@pytest.mark.parametrize("won", [0, 1, 4, 6, 7])
def test_the_interval_of_wins_is_scipys(won: int) -> None:
    found = wins([-1.0] * won + [1.0] * (7 - won), fewer_is_better=True)
    oracle = binomtest(won, 7).proportion_ci(0.95, method="exact")
    assert (found.won, found.pairs) == (won, 7)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


def test_equal_pairs_are_won_by_nobody() -> None:
    found = wins([-1.0, 0.0, 2.0, 3.0], fewer_is_better=False)
    assert (found.won, found.equal, found.pairs) == (2, 1, 4)


def test_of_seven_runs_that_converged_35_in_a_hundred_could_have_diverged() -> None:
    assert unseen_divergence(7) == pytest.approx(0.348, abs=5e-4)
    assert (1 - unseen_divergence(20)) ** 20 == pytest.approx(0.05)


def test_the_sides_of_a_contrast_are_sums_of_arms() -> None:
    values = {"a": {0: 1.0, 1: 3.0}, "b": {0: 5.0, 1: 6.0}, "c": {0: 0.0, 1: 1.0}}
    assert spread_ratio({"a": 1.0, "b": -1.0}, values, [0, 1]) == pytest.approx(2.0)
    mean = {"a": 0.5, "b": 0.5, "c": -1.0}
    assert spread_ratio(mean, values, [0, 1]) == pytest.approx(1.5)
    flat = {"a": {0: 1.0, 1: 1.0}, "b": {0: 2.0, 1: 3.0}}
    assert spread_ratio({"b": 1.0, "a": -1.0}, flat, [0, 1]) == math.inf
    assert spread_ratio({"a": 1.0, "b": -1.0}, flat, [0, 1]) == 0.0
    same = {"a": {0: 1.0, 1: 1.0}, "b": {0: 2.0, 1: 2.0}}
    assert spread_ratio({"a": 1.0, "b": -1.0}, same, [0, 1]) == 1.0


def test_only_the_side_that_looks_better_may_not_vary_more() -> None:
    assert varies_too_much(2.0, first_is_better=True)
    assert not varies_too_much(2.0, first_is_better=False)
    assert varies_too_much(0.5, first_is_better=False)
    assert not varies_too_much(1.9, first_is_better=True)
    assert varies_too_differently(2.0)
    assert varies_too_differently(0.5)
    assert not varies_too_differently(1.0)
