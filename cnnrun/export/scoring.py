"""The scores of an exported network, of whose probabilities alone is known."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.evaluation.label_scores import LabelScores, score_labels
from cnnrun.evaluation.scores import Scores, score_probabilities

# Keras's own bound, so that an image of which a network is wrongly certain has a finite loss.
_LEAST_PROBABILITY: Final = 1e-7


def scores_of(
    probabilities: NDArray[np.float64], labels: NDArray[np.integer[Any]], *, seed: int
) -> Scores:
    """The scores of probabilities, `(images, classes)`; the loss is their cross-entropy.

    Args:
        probabilities: of the classes; what is no number counts as 0.
        labels: true class numbers, `(images,)`.
        seed: of the bootstrap behind the intervals.
    """
    usable = np.nan_to_num(probabilities)
    likely = np.take_along_axis(usable, labels[:, None].astype(np.int64), axis=1)[:, 0]
    losses = -np.log(np.clip(likely, _LEAST_PROBABILITY, 1.0))
    return score_probabilities(usable, labels, per_image_loss=losses, seed=seed)


def label_scores_of(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int32],
    *,
    thresholds: NDArray[np.float64],
    seed: int,
) -> LabelScores:
    """The scores of probabilities of labels, `(images, labels)`; the loss is their cross-entropy.

    Args:
        probabilities: of the labels; what is no number counts as 0.
        labels: `(images, labels)` of 1, 0, and -1 for unknown.
        thresholds: from which probability on a label is said, `(labels,)`.
        seed: of the bootstrap behind the intervals.
    """
    usable = np.nan_to_num(probabilities)
    known = labels >= 0
    likely = np.clip(np.where(labels == 1, usable, 1 - usable), _LEAST_PROBABILITY, 1.0)
    losses = -(np.log(likely) * known).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return score_labels(usable, labels, thresholds=thresholds, per_image_loss=losses, seed=seed)
