"""How well simple classifiers tell the classes apart by features: what a network is worth here."""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnnrun.errors import FeaturesError
from cnnrun.wording import listed

FOLDS_AT_MOST: Final = 5
NEIGHBOURS: Final = 5
_ITERATIONS: Final = 1000


class Labelled(Protocol):
    """What has a class, or an empty text for none."""

    @property
    def label(self) -> str:
        """The class."""


LabelledT = TypeVar("LabelledT", bound=Labelled)


@dataclass(frozen=True)
class Probed:
    """What a classifier reaches by cross-validation.

    Attributes:
        classifier: its name.
        accuracies: on each fold, of a classifier that was fitted to the others.
    """

    classifier: str
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean accuracy."""
        return float(np.mean(self.accuracies))

    @property
    def std(self) -> float:
        """The standard deviation between folds."""
        return float(np.std(self.accuracies, ddof=1))

    def as_json(self) -> dict[str, Any]:
        """The accuracies, their mean and spread."""
        return {
            "classifier": self.classifier,
            "accuracy": self.mean,
            "std": self.std,
            "folds": self.accuracies,
        }


def labelled_rows(rows: Iterable[LabelledT]) -> list[LabelledT]:
    """The rows of a manifest that have a label.

    Raises:
        FeaturesError: they are not of two classes at least, or a class has but one image.
    """
    labelled = [row for row in rows if row.label]
    counts = Counter(row.label for row in labelled)
    if len(counts) < 2:
        raise FeaturesError.at(
            "--probe",
            rule="needs images of two classes at least",
            received=f"only {next(iter(counts))}" if counts else "no labels",
            advice="lay them in class folders, or name them in a CSV file with path and label",
        )
    rare = [label for label, count in counts.items() if count < 2]
    if rare:
        raise FeaturesError.at(
            "--probe",
            rule="needs two images of every class at least",
            received=f"one of {listed(rare)}",
            advice="add another, or leave the class out",
        )
    return labelled


def probe_features(
    features: NDArray[Any], labels: Sequence[str], *, seed: int
) -> tuple[Probed, ...]:
    """The accuracy of a linear classifier and of nearest neighbours, by cross-validation.

    Folds are stratified: five, or as many as the smallest class has images. Features are
    standardized; the linear classifier is a logistic regression, neighbours are near by cosine.

    Args:
        features: `(images, ...)`, which are held in memory.
        labels: the class of each; of every class at least two images.
        seed: of the folds.
    """
    vectors = np.asarray(features).reshape(len(features), -1)
    smallest = min(Counter(labels).values())
    folds = StratifiedKFold(min(FOLDS_AT_MOST, smallest), shuffle=True, random_state=seed)
    fitted_to = len(labels) - -(-len(labels) // folds.get_n_splits())
    neighbours = min(NEIGHBOURS, fitted_to)
    classifiers = {
        "logistic regression": make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=_ITERATIONS)
        ),
        f"{neighbours} nearest neighbours": make_pipeline(
            StandardScaler(), KNeighborsClassifier(neighbours, metric="cosine")
        ),
    }
    with warnings.catch_warnings():
        # A regression that is still moving after a thousand steps is near enough.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return tuple(
            Probed(name, tuple(cross_val_score(classifier, vectors, list(labels), cv=folds)))
            for name, classifier in classifiers.items()
        )
