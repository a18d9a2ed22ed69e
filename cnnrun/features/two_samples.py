"""How far two sets of images are from each other: whether a classifier tells which is which."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from cnnrun.errors import DataError
from cnnrun.features.label_check import COMPONENTS, FOLDS, linear_classifier

DRAWN_AT_MOST = 5000  # of either set


@dataclass(frozen=True)
class Apart:
    """The AUC of a classifier that tells two sets of images apart, by images it was not fitted to.

    Attributes:
        auc: .5 where they are alike, 1 where none is like the others.
        low: of its 95 % interval, DeLong's.
        high: likewise.
        images: how many there were of either set.
    """

    auc: float
    low: float
    high: float
    images: tuple[int, int]


def tell_apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> Apart:
    """How well a linear classifier tells two sets of images apart by their features.

    Args:
        one: `(images, numbers)`.
        other: likewise; at most DRAWN_AT_MOST of either set are drawn.

    Raises:
        DataError: there are too few to tell.
    """
    drawn = [_drawn(each) for each in (one, other)]
    fewest = min(map(len, drawn))
    if fewest < FOLDS or sum(map(len, drawn)) < 2 * COMPONENTS:
        raise DataError.at(
            "--against",
            rule=f"needs {2 * COMPONENTS} images in all and {FOLDS} of either set at least",
            received=f"{len(one):,} and {len(other):,}",
            advice="add images",
        )
    labels = np.repeat([0, 1], [len(each) for each in drawn])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    with threadpool_limits(1):
        scores = cross_val_predict(
            linear_classifier(one.shape[1]),
            np.concatenate(drawn),
            labels,
            cv=folds,
            method="decision_function",
        )
    return _auc(scores[labels == 0], scores[labels == 1])


def _drawn(features: NDArray[np.float32]) -> NDArray[np.float32]:
    order = np.random.default_rng(0).permutation(len(features))[:DRAWN_AT_MOST]
    return features[np.sort(order)]


def _auc(negative: NDArray[np.float64], positive: NDArray[np.float64]) -> Apart:
    """The area under the curve, and its interval after DeLong, DeLong and Clarke-Pearson (1988)."""
    ranks = rankdata(np.concatenate([negative, positive]))
    below = (ranks[len(negative) :] - rankdata(positive)) / len(negative)  # of each positive
    above = 1 - (ranks[: len(negative)] - rankdata(negative)) / len(positive)
    auc = float(below.mean())
    error = np.sqrt(below.var(ddof=1) / len(positive) + above.var(ddof=1) / len(negative))
    half = float(norm.ppf(0.975) * error)
    return Apart(auc, max(0.0, auc - half), min(1.0, auc + half), (len(negative), len(positive)))
