"""How good probabilities are, before and after they are calibrated."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.calibration.calibration_error import (
    CalibrationError,
    ReliabilityBins,
    calibration_error,
    reliability_bins,
)


@dataclass(frozen=True, eq=False)
class ProbabilityScores:
    """What probabilities are worth for some images whose classes are known.

    Attributes:
        images: how many images there are.
        log_losses: minus the logarithm of the true class's probability, `(images,)`.
        brier: the mean squared distance from certainty of the truth, summed over the classes
            (Brier 1950): 0 at best, 2 at worst.
        accuracy: the share of images whose most probable class is the true one.
        error: the expected calibration error of the most probable class.
        bins: what it is taken from.
    """

    images: int
    log_losses: NDArray[np.float64]
    brier: float
    accuracy: float
    error: CalibrationError
    bins: ReliabilityBins

    @property
    def log_loss(self) -> float:
        """The negative log-likelihood of an image."""
        return float(self.log_losses.mean())

    def as_json(self) -> dict[str, Any]:
        """The numbers, by name."""
        return {
            "negative_log_likelihood": self.log_loss,
            "brier": self.brier,
            "accuracy": self.accuracy,
            "ece": asdict(self.error),
        }


def score_log_probabilities(
    log_probabilities: NDArray[np.float64], labels: NDArray[np.integer[Any]]
) -> ProbabilityScores:
    """The scores of logarithms of probabilities, `(images, classes)`, for labels `(images,)`."""
    images = len(labels)
    probabilities = np.exp(log_probabilities)
    truth = np.zeros_like(probabilities)
    truth[np.arange(images), labels] = 1
    is_right = probabilities.argmax(axis=1) == labels
    bins = reliability_bins(probabilities.max(axis=1), is_right)
    return ProbabilityScores(
        images=images,
        log_losses=-log_probabilities[np.arange(images), labels],
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        accuracy=float(is_right.mean()),
        error=calibration_error(bins),
        bins=bins,
    )
