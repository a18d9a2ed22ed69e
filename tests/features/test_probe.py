"""Probes reach what scikit-learn's own classifiers reach on the same folds."""

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from cnnrun.errors import FeaturesError
from cnnrun.features.probe import labelled_rows, probe_features


@dataclass(frozen=True)
class Row:
    label: str


def two_clouds(images: int) -> tuple[np.ndarray, list[str]]:
    """Two classes that overlap a little, in maps of 2x2x3."""
    random = np.random.default_rng(0)
    labels = ["ab"[number % 2] for number in range(images)]
    shift = np.array([float(label == "b") for label in labels])
    return random.normal(size=(images, 2, 2, 3)) + shift[:, None, None, None], labels


def test_the_linear_classifier_is_fitted_to_the_other_folds() -> None:
    features, labels = two_clouds(60)
    linear, neighbours = probe_features(features, labels, seed=3)
    vectors, expected = features.reshape(60, 12), []
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    for fitted, tested in folds.split(vectors, labels):
        scaler = StandardScaler().fit(vectors[fitted])
        truth = np.array(labels)
        classifier = LogisticRegression(max_iter=1000)
        classifier.fit(scaler.transform(vectors[fitted]), truth[fitted])
        expected.append(classifier.score(scaler.transform(vectors[tested]), truth[tested]))
    assert linear.accuracies == pytest.approx(expected)
    assert linear.mean == pytest.approx(np.mean(expected))
    assert linear.std == pytest.approx(np.std(expected, ddof=1))
    assert neighbours.classifier == "5 nearest neighbours"
    assert neighbours.mean > 0.6


def test_few_images_have_few_folds_and_neighbours() -> None:
    features, labels = two_clouds(5)
    linear, neighbours = probe_features(features, labels, seed=0)
    assert len(linear.accuracies) == 2
    assert neighbours.classifier == "2 nearest neighbours"


def test_images_without_a_label_are_left_out() -> None:
    rows = [Row("a"), Row(""), Row("b"), Row("a"), Row("b")]
    assert labelled_rows(rows) == [rows[0], *rows[2:]]


@pytest.mark.parametrize("labels", [["", ""], ["a", "a"], ["a", "a", "b", "c"]], ids="".join)
def test_labels_that_cannot_be_probed(labels: list[str], snapshot) -> None:
    with pytest.raises(FeaturesError) as refused:
        labelled_rows(map(Row, labels))
    assert str(refused.value) == snapshot
