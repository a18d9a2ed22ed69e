"""From the probabilities that a network gives to calibrated ones: temperature and vector scaling.

Both are of Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017). They
scale logits; the logarithm of a softmax's output is its logits up to a number that all classes
share, which the softmax afterwards takes out again.

Shapes: log-probabilities are `(images, classes)`. What fits them stands in map_fitting.py.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Method = Literal["temperature", "vector"]
FloatArray = NDArray[np.float64]

LEAST_PROBABILITY: Final = float(np.finfo(np.float32).tiny)
"""What stands for a probability of 0, which has no logarithm: float32's smallest normal number."""


@final
@dataclass(frozen=True, eq=False)
class ProbabilityMap:
    """Calibrated probabilities are the softmax of `scale * log(probability) + bias`.

    Attributes:
        method: "temperature", where one number divides all, or "vector".
        scale: of each class, `(classes,)`; one over the temperature.
        bias: of each class, `(classes,)`; 0 for a temperature.
    """

    method: Method
    scale: FloatArray
    bias: FloatArray

    @property
    def temperature(self) -> float:
        """What divides the log-probabilities, where one number does."""
        return float(1 / self.scale[0])

    def log_probabilities(self, log_probabilities: FloatArray) -> FloatArray:
        """The logarithms of the calibrated probabilities, `(images, classes)`.

        Args:
            log_probabilities: of what the network gives; see `floored_logarithm`.
        """
        calibrated: FloatArray = log_softmax(log_probabilities * self.scale + self.bias, axis=1)
        return calibrated

    def probabilities(self, log_probabilities: FloatArray) -> FloatArray:
        """The calibrated probabilities, `(images, classes)`."""
        return np.exp(self.log_probabilities(log_probabilities))


def floored_logarithm(probabilities: NDArray[np.floating[Any]]) -> FloatArray:
    """Logarithms of probabilities, of which some may have become 0 in float32."""
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST_PROBABILITY))


def temperature_map(temperature: float, *, classes: int) -> ProbabilityMap:
    """The map that divides log-probabilities by a temperature."""
    return ProbabilityMap("temperature", np.full(classes, 1 / temperature), np.zeros(classes))
