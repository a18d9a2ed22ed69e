"""How good the probabilities of several labels an image are, overall and label by label.

Shapes: log-odds are `(images, labels)`, labels too, of 1, 0, and -1 for unknown, which counts
nothing. Overall numbers are means over labels or over images; their intervals keep images whole,
for the labels of an image belong together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from cnnrun.calibration.calibration_error import (
    CalibrationError,
    ReliabilityBins,
    around,
    bias_and_error,
    bin_numbers,
    calibration_error,
    reliability_bins,
)
from cnnrun.calibration.probability_scores import Scores

FloatArray = NDArray[np.float64]
Matrix = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class OneLabelScores(Scores):
    """What the probabilities of one label are worth, of the images of which it is known.

    Attributes:
        log_losses: minus the logarithm of the truth's probability, `(images,)`.
        brier: the mean squared distance of the probability from 1 or 0: 0 at best, 1 at worst.
        error: the calibration error: in bins of the probability, how far its mean is from the share
            of the images that have the label.
        bins: what it is taken from; their `accuracy` is that share.
    """

    bins: ReliabilityBins


@dataclass(frozen=True, eq=False)
class LabelProbabilityScores(Scores):
    """What probabilities of several labels are worth for some images.

    Attributes:
        log_losses: of each image the mean over its known labels, `(images,)`, as the loss has it.
        brier: the mean over images of the mean over their known labels.
        error: the mean over labels of their calibration errors; `debiased` is the root of the mean
            of the debiased squares.
        of_labels: each label's own; None for one of which no image is known.
    """

    of_labels: tuple[OneLabelScores | None, ...]


def score_log_odds(log_odds: FloatArray, labels: Matrix) -> LabelProbabilityScores:
    """The scores of log-odds for labels, of which each image has one that is known at least."""
    known = labels >= 0
    truth = np.where(known, labels, 0).astype(np.float64)
    losses = np.logaddexp(0, np.where(truth == 1, -log_odds, log_odds))
    probabilities = expit(log_odds)
    squares = (probabilities - truth) ** 2
    per_image = known.sum(axis=1)
    of_labels = tuple(
        _of_one(losses[rows, label], squares[rows, label], probabilities[rows, label], has_it)
        if rows.any()
        else None
        for label, rows in enumerate(known.T)
        for has_it in [truth[rows, label] == 1]
    )
    return LabelProbabilityScores(
        log_losses=(losses * known).sum(axis=1) / per_image,
        brier=float(((squares * known).sum(axis=1) / per_image).mean()),
        error=_mean_error(of_labels, probabilities, labels),
        of_labels=of_labels,
    )


def _of_one(
    losses: FloatArray,
    squares: FloatArray,
    probabilities: FloatArray,
    has_it: NDArray[np.bool_],
) -> OneLabelScores:
    bins = reliability_bins(probabilities, has_it)
    return OneLabelScores(losses, float(squares.mean()), calibration_error(bins), bins)


def _mean_error(
    of_labels: tuple[OneLabelScores | None, ...], probabilities: FloatArray, labels: Matrix
) -> CalibrationError:
    """The mean over labels of their errors.

    What chance makes of it, and the debiased square, are means as well, whether or not labels of an
    image depend on each other. The interval's standard error is the larger one of two: that over
    whole images, each with what it adds to all labels' errors, and that of independent labels,
    which is not 0 where all images are right.
    """
    scores = [each for each in of_labels if each is not None]
    value = _mean(each.error.value for each in scores)
    spreads = np.array([bias_and_error(each.bins) for each in scores])
    influence = np.stack(list(_influences(probabilities, labels))).mean(axis=0)
    over_images = float(np.sqrt((influence**2).sum())) / len(labels)
    independent = float(np.sqrt((spreads[:, 1] ** 2).sum())) / len(scores)
    square = _mean(each.error.debiased_square for each in scores)
    return CalibrationError(
        value=value,
        interval=around(
            value, most_bias=float(spreads[:, 0].mean()), error=max(over_images, independent)
        ),
        by_chance=_mean(each.error.by_chance for each in scores),
        debiased=max(0.0, square) ** 0.5,
        debiased_square=square,
    )


def _influences(probabilities: FloatArray, labels: Matrix) -> Iterator[FloatArray]:
    """Of each label how much each image moves its error, `(images,)`, times their number.

    The error is the mean over images of the signed distances in their bins; an image adds how far
    its own distance is from its bin's.
    """
    for given, truth in zip(probabilities.T, labels.T, strict=True):
        rows = np.flatnonzero(truth >= 0)
        if not len(rows):
            continue
        distances = given[rows] - truth[rows]
        _, bins = np.unique(bin_numbers(given[rows]), return_inverse=True)
        means = np.bincount(bins, distances) / np.bincount(bins)
        influence = np.zeros(len(labels))
        moved = np.sign(means)[bins] * (distances - means[bins])
        influence[rows] = len(labels) / len(rows) * moved
        yield influence


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))
