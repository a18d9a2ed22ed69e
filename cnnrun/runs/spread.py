"""A number over seeds: its mean, and how far seeds move it."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The mean over seeds, and the sample standard deviation where there are two or more."""

    mean: float
    deviation: float | None


def spread_of(numbers: Iterable[float]) -> Spread:
    """The spread of one number or more."""
    values = list(numbers)
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), deviation)
