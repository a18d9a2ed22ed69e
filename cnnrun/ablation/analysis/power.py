"""How likely a study finds a difference that is there, known before it starts."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cnnrun.ablation.analysis.paired_tests import Numbers
from cnnrun.ablation.planning.contrasts import SIGNIFICANCE

EFFECTS: Final = (1.0, 1.5)
"""True mean differences, in units of the standard deviation of the paired differences."""
MARGINS: Final = (1.0, 1.5, 2.0)
"""Margins of equivalence, in the same units."""
_STUDIES: Final = 4_000
_MOST_FLIPS: Final = 2**12
_BATCH: Final = 250
_SEED: Final = 7


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


def power_of(*, pairs: int, contrasts: int) -> tuple[Power, ...]:
    """The power at each of `EFFECTS`, by simulated studies with normal differences.

    The same draws serve every call, so that more pairs or fewer contrasts never look worse by
    chance; the error is below 0.01.

    Args:
        pairs: the number of seeds.
        contrasts: how many are tested together.
    """
    noise = np.random.default_rng(_SEED).standard_normal((_STUDIES, pairs))
    return tuple(_power(effect, _p_values(noise + effect), contrasts) for effect in EFFECTS)


def equivalence_power_of(*, pairs: int, contrasts: int) -> tuple[Power, ...]:
    """The chance to call arms equivalent that are equal, at each of `MARGINS`; as `power_of`."""
    noise = np.random.default_rng(_SEED).standard_normal((_STUDIES, pairs))
    found = []
    for margin in MARGINS:
        above = _p_values(noise + margin, two_sided=False)
        p_values = np.maximum(above, _p_values(margin - noise, two_sided=False))
        found.append(_power(margin, p_values, contrasts))
    return tuple(found)


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
