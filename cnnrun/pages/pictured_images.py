"""Which of the tested images are worth a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Places = NDArray[np.int64]


def shown_mistakes(probabilities: Probabilities, labels: Labels, *, most: int) -> Places:
    """Places of wrongly classified images, the most confidently wrong one first.

    Where there are more than `most`, every pair of classes that is confused comes before a second
    image of any pair, so that each cell of the confusion matrix has a picture as far as they reach.

    Args:
        probabilities: `(images, classes)`.
        labels: true class numbers, `(images,)`.
        most: how many places are wanted.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    confidence = probabilities[wrong].max(axis=1)
    wrong = wrong[np.argsort(-confidence, kind="stable")]
    if len(wrong) > most:
        pairs = labels[wrong].astype(np.int64) * probabilities.shape[1] + predicted[wrong]
        first_rounds = np.argsort(_rounds(pairs), kind="stable")[:most]
        wrong = wrong[np.sort(first_rounds)]
    return wrong.astype(np.int64)


def least_certain(probabilities: Probabilities, labels: Labels, *, most: int) -> Places:
    """Places of rightly classified images, the one first whose class got the least probability.

    Args:
        probabilities: `(images, classes)`.
        labels: true class numbers, `(images,)`.
        most: how many places are wanted.
    """
    right = np.flatnonzero(probabilities.argmax(axis=1) == labels)
    certainty = probabilities[right].max(axis=1)
    return right[np.argsort(certainty, kind="stable")[:most]].astype(np.int64)


def _rounds(pairs: Places) -> Places:
    """For each item how many equal ones stand before it."""
    order = np.argsort(pairs, kind="stable")
    sorted_pairs = pairs[order]
    begins = np.r_[True, sorted_pairs[1:] != sorted_pairs[:-1]]
    places = np.arange(len(pairs))
    since = places - np.maximum.accumulate(np.where(begins, places, 0))
    rounds = np.empty(len(pairs), np.int64)
    rounds[order] = since
    return rounds
