"""What decides which epoch of a run is kept."""

import math
from dataclasses import dataclass
from typing import Literal

from cnnrun.config.metric_names import lower_is_better


@dataclass(frozen=True)
class Monitor:
    """The number that decides which epoch is the best."""

    name: str
    lower_is_better: bool

    def is_improvement(self, score: float, best: float | None) -> bool:
        """Whether `score` beats the best so far, None before there is one; NaN never does."""
        if math.isnan(score):
            return False
        if best is None or math.isnan(best):
            return True
        return score < best if self.lower_is_better else score > best


def monitor_of(name: str, mode: Literal["auto", "min", "max"]) -> Monitor:
    """The monitor of a name; "auto" knows that losses and errors fall and all else rises."""
    if mode == "auto":
        return Monitor(name, lower_is_better=lower_is_better(name))
    return Monitor(name, lower_is_better=mode == "min")
