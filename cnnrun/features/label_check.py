"""Labels that are probably wrong, and images like no other, by what a network makes of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from cnnrun.features.label_probe import label_folds, learnable_labels, unseen_probabilities
from cnnrun.features.neighbours import Neighbours

COMPONENTS = 128
FOLDS = 5
# A ranking, not a count: at most so many, and no more than one image in twenty.
RANKED_AT_MOST = 50
SHARE_RANKED = 0.05
# An image is an outlier where it is so many median deviations further from its neighbours.
DEVIATIONS = 5.0
_EVEN = 0.5


@dataclass(frozen=True)
class Suspicion:
    """A label that is probably wrong.

    Attributes:
        place: of the image among the features.
        probability: of its label, by a classifier that was fitted to other images.
        other: the class that is more probable.
        other_probability: of that class.
    """

    place: int
    probability: float
    other: int
    other_probability: float


@dataclass(frozen=True)
class DoubtfulLabel:
    """A label that an image is said to have, or not to have, and that is probably wrong.

    Attributes:
        place: of the image among the features.
        label: its number.
        is_there: whether the image is said to have it.
        probability: of what is said, by a classifier that was fitted to other images.
    """

    place: int
    label: int
    is_there: bool
    probability: float


def linear_classifier(numbers: int) -> Pipeline:
    """A logistic regression on the principal components of features, of so many numbers each.

    Components keep their variances, so that the small ones, which fit wrong labels, count little:
    of 150 labels changed among 3,000 photographs, .99 of the first 50 are found in place of .95.
    """
    return make_pipeline(
        StandardScaler(),
        FunctionTransformer(_of_unit_length),
        PCA(min(COMPONENTS, numbers), random_state=0, svd_solver="randomized"),
        LogisticRegression(C=1.0, max_iter=300),
    )


def _of_unit_length(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardized features with a mean square length of 1, however many there are."""
    scaled: NDArray[np.float32] = features / np.float32(features.shape[1] ** 0.5)
    return scaled


def suspicious_labels(
    features: NDArray[np.float32], labels: NDArray[np.int32]
) -> tuple[Suspicion, ...]:
    """Labels that a classifier fitted to other images thinks least of, the least probable first.

    Classes of one image are left out, for nothing can be learnt of them.

    Args:
        features: `(images, numbers)`.
        labels: `(images,)`.
    """
    counts = Counter(labels.tolist())
    known = np.flatnonzero([counts[label] > 1 for label in labels.tolist()])
    folds = min([FOLDS, *(count for count in counts.values() if count > 1)])
    if len(set(labels[known].tolist())) < 2 or len(known) < 2 * COMPONENTS:
        return ()
    classes, numbers = np.unique(labels[known], return_inverse=True)
    # Many small products: threads would only wait for each other.
    with threadpool_limits(1):
        probabilities = cross_val_predict(
            linear_classifier(features.shape[1]),
            features[known],
            numbers,
            cv=StratifiedKFold(folds, shuffle=True, random_state=0),
            method="predict_proba",
        )
    return ranked_labels(probabilities, numbers, known, classes)


def ranked_labels(
    probabilities: NDArray[np.float64],
    numbers: NDArray[np.int64],
    places: NDArray[np.int64],
    classes: NDArray[np.int32],
) -> tuple[Suspicion, ...]:
    """The labels that are least probable and not the most probable, the least probable first.

    Args:
        probabilities: `(images, classes)`, by something that was not fitted to the image.
        numbers: `(images,)`, the column of each label.
        places: `(images,)`, where each image is among all.
        classes: `(classes,)`, the class of each column.
    """
    own = probabilities[np.arange(len(places)), numbers]
    best = probabilities.argmax(axis=1)
    ranked = [row for row in np.argsort(own, kind="stable").tolist() if best[row] != numbers[row]]
    wanted = min(RANKED_AT_MOST, round(SHARE_RANKED * len(places)))
    return tuple(
        Suspicion(
            place=int(places[row]),
            probability=float(own[row]),
            other=int(classes[best[row]]),
            other_probability=float(probabilities[row, best[row]]),
        )
        for row in ranked[:wanted]
    )


def doubtful_labels(
    features: NDArray[np.float32], labels: NDArray[np.int32]
) -> tuple[DoubtfulLabel, ...]:
    """Several labels an image, of which classifiers fitted to other images think least.

    Each label has a classifier of its own, fitted where it is known.

    Args:
        features: `(images, numbers)`.
        labels: `(images, labels)` of 1, 0, and -1 for unknown.
    """
    learnt = learnable_labels(labels)
    if not len(learnt) or len(labels) < 2 * COMPONENTS:
        return ()
    known = labels[:, learnt]
    probabilities = np.full(labels.shape, np.nan)
    probabilities[:, learnt] = unseen_probabilities(
        features, known, label_folds(known, seed=0), linear_classifier(features.shape[1])
    )
    return ranked_doubts(probabilities, labels, np.arange(len(labels)))


def ranked_doubts(
    probabilities: NDArray[np.float64], labels: NDArray[np.int32], places: NDArray[np.int64]
) -> tuple[DoubtfulLabel, ...]:
    """What is said of labels and less probable than not, the least probable first.

    Labels that fewer than two images are known to have, or not to have, are left out.

    Args:
        probabilities: `(images, labels)`, by something that was not fitted to the image.
        labels: `(images, labels)` of 1, 0, and -1 for unknown.
        places: `(images,)`, where each image is among all.
    """
    is_ranked = np.zeros(labels.shape[1], bool)
    is_ranked[learnable_labels(labels)] = True
    of_said = np.where(labels == 1, probabilities, 1 - probabilities)
    of_said = np.where((labels >= 0) & is_ranked, of_said, np.inf)
    wanted = min(RANKED_AT_MOST, round(SHARE_RANKED * len(places)))
    order = np.argsort(of_said, axis=None, kind="stable")[:wanted]
    rows, numbers = np.unravel_index(order, labels.shape)
    return tuple(
        DoubtfulLabel(
            place=int(places[row]),
            label=int(number),
            is_there=bool(labels[row, number] == 1),
            probability=float(of_said[row, number]),
        )
        for row, number in zip(rows, numbers, strict=True)
        if of_said[row, number] < _EVEN
    )


def outliers(near: Neighbours) -> tuple[tuple[int, float], ...]:
    """Images far from all others, with how many times the median distance; the furthest first."""
    distances = np.where(np.isfinite(near.distances), near.distances, np.nan)
    own = np.nanmean(distances, axis=1)
    middle = np.nanmedian(own)
    spread = np.nanmedian(np.abs(own - middle))
    far = np.flatnonzero(own > middle + DEVIATIONS * max(spread, 1e-9))
    order: Sequence[int] = far[np.argsort(-own[far], kind="stable")].tolist()
    return tuple((row, float(own[row] / middle)) for row in order[:RANKED_AT_MOST])
