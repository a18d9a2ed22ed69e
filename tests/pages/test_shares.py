"""Oracle: SciPy's interval, by which the accuracy of result.json has its own."""

import pytest

from cnnrun.evaluation.scores import wilson_interval as of_scipy
from cnnrun.pages.shares import percent, percent_interval, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials"),
    [(0, 1), (1, 1), (0, 40), (40, 40), (7, 9), (1, 1000), (99_999, 100_000)],
)
def test_wilson_is_scipys(successes: int, trials: int) -> None:
    assert wilson_interval(successes, trials) == pytest.approx(
        of_scipy(successes, trials), abs=1e-12
    )


def test_nothing_is_rounded_to_all_or_none() -> None:
    assert percent(0.99999) == "> 99.9 %"
    assert percent(1.0) == "100.0 %"
    assert percent(0.0001) == "< 0.1 %"
    assert percent(0.0) == "0.0 %"
    assert percent_interval(0.957, 0.992) == "95.7 to 99.2 %"
