"""cnnrun's own learning rate schedules, as Keras's optimizers take them."""

import math
from collections.abc import Mapping
from typing import Any, Final

import keras
from keras import ops


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Rises to the maximum, then falls far below where it began (Smith and Topin 2017).

    The rates are those of PyTorch's OneCycleLR in two phases; momentum stays what it is.
    """

    def __init__(
        self,
        *,
        maximum_learning_rate: float,
        total_steps: int,
        rising_share: float = 0.3,
        initial_divisor: float = 25.0,
        final_divisor: float = 10_000.0,
        annealing: str = "cosine",
    ) -> None:
        """What the arguments mean stands in config/own_schedules.py."""
        self._given = {
            "maximum_learning_rate": maximum_learning_rate,
            "total_steps": total_steps,
            "rising_share": rising_share,
            "initial_divisor": initial_divisor,
            "final_divisor": final_divisor,
            "annealing": annealing,
        }
        self.highest = maximum_learning_rate
        self.first = maximum_learning_rate / initial_divisor
        self.last = self.first / final_divisor
        # As in PyTorch the last of the rising steps, and of all, have the rates of the ends.
        self.top = max(0.0, rising_share * total_steps - 1)
        self.end = max(1.0, total_steps - 1)
        self.is_cosine = annealing == "cosine"

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0; after the last one it stays."""
        step = ops.cast(step, "float32")
        rise = self._between(self.first, self.highest, _share(step, 0.0, self.top))
        fall = self._between(self.highest, self.last, _share(step, self.top, self.end))
        return ops.where(step < self.top, rise, fall)

    def _between(self, start: float, end: float, share: Any) -> Any:
        """From `start` at a share of 0 to `end` at 1."""
        if self.is_cosine:
            share = (1.0 - ops.cos(share * math.pi)) / 2.0
        return start + (end - start) * share

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return dict(self._given)


class Warmup(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Rises in a line to where another schedule, or a steady rate, begins."""

    def __init__(
        self,
        *,
        warmup_steps: int,
        learning_rate: Any,
        initial_learning_rate: float = 0.0,
    ) -> None:
        """What the arguments mean stands in config/own_schedules.py."""
        self.warmup_steps = warmup_steps
        self.learning_rate = learning_rate
        self.initial_learning_rate = initial_learning_rate

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        share = step / max(1.0, self.warmup_steps)
        first = self._after(ops.zeros_like(step))
        rise = self.initial_learning_rate + (first - self.initial_learning_rate) * share
        is_over = step >= self.warmup_steps
        return ops.where(is_over, self._after(ops.maximum(step - self.warmup_steps, 0.0)), rise)

    def _after(self, step: Any) -> Any:
        if callable(self.learning_rate):
            return ops.cast(self.learning_rate(step), "float32")
        return ops.full_like(step, self.learning_rate)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            "warmup_steps": self.warmup_steps,
            "learning_rate": self.learning_rate,
            "initial_learning_rate": self.initial_learning_rate,
        }


def _share(step: Any, start: float, end: float) -> Any:
    """How far a step is on the way from one to another, from 0 to 1."""
    return ops.clip((step - start) / max(end - start, 1e-9), 0.0, 1.0)


OWN_CLASSES: Final[Mapping[str, type]] = {"one_cycle": OneCycle, "warmup": Warmup}
"""The class of each name in config/own_schedules.py."""
