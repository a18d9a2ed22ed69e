"""What the trials of a tuning say: the value that each arm trains at, and how sure that is.

A parabola through the mean validation losses near the best trial has its minimum at the value that
is taken, and the difference that choosing otherwise would have made joins the error of every
contrast. tests/benchmarks/measure_tuning.py simulates what this keeps: arms that are equal, and to
which the value matters, are called different in 2 to 6 % of studies, where taking the best of a few
random values on one seed calls them different in 14 to 45 %.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.planning.plan import TuningPlan

Numbers = NDArray[np.float64]

NEAR: Final = 3
"""So many trials the parabola goes through: the best one and its neighbours. Through more, a curve
that rises faster on one side has its minimum elsewhere, and the noise of the choice counts more
than the parabola says."""
_REPEATED_CHOICES: Final = 30
_CHOICE_SEED: Final = 20_261_128


@dataclass(frozen=True)
class TuningError:
    """What the choice of tuned values adds to the error of a contrast.

    Attributes:
        variance: 0 where nothing was tuned.
        freedom: its degrees of freedom.
    """

    variance: float
    freedom: int

    def added_to(self, variance: float, freedom: float) -> tuple[float, float]:
        """Another variance with this one, and the degrees of freedom of both (Satterthwaite)."""
        if self.variance == 0:
            return variance, freedom
        both = variance + self.variance
        return both, both**2 / (variance**2 / freedom + self.variance**2 / self.freedom)

    def interval(self, differences: Sequence[float], *, confidence: float) -> tuple[float, float]:
        """Student's interval of a mean difference with this error; infinitely narrow without it."""
        mean = float(np.mean(differences))
        if self.variance == 0:
            return mean, mean
        variance, freedom = self._of_mean(differences)
        half = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(variance)
        return mean - half, mean + half

    def p(self, differences: Sequence[float]) -> float:
        """Student's two-sided p of no mean difference with this error; 0 without it."""
        if self.variance == 0:
            return 0.0
        variance, freedom = self._of_mean(differences)
        distance = abs(float(np.mean(differences))) / math.sqrt(variance)
        return 2 * float(stdtr(freedom, -distance))

    def _of_mean(self, differences: Sequence[float]) -> tuple[float, float]:
        pairs = len(differences)
        return self.added_to(float(np.var(differences, ddof=1)) / pairs, pairs - 1)


NOT_TUNED: Final = TuningError(0.0, 1)


@dataclass(frozen=True, kw_only=True)
class TunedArm:
    """The value that an arm trains at, and what it was chosen by.

    Attributes:
        arm: the arm's name.
        values: those that were tried, rising.
        losses: the validation loss at each of them, a mean over the tuning seeds; infinite where a
            trial diverged or failed.
        best: the index of the smallest of them.
        chosen: the value.
        is_at_edge: whether the best trial is the first or the last, of values that are a choice.
        variance: of what is tested, by the choice of the value; 0 where the trials leave no choice.
        expected: the smallest validation loss that 1, 2, ... of the trials, drawn at random, are
            expected to have (Dodge et al. 2019, Show Your Work).
    """

    arm: str
    values: tuple[float, ...]
    losses: tuple[float, ...]
    best: int
    chosen: float
    is_at_edge: bool
    variance: float
    expected: tuple[float, ...]


@dataclass(frozen=True)
class Tuning:
    """What became of a tuning.

    Attributes:
        plan: what was tried.
        arms: by name, those that any trial has a loss of.
        was_widened: whether values were added beyond the range that was asked for.
        trials: the outcomes of all cells that were tried.
    """

    plan: TuningPlan
    arms: Mapping[str, TunedArm]
    was_widened: bool
    trials: tuple[CellOutcome, ...] = ()

    @property
    def chosen(self) -> dict[str, float]:
        """Arm -> the value that it trains at."""
        return {name: arm.chosen for name, arm in self.arms.items()}

    @property
    def variances(self) -> dict[str, float]:
        """Arm -> the variance of what is tested by the choice of its value."""
        return {name: arm.variance for name, arm in self.arms.items()}

    @property
    def freedom(self) -> int:
        """The degrees of freedom of `variances`: the trials near the best, and their seeds."""
        return NEAR * (len(self.plan.seeds) - 1)


def tuned_arm(
    arm: str,
    values: Sequence[float],
    losses: Numbers,
    *,
    measured: Numbers,
    is_logarithmic: bool,
    no_choice: Collection[int] = (),
) -> TunedArm | None:
    """The value that an arm trains at; None where no trial has a loss.

    Args:
        arm: its name.
        values: those that were tried, rising, at least three.
        losses: the validation loss of each trial, `(values, seeds)`; NaN where it diverged.
        measured: what the study tests, as the trial's validation images have it, `(values, seeds)`;
            a trial without it counts as diverged.
        is_logarithmic: whether the values are evenly spaced in their logarithm.
        no_choice: the indices of values that are none, unless they all are.
    """
    is_whole = np.isfinite(losses).all(axis=1) & np.isfinite(measured).all(axis=1)
    means = np.where(is_whole, losses.mean(axis=1), np.inf)
    if not np.isfinite(means).any():
        return None
    places = np.log(values) if is_logarithmic else np.asarray(values, dtype=np.float64)
    choices = means.copy()
    choices[list(no_choice)] = np.inf
    is_open = bool(np.isfinite(choices).any())
    if not is_open:
        choices = means
    best = int(np.argmin(choices))
    near = _near(choices, best)
    # Which values are a choice is chance as well: where learning breaks just above the best one,
    # the trials that may be chosen tell nothing of it.
    windows = (near, _near(means, int(np.argmin(means))))
    chosen = _minimum(places, choices, near)
    value = math.exp(chosen) if is_logarithmic else chosen
    return TunedArm(
        arm=arm,
        values=tuple(values),
        losses=tuple(map(float, means)),
        best=best,
        chosen=float(f"{value:.3g}"),
        is_at_edge=is_open and best in (0, len(values) - 1),
        variance=max(_choice_variance(places, losses, measured, each) for each in windows),
        expected=expected_best(means),
    )


def expected_best(losses: Sequence[float] | Numbers) -> tuple[float, ...]:
    """The smallest loss to be expected of 1, 2, ... trials, drawn from these with replacement.

    Equation 5 of Dodge et al. 2019, for losses: P(min <= v_i) = 1 - (1 - i/n)^b.
    """
    rising = np.sort(np.asarray(losses, dtype=np.float64))
    number = len(rising)
    ranks = np.arange(number + 1) / number
    found = []
    for budget in range(1, number + 1):
        shares = -np.diff((1 - ranks) ** budget)
        found.append(float((shares * rising).sum()))
    return tuple(found)


def _near(means: Numbers, best: int) -> slice:
    """The best trial and its neighbours; beside an end, or a trial that diverged, the last three.

    Fewer where there are no three in a row.
    """
    low = high = best
    while low > 0 and np.isfinite(means[low - 1]):
        low -= 1
    while high < len(means) - 1 and np.isfinite(means[high + 1]):
        high += 1
    first = max(low, min(best - 1, high + 1 - NEAR))
    return slice(first, min(first + NEAR, high + 1))


def _minimum(places: Numbers, means: Numbers, near: slice) -> float:
    """Where a parabola through the trials near the best is smallest, between its neighbours."""
    at, heights = places[near], means[near]
    best = int(np.argmin(heights))
    if len(at) < NEAR:
        return float(at[best])
    middle = at[best]
    bend, slope, _ = np.polyfit(at - middle, heights, 2)
    low, high = at[max(best - 1, 0)], at[min(best + 1, len(at) - 1)]
    if bend <= 0:
        return float(middle)
    return float(np.clip(middle - slope / (2 * bend), low, high))


def _choice_variance(places: Numbers, losses: Numbers, measured: Numbers, near: slice) -> float:
    """The variance of what is tested that the choice of the value makes.

    The choice is repeated on the mean losses, with the noise that the tuning seeds show, and each
    is judged by the parabola of what is tested, which goes through the same trials.
    """
    at, seeds = places[near], losses.shape[1]
    middle = at.mean()
    of_loss = losses[near].mean(axis=1)
    of_measure = np.polyfit(at - middle, measured[near].mean(axis=1), len(at) - 1)
    noise = math.sqrt(float(losses[near].var(axis=1, ddof=1).mean()) / seeds)
    random = np.random.default_rng(_CHOICE_SEED)
    everywhere = slice(0, len(at))
    again = [
        _minimum(at, of_loss + random.normal(0.0, noise, size=len(at)), everywhere) - middle
        for _ in range(_REPEATED_CHOICES)
    ]
    return float(np.polyval(of_measure, again).var(ddof=1))
