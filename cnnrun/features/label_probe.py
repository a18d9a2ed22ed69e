"""How well simple classifiers tell several labels an image by features, each label on its own.

Shapes: labels are `(images, labels)`, of 1, 0, and -1 for unknown, which nothing is fitted to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from cnnrun.data.label_splits import stratified
from cnnrun.errors import FeaturesError
from cnnrun.features.probe import FOLDS_AT_MOST, NEIGHBOURS
from cnnrun.wording import listed

Labels = NDArray[np.int32]
FloatArray = NDArray[np.float64]

FEWEST_IMAGES: Final = 2
_ITERATIONS: Final = 1000


@dataclass(frozen=True, eq=False)
class LabelProbe:
    """What a classifier says of images that it was not fitted to.

    Attributes:
        classifier: its name.
        folds: how many times one was fitted, each time to the images of the other folds.
        probabilities: `(images, labels)`, that an image has a label.
    """

    classifier: str
    folds: int
    probabilities: FloatArray


def learnable_labels(labels: Labels) -> NDArray[np.int64]:
    """The numbers of the labels that two images at least have, and two have not, as is known."""
    fewest = np.minimum((labels == 1).sum(axis=0), (labels == 0).sum(axis=0))
    return np.flatnonzero(fewest >= FEWEST_IMAGES)


def refuse_unlearnable(labels: Labels, classes: Sequence[str]) -> None:
    """Refuse labels of which a probe could learn none.

    Raises:
        FeaturesError: no label has two images with it and two without it.
    """
    if not len(learnable_labels(labels)):
        raise FeaturesError.at(
            "--probe",
            rule=f"needs {FEWEST_IMAGES} images with and {FEWEST_IMAGES} without a label",
            received=f"fewer of each of {listed(classes)}",
            advice="add images, or say of more of them which labels they have",
        )


def probe_labels(features: NDArray[Any], labels: Labels, *, seed: int) -> tuple[LabelProbe, ...]:
    """What a linear classifier and nearest neighbours say of each label, by cross-validation.

    Features are standardized. The linear classifier is one logistic regression a label (one against
    the rest), fitted to the images of which that label is known; of the neighbours, near by cosine,
    the share that has a label counts, among those of which it is known.

    Args:
        features: `(images, ...)`, which are held in memory.
        labels: `(images, labels)`, each of them learnable.
        seed: of the folds.
    """
    vectors = np.asarray(features).reshape(len(features), -1)
    folds = label_folds(labels, seed=seed)
    number = int(folds.max()) + 1
    neighbours = min(NEIGHBOURS, int(np.bincount(folds).sum() - np.bincount(folds).max()))
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_ITERATIONS))
    return (
        LabelProbe(
            "logistic regression", number, unseen_probabilities(vectors, labels, folds, linear)
        ),
        LabelProbe(
            f"{neighbours} nearest neighbours",
            number,
            _neighbours_probabilities(vectors, labels, folds, neighbours),
        ),
    )


def label_folds(labels: Labels, *, seed: int) -> NDArray[np.int64]:
    """The fold `(images,)` of each image, from 0 on, by iterative stratification.

    There are five, or as many as the rarest label has images with or without it.

    Args:
        labels: `(images, labels)`, each of them learnable.
        seed: of the order in which equal images are dealt out.
    """
    rarest = int(np.minimum((labels == 1).sum(axis=0), (labels == 0).sum(axis=0)).min())
    folds = min(FOLDS_AT_MOST, rarest)
    order = np.random.default_rng(seed).permutation(len(labels))
    present = (labels[order] == 1).astype(np.int64)
    place = np.empty(len(labels), np.int64)
    place[order] = stratified(present, np.ones(len(order), np.int64), (1 / folds,) * folds)
    return place


def unseen_probabilities(
    features: NDArray[Any], labels: Labels, folds: NDArray[np.int64], classifier: Pipeline
) -> FloatArray:
    """What one classifier a label says of the images that it was not fitted to.

    Args:
        features: `(images, numbers)`.
        labels: `(images, labels)`.
        folds: `(images,)`, the fold of each.
        classifier: not fitted; its last step is fitted to each label, the others once a fold.

    Returns:
        `(images, labels)`, probabilities that an image has a label; where all that is known of it
        in the other folds is the same, 1 or 0.
    """
    probabilities = np.empty(labels.shape)
    with threadpool_limits(1):  # many small products, for which threads would only wait
        for fold in np.unique(folds):
            others, own = folds != fold, folds == fold
            transform = clone(classifier[:-1]).fit(features[others])
            fitted_to, asked = (
                transform.transform(features[others]),
                transform.transform(features[own]),
            )
            for label, truth in enumerate(labels[others].T):
                known = truth >= 0
                probabilities[own, label] = _probability(
                    classifier[-1], fitted_to[known], truth[known], asked
                )
    return probabilities


def _probability(
    classifier: Any, features: NDArray[Any], truth: NDArray[np.int32], asked: NDArray[Any]
) -> FloatArray:
    if not len(truth) or truth.min() == truth.max():
        return np.full(len(asked), truth.mean() if len(truth) else 0.5)
    return np.asarray(clone(classifier).fit(features, truth).predict_proba(asked)[:, 1])


def _neighbours_probabilities(
    features: NDArray[Any], labels: Labels, folds: NDArray[np.int64], neighbours: int
) -> FloatArray:
    """Of the nearest images in other folds, the share that has a label, where it is known."""
    probabilities = np.empty(labels.shape)
    for fold in np.unique(folds):
        others, own = folds != fold, folds == fold
        scaler = StandardScaler().fit(features[others])
        search = NearestNeighbors(n_neighbors=neighbours, metric="cosine")
        search.fit(scaler.transform(features[others]))
        nearest = search.kneighbors(scaler.transform(features[own]), return_distance=False)
        probabilities[own] = neighbours_share(labels[others], nearest)
    return probabilities


def neighbours_share(labels: Labels, nearest: NDArray[np.int64]) -> FloatArray:
    """Of each image's neighbours of which a label is known, the share that has it.

    Args:
        labels: `(images, labels)`, of those that can be neighbours.
        nearest: `(asked, neighbours)`, places among these.

    Returns:
        `(asked, labels)`; where no neighbour's label is known, the share of all images.
    """
    around = labels[nearest]  # (asked, neighbours, labels)
    known, present = (around >= 0).sum(axis=1), (around == 1).sum(axis=1)
    everywhere = (labels == 1).sum(axis=0) / np.maximum((labels >= 0).sum(axis=0), 1)
    shares = np.broadcast_to(everywhere, known.shape).astype(np.float64)
    return np.asarray(np.divide(present, known, out=shares, where=known > 0))
