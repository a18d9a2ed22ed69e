"""From the probabilities of several labels an image to calibrated ones: each label by itself.

A label is a question of yes or no, so its log-odds are scaled: divided by a temperature of the
label's own (Guo, Pleiss, Sun and Weinberger 2017, of two classes), or scaled and shifted as by
Platt ("Probabilistic outputs for support vector machines", 1999, without its smoothing of the
targets, which many images do without).

Shapes: log-odds are `(images, labels)`. What fits the maps stands in label_map_fitting.py.
"""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from cnnrun.calibration.probability_map import LEAST_PROBABILITY, FloatArray, Method

NEXT_TO_CERTAIN: Final = 2.0**-25
"""Half the distance from 1 to the next smaller number in float32, where a sigmoid says 1."""


@final
@dataclass(frozen=True, eq=False)
class LabelMap:
    """The calibrated probability of a label is the sigmoid of `scale * log-odds + bias`.

    As every scale is above 0, a label's images keep their order, and a threshold that is carried
    over parts them as before.

    Attributes:
        method: "temperature", where one number divides a label's log-odds, or "vector".
        scale: of each label, `(labels,)`, above 0; one over its temperature.
        bias: of each label, `(labels,)`; 0 for a temperature.
    """

    method: Method
    scale: FloatArray
    bias: FloatArray

    @property
    def temperatures(self) -> FloatArray:
        """What divides each label's log-odds, `(labels,)`."""
        return np.asarray(1 / self.scale)

    def log_odds(self, log_odds: FloatArray) -> FloatArray:
        """The calibrated log-odds, `(images, labels)`."""
        return np.asarray(log_odds * self.scale + self.bias)

    def probabilities(self, log_odds: FloatArray) -> FloatArray:
        """The calibrated probabilities, `(images, labels)`."""
        return np.asarray(expit(self.log_odds(log_odds)))

    def thresholds(self, thresholds: FloatArray) -> FloatArray:
        """Thresholds of calibrated probabilities that say what these say of others, `(labels,)`."""
        return self.probabilities(floored_log_odds(thresholds))


def floored_log_odds(probabilities: NDArray[np.floating[Any]]) -> FloatArray:
    """Log-odds of probabilities, of which some may have become 0 or 1 in float32."""
    values = probabilities.astype(np.float64)
    below = np.log(np.maximum(values, LEAST_PROBABILITY))
    return np.asarray(below - np.log(np.maximum(1 - values, NEXT_TO_CERTAIN)))
