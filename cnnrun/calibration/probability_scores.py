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
class Scores:
    """What probabilities are worth for some images, of classes, of labels, or of one label.

    Attributes:
        log_losses: minus the logarithm of the truth's probability, `(images,)`.
        brier: the mean squared distance of probabilities from certainty of the truth.
        error: the calibration error.
    """

    log_losses: NDArray[np.float64]
    brier: float
    error: CalibrationError

    @property
    def images(self) -> int:
        """How many images there are of which anything is known."""
        return len(self.log_losses)

    @property
    def log_loss(self) -> float:
        """The negative log-likelihood of an image."""
        return float(self.log_losses.mean())

    def as_json(self) -> dict[str, Any]:
        """The numbers, by name."""
        return {
            "negative_log_likelihood": self.log_loss,
            "brier": self.brier,
            "ece": asdict(self.error),
        }


@dataclass(frozen=True, eq=False)
class ProbabilityScores(Scores):
    """What probabilities are worth for some images whose classes are known.

    Attributes:
        log_losses: minus the logarithm of the true class's probability, `(images,)`.
        brier: the squared distances summed over the classes (Brier 1950): 0 at best, 2 at worst.
        error: the expected calibration error of the most probable class.
        accuracy: the share of images whose most probable class is the true one.
        bins: what the error is taken from.
    """

    accuracy: float
    bins: ReliabilityBins

    def as_json(self) -> dict[str, Any]:
        """The numbers, by name."""
        return super().as_json() | {"accuracy": self.accuracy}


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
        log_losses=-log_probabilities[np.arange(images), labels],
        brier=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        accuracy=float(is_right.mean()),
        error=calibration_error(bins),
        bins=bins,
    )
