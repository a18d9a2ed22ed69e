"""Shares in words."""


def percent(share: float) -> str:
    """A share such as "97.4 %"; what is not all or nothing is not rounded to it."""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"


def percent_interval(low: float, high: float) -> str:
    """Such as "95.7 to 99.2 %"."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"
