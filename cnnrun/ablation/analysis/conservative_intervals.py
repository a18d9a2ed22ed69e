"""The interval of Nadeau and Bengio for splits of one pool: safe, and wider than it need be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from cnnrun.ablation.analysis.tuning import NOT_TUNED, TuningError


@dataclass(frozen=True)
class ConservativeTest:
    """What differences over splits say, when little is supposed about how splits depend.

    Attributes:
        low: the lower end of the 95 % interval.
        high: its upper end.
        p: two-sided.
        variance: of the mean difference.
        freedom: its degrees of freedom.
        mean: of the differences.
    """

    low: float
    high: float
    p: float
    variance: float
    freedom: float
    mean: float

    def p_above(self, bound: float) -> float:
        """The one-sided p of a difference of at most `bound`: small where it is above."""
        return _upper_tail(self.mean - bound, self.variance, self.freedom)

    def p_below(self, bound: float) -> float:
        """The one-sided p of a difference of at least `bound`: small where it is below."""
        return _upper_tail(bound - self.mean, self.variance, self.freedom)


def conservative_test(
    differences: Sequence[float],
    *,
    tested: float,
    trained: float,
    confidence: float,
    tuning: TuningError = NOT_TUNED,
) -> ConservativeTest:
    """The corrected resampled t test, and its interval.

    Nadeau and Bengio 2003, Inference for the generalization error; for repeated folds Bouckaert and
    Frank 2004, Evaluating the replicability of significance tests.

    Args:
        differences: one a split; at least two.
        tested: how many images a split tests, on average.
        trained: how many it trains on.
        confidence: such as 0.95.
        tuning: the error that the choice of tuned values adds.
    """
    values = np.asarray(differences, dtype=np.float64)
    mean = float(values.mean())
    over_splits = float(values.var(ddof=1)) * (1 / len(values) + tested / trained)
    variance, freedom = tuning.added_to(over_splits, len(values) - 1)
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * variance**0.5
    return ConservativeTest(
        low=mean - half,
        high=mean + half,
        p=min(1.0, 2 * _upper_tail(abs(mean), variance, freedom)),
        variance=variance,
        freedom=freedom,
        mean=mean,
    )


def _upper_tail(distance: float, variance: float, freedom: float) -> float:
    if variance == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(freedom, -distance / variance**0.5))
