"""Shares have the intervals that are published, and SciPy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cnnrun.runs.shares import wilson_interval


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        ((81, 263), (0.2553, 0.3662)),
        ((15, 148), (0.0624, 0.1605)),
        ((0, 20), (0.0, 0.1611)),
        ((1, 29), (0.0061, 0.1718)),
    ],
)
def test_the_interval_of_a_share_is_the_published_one(
    shares: tuple[int, int], expected: tuple[float, float]
) -> None:
    assert wilson_interval(*shares) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_scipys(shares: tuple[int, int]) -> None:
    oracle = binomtest(*shares).proportion_ci(0.95, method="wilson")
    assert wilson_interval(*shares) == (float(oracle.low), float(oracle.high))
