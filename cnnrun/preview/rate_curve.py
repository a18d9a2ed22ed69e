"""What a learning-rate range test has seen: the loss of each step, and the rate to begin with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import WorkError

_BELOW_THE_LEAST: Final = 10.0
"""How far below the rate of the least loss training is steady, by the rule of thumb."""
_LEAST_FALL: Final = 0.05
_BEYOND_CHANCE: Final = 5.0
"""Standard errors of a mean loss by which the least of many differs from the first by chance."""
_FAR_ABOVE: Final = 3.0
"""How many times the least loss is one from which training does not come back."""
_FAR_LOWER: Final = 1e4
_WINDOW_SHARE: Final = 0.07


@dataclass(frozen=True)
class RateCurve:
    """A range test.

    Attributes:
        rates: the learning rate of each step, rising.
        losses: the loss of each step's batch.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def smoothed(self) -> NDArray[np.float64]:
        """The mean loss of the steps around each one, which does not lag behind as averages do."""
        return _centred_means(self.losses)

    @property
    def least(self) -> int:
        """The step at which the smoothed loss is least."""
        return int(np.argmin(self.smoothed))

    @property
    def steepest(self) -> int:
        """The step at which it falls fastest over the logarithm of the rate, before it is least."""
        slopes = np.gradient(self.smoothed, np.log(self.rates))
        return int(np.argmin(slopes[: self.least + 1]))

    @property
    def suggested(self) -> float:
        """The rate to begin with: a tenth of that of the least loss, with one digit."""
        rate = self.rates[self.least] / _BELOW_THE_LEAST
        digits = 10.0 ** math.floor(math.log10(rate))
        return float(f"{round(rate / digits) * digits:.0e}")


def refuse_flat(curve: RateCurve) -> None:
    """Raise where no rate made the loss fall, for then none can be suggested.

    A fall is more than a twentieth, and more than the batches' own differences make of it. The
    first loss is of the initial weights: where all others are far above it, every rate is too high.

    Raises:
        WorkError: so it is.
    """
    first, *others = curve.losses
    if others and not any(loss <= _FAR_ABOVE * first for loss in others):
        raise WorkError.at(
            "",
            rule="the loss must fall at some rate before it rises",
            received=f"{first:.4g} before the first step and {others[0]:.4g} after it, at"
            f" {curve.rates[0]:.1g}",
            advice=f"try lower rates, such as `--from {curve.rates[0] / _FAR_LOWER:.0e}`",
        )
    smoothed, end = curve.smoothed, curve.least + 1
    fall = float(smoothed[0] - smoothed.min())
    noise = float(np.std(np.array(curve.losses[:end]) - smoothed[:end]))
    least = max(_LEAST_FALL * smoothed[0], _BEYOND_CHANCE * noise / math.sqrt(_window(end)))
    if end > 1 and fall > least:
        return
    raise WorkError.at(
        "",
        rule="the loss must fall at some rate",
        received=f"{smoothed[0]:.4g} at first and {smoothed.min():.4g} at the least, from"
        f" {curve.rates[0]:.1g} to {curve.rates[-1]:.1g}",
        advice="try more steps (--steps) or other rates (--from, --to), or look at"
        " `cnnrun preview CONFIG --batch` for whether there is something to learn",
    )


def is_hopeless(losses: Sequence[float]) -> bool:
    """Whether the losses so far say that higher rates need not be tried."""
    if not math.isfinite(losses[-1]):
        return True
    recent = float(np.mean(losses[-_window(len(losses)) :]))
    return recent > _FAR_ABOVE * float(_centred_means(losses).min()) and recent > losses[0]


def _centred_means(losses: Sequence[float]) -> NDArray[np.float64]:
    half = _window(len(losses)) // 2
    values = np.array(losses, dtype=np.float64)
    return np.array([values[max(0, at - half) : at + half + 1].mean() for at in range(len(values))])


def _window(steps: int) -> int:
    return max(3, round(_WINDOW_SHARE * steps))
