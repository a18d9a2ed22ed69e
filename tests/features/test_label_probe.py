"""Probes of several labels say what scikit-learn's own classifiers say, unknown labels left out."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cnnrun.errors import FeaturesError
from cnnrun.features.label_probe import (
    label_folds,
    learnable_labels,
    neighbours_share,
    probe_labels,
    refuse_unlearnable,
    unseen_probabilities,
)


def clouds(images: int, *, unknown: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Maps of 2x2x3 that three labels shift, some of them not known."""
    random = np.random.default_rng(0)
    labels = (random.random((images, 3)) < (0.5, 0.3, 0.2)).astype(np.int32)
    features = random.normal(size=(images, 2, 2, 3)) + labels[:, None, None, :]
    labels[random.random(labels.shape) < unknown] = -1
    return features, labels


def test_each_label_is_told_by_a_classifier_of_its_own_against_the_rest() -> None:
    features, labels = clouds(80)
    linear, neighbours = probe_labels(features, labels, seed=3)
    folds, vectors = label_folds(labels, seed=3), features.reshape(80, 12)
    for classifier, found in (
        (OneVsRestClassifier(LogisticRegression(max_iter=1000)), linear),
        (OneVsRestClassifier(KNeighborsClassifier(5, metric="cosine")), neighbours),
    ):
        for fold in range(5):
            expected = make_pipeline(StandardScaler(), classifier)
            expected.fit(vectors[folds != fold], labels[folds != fold])
            np.testing.assert_allclose(
                found.probabilities[folds == fold],
                expected.predict_proba(vectors[folds == fold]),
                atol=1e-6,
            )
    assert (linear.folds, neighbours.classifier) == (5, "5 nearest neighbours")


def test_images_of_which_a_label_is_unknown_do_not_fit_its_classifier() -> None:
    features, labels = clouds(120, unknown=0.3)
    linear, _ = probe_labels(features, labels, seed=0)
    folds, vectors = label_folds(labels, seed=0), features.reshape(120, 12)
    for label in range(3):
        known = (folds != 0) & (labels[:, label] >= 0)
        scaler = StandardScaler().fit(vectors[folds != 0])
        expected = LogisticRegression(max_iter=1000)
        expected.fit(scaler.transform(vectors[known]), labels[known, label])
        np.testing.assert_allclose(
            linear.probabilities[folds == 0, label],
            expected.predict_proba(scaler.transform(vectors[folds == 0]))[:, 1],
            atol=1e-6,
        )


def test_folds_share_labels_out_and_depend_on_the_seed_alone() -> None:
    _, labels = clouds(100)
    folds = label_folds(labels, seed=1)
    assert np.bincount(folds).tolist() == [20] * 5
    of_folds = np.stack([(labels[folds == fold] == 1).sum(axis=0) for fold in range(5)])
    assert np.ptp(of_folds, axis=0).max() <= 2
    np.testing.assert_array_equal(folds, label_folds(labels, seed=1))
    assert (folds != label_folds(labels, seed=2)).any()


def test_of_neighbours_those_count_of_which_a_label_is_known() -> None:
    labels = np.array([[1, -1], [0, -1], [1, 1], [-1, 0]], np.int32)
    shares = neighbours_share(labels, np.array([[0, 1, 3], [0, 1, 0]]))
    np.testing.assert_allclose(shares, [[1 / 2, 0.0], [2 / 3, 1 / 2]])


def test_where_all_that_is_known_is_the_same_it_is_what_is_said() -> None:
    features, labels = clouds(6)
    labels[:] = [[1, 0, -1]] * 6
    told = unseen_probabilities(
        features.reshape(6, 12),
        labels,
        np.arange(6) % 2,
        make_pipeline(StandardScaler(), LogisticRegression()),
    )
    np.testing.assert_array_equal(told, [[1, 0, 0.5]] * 6)


def test_few_known_images_have_few_folds() -> None:
    _, labels = clouds(20)
    labels[:, 0] = -1
    labels[[0, 1], 0], labels[[2, 3], 0] = 1, 0
    assert label_folds(labels, seed=0).max() == 1


def test_labels_of_which_too_little_is_known_are_named(snapshot) -> None:
    labels = np.array([[1, 1], [0, 1], [0, 1], [-1, -1]], np.int32)
    assert learnable_labels(labels).tolist() == []
    with pytest.raises(FeaturesError) as refused:
        refuse_unlearnable(labels, ("mouse", "dog"))
    assert str(refused.value) == snapshot
