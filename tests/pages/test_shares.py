"""Shares read as what they are."""

from cnnrun.pages.shares import percent, percent_interval


def test_nothing_is_rounded_to_all_or_none() -> None:
    assert percent(0.99999) == "> 99.9 %"
    assert percent(1.0) == "100.0 %"
    assert percent(0.0001) == "< 0.1 %"
    assert percent(0.0) == "0.0 %"
    assert percent_interval(0.957, 0.992) == "95.7 to 99.2 %"
