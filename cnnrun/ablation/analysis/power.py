"""How likely a study finds a difference that is there, known before it starts."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from scipy.special import stdtr

from cnnrun.ablation.analysis.paired_tests import Numbers
from cnnrun.ablation.analysis.tuning import NEAR, tuned_arm
from cnnrun.ablation.planning.contrasts import SIGNIFICANCE
from cnnrun.ablation.planning.plan import TuningPlan

EFFECTS: Final = (1.0, 1.5)
"""True mean differences, in units of the standard deviation of the paired differences."""
MARGINS: Final = (1.0, 1.5, 2.0)
"""Margins of equivalence, in the same units."""
_STUDIES: Final = 4_000
_MOST_FLIPS: Final = 2**12
_BATCH: Final = 250
_SEED: Final = 7
_TUNINGS: Final = 200
_RISE: Final = 0.25
"""By how many standard deviations a loss rises from the best value to the next that is tried, where
tuning is simulated: there the error of the choice weighs most, since a flatter curve forgives a
wrong choice and a steeper one allows none."""


@dataclass(frozen=True)
class Power:
    """The chance to find a difference, or that there is none that matters.

    Attributes:
        effect: the true mean difference, or the margin, in standard deviations of the differences.
        alone: when it is the only contrast.
        corrected: when it has to pass Holm's strictest step, the first of the declared ones.
    """

    effect: float
    alone: float
    corrected: float


def power_of(*, pairs: int, contrasts: int, tuning: TuningPlan | None = None) -> tuple[Power, ...]:
    """The power at each of `EFFECTS`, by simulated studies with normal differences.

    The same draws serve every call, so that more pairs or fewer contrasts never look worse by
    chance; the error is below 0.01.

    Args:
        pairs: the number of seeds.
        contrasts: how many are tested together.
        tuning: what each arm is tuned by before, whose error is counted; None for nothing.
    """
    differences, variances = _simulated(pairs, tuning)
    return tuple(
        _power(effect, _tested(differences + effect, variances, tuning), contrasts)
        for effect in EFFECTS
    )


def equivalence_power_of(
    *, pairs: int, contrasts: int, tuning: TuningPlan | None = None
) -> tuple[Power, ...]:
    """The chance to call arms equivalent that are equal, at each of `MARGINS`; as `power_of`."""
    differences, variances = _simulated(pairs, tuning)
    found = []
    for margin in MARGINS:
        above = _tested(differences + margin, variances, tuning, two_sided=False)
        below = _tested(margin - differences, variances, tuning, two_sided=False)
        found.append(_power(margin, np.maximum(above, below), contrasts))
    return tuple(found)


def _simulated(pairs: int, tuning: TuningPlan | None) -> tuple[Numbers, Numbers]:
    """Differences of equal arms, `(studies, pairs)`, and their variance by the choice of values."""
    differences = np.random.default_rng(_SEED).standard_normal((_STUDIES, pairs))
    if tuning is None:
        return differences, np.zeros(_STUDIES)
    tunings = _simulated_tunings(len(tuning.values), len(tuning.seeds))
    chosen = np.array(tunings)[np.arange(_STUDIES) % _TUNINGS]
    return differences + chosen[:, :1], chosen[:, 1]


@cache
def _simulated_tunings(values: int, seeds: int) -> tuple[tuple[float, float], ...]:
    """Of pairs of equal arms that are tuned: by how much the choices differ, and their variance.

    Validation losses are taken to vary over seeds as what is tested does.
    """
    random = np.random.default_rng(_SEED)
    of_arm = 1 / math.sqrt(2)  # so that differences have a standard deviation of 1
    found = []
    for _ in range(_TUNINGS):
        places = np.arange(values) + random.random() - values / 2
        losses, variance = [], 0.0
        for _ in range(2):
            noise = random.normal(0, of_arm, (values, seeds))
            tried = _RISE * places[:, None] ** 2 + noise
            arm = tuned_arm("", np.exp(places), tried, measured=tried, is_logarithmic=True)
            if arm is None:
                raise TypeError("each simulated trial has a loss")
            losses.append(_RISE * math.log(arm.chosen) ** 2)
            variance += arm.variance
        found.append((losses[0] - losses[1], variance))
    return tuple(found)


def _tested(
    differences: Numbers,
    variances: Numbers,
    tuning: TuningPlan | None,
    *,
    two_sided: bool = True,
) -> Numbers:
    """The p of each study: that of its signs, and no smaller than with the error of the choice."""
    signs = _p_values(differences, two_sided=two_sided)
    if tuning is None:
        return signs
    pairs = differences.shape[1]
    of_seeds = differences.var(axis=1, ddof=1) / pairs
    both = of_seeds + variances
    freedom = both**2 / (
        of_seeds**2 / (pairs - 1) + variances**2 / (NEAR * (len(tuning.seeds) - 1))
    )
    distance = differences.mean(axis=1) / np.sqrt(both)
    tail: Numbers = stdtr(freedom, -np.abs(distance) if two_sided else -distance)
    return np.maximum(signs, 2 * tail if two_sided else tail)


def _power(effect: float, p_values: Numbers, contrasts: int) -> Power:
    return Power(
        effect=effect,
        alone=float(np.mean(p_values <= SIGNIFICANCE)),
        corrected=float(np.mean(p_values <= SIGNIFICANCE / contrasts)),
    )


def _p_values(differences: Numbers, *, two_sided: bool = True) -> Numbers:
    """The sign-flip p of each row of `(studies, pairs)`; all flips, or many random ones."""
    signs = _signs(differences.shape[1])  # (flips, pairs)
    p_values: Numbers = np.empty(len(differences))
    for start in range(0, len(differences), _BATCH):
        rows = differences[start : start + _BATCH]
        sums = rows @ signs.T  # (rows, flips)
        sums = np.abs(sums) if two_sided else sums
        extreme = np.count_nonzero(sums >= sums[:, :1] - 1e-12, axis=1)
        p_values[start : start + _BATCH] = extreme / len(signs)
    return p_values


def _signs(pairs: int) -> Numbers:
    """Rows of 1 and -1, the first all 1."""
    if 2**pairs <= _MOST_FLIPS:
        bits = np.arange(2**pairs)[:, None] >> np.arange(pairs) & 1
    else:
        bits = np.random.default_rng(_SEED).integers(0, 2, size=(_MOST_FLIPS, pairs))
        bits[0] = 0
    return np.where(bits == 0, 1.0, -1.0)
