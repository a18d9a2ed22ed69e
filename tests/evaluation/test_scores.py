"""Scores agree with scikit-learn and SciPy, and their intervals cover what they promise."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import DataError
from cnnrun.evaluation.scores import (
    Scores,
    most_confident_mistakes,
    score_probabilities,
)


def score(probabilities: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> Scores:
    given_to_truth = probabilities[np.arange(len(labels)), labels]
    losses = -np.log(np.maximum(given_to_truth, 1e-7))
    return score_probabilities(probabilities, labels, per_image_loss=losses, seed=seed)


def problem(*, images: int, classes: int, right: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `(images, classes)` of which a share `right` has its label on top."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, 0.2), size=images).astype(np.float32)
    others = random.integers(classes, size=images)
    labels = np.where(random.random(images) < right, probabilities.argmax(axis=1), others)
    return probabilities, labels.astype(np.int32)


PROBLEMS = st.builds(
    problem,
    images=st.integers(1, 60),
    classes=st.integers(2, 12),
    right=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)


@given(PROBLEMS)
def test_scores_are_those_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    """Few images for many classes: some classes lack images, others are never predicted."""
    probabilities, labels = drawn
    predicted, classes = probabilities.argmax(axis=1), range(probabilities.shape[1])
    scores = score(probabilities, labels)
    assert scores.accuracy == pytest.approx(accuracy_score(labels, predicted))
    np.testing.assert_array_equal(
        scores.confusion, confusion_matrix(labels, predicted, labels=classes)
    )
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0
    )
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, f1)
    np.testing.assert_array_equal(scores.support, support)
    assert scores.macro_f1 == pytest.approx(
        f1_score(labels, predicted, average="macro", zero_division=0)
    )


@given(PROBLEMS)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_balanced_accuracy_is_that_of_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = drawn
    expected = balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    assert score(probabilities, labels).balanced_accuracy == pytest.approx(expected)


@given(PROBLEMS)
def test_intervals_are_ordered_and_hold_shares(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores = score(*drawn)
    for name, (low, high) in scores.intervals.items():
        assert low <= high
        assert low >= 0
        assert name == "loss" or high <= 1
    low, high = scores.intervals["accuracy"]
    assert low <= scores.accuracy <= high


def test_bootstrap_intervals_are_those_of_drawing_images() -> None:
    """The oracle draws images one by one and asks scikit-learn about each resample."""
    probabilities, labels = problem(images=150, classes=5, right=0.8, seed=1)
    scores = score(probabilities, labels)
    predicted = probabilities.argmax(axis=1)
    losses = -np.log(probabilities[np.arange(150), labels] + 1e-7)
    random = np.random.default_rng(5)
    balanced, f1, loss = [], [], []
    for _ in range(500):
        drawn = random.integers(150, size=150)
        balanced.append(balanced_accuracy_score(labels[drawn], predicted[drawn]))
        f1.append(f1_score(labels[drawn], predicted[drawn], average="macro"))
        loss.append(losses[drawn].mean())
    for name, draws in {"balanced_accuracy": balanced, "macro_f1": f1, "loss": loss}.items():
        expected = np.quantile(draws, [0.025, 0.975])
        tolerance = 0.2 * (expected[1] - expected[0])  # both sides are simulations
        np.testing.assert_allclose(scores.intervals[name], expected, atol=tolerance)


def test_intervals_cover_the_truth() -> None:
    """300 test sets of 200 images, drawn where the true accuracy .9 and mean loss 1 are known."""
    random = np.random.default_rng(7)
    covered = {"loss": 0, "accuracy": 0, "balanced_accuracy": 0}
    true_values = {"loss": 1.0, "accuracy": 0.9, "balanced_accuracy": 0.9}
    for repeat in range(300):
        labels = random.integers(4, size=200)
        called = np.where(random.random(200) < 0.9, labels, (labels + 1) % 4)
        scores = score_probabilities(
            np.eye(4)[called], labels, per_image_loss=random.exponential(size=200), seed=repeat
        )
        for name, truth in true_values.items():
            low, high = scores.intervals[name]
            covered[name] += low <= truth <= high
    for name, count in covered.items():
        assert 0.915 <= count / 300 <= 0.985, name  # .95, give or take 2.8 standard errors


def test_the_same_seed_gives_the_same_intervals() -> None:
    probabilities, labels = problem(images=100, classes=3, right=0.7, seed=2)
    first, again, other = (score(probabilities, labels, seed=seed) for seed in (0, 0, 1))
    assert first.intervals == again.intervals
    assert first.intervals["loss"] != other.intervals["loss"]
    assert first.intervals["accuracy"] == other.intervals["accuracy"]


def test_scoring_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()
    score(*problem(images=20, classes=3, right=0.7, seed=2))
    np.testing.assert_array_equal(before, np.random.get_state()[1])


def test_one_right_image() -> None:
    scores = score(np.array([[0.1, 0.9]]), np.array([1]))
    assert (scores.accuracy, scores.balanced_accuracy, scores.macro_f1) == (1, 1, 1)
    low, high = scores.intervals["accuracy"]
    assert (round(low, 3), high) == (0.207, 1.0)


def test_a_loss_that_is_not_finite_is_passed_on() -> None:
    scores = score_probabilities(
        np.array([[0.1, 0.9], [0.9, 0.1]]),
        np.array([1, 0]),
        per_image_loss=np.array([np.nan, 1.0]),
        seed=0,
    )
    assert math.isnan(scores.loss)
    assert scores.accuracy == 1


def test_no_images_are_named(snapshot: SnapshotAssertion) -> None:
    with pytest.raises(DataError) as raised:
        score(np.zeros((0, 3)), np.zeros(0, dtype=np.int32))
    assert str(raised.value) == snapshot


def test_json_is_what_scripts_read(snapshot: SnapshotAssertion) -> None:
    scores = score(np.array([[0.25, 0.75], [0.5, 0.5], [0.25, 0.75]]), np.array([1, 0, 0]))
    written = scores.as_json()
    assert written["accuracy"] == pytest.approx(2 / 3)
    assert written["images"] == 3
    names = {"loss", "accuracy", "balanced_accuracy", "macro_f1", "ece"}
    assert set(written["intervals"]) == names
    assert scores.classes_as_json(["cat", "dog"]) == snapshot


def test_the_most_confident_mistakes_come_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 0, 1])
    rows = most_confident_mistakes(probabilities, labels, count=2)
    assert rows.tolist() == [2, 3]
    assert most_confident_mistakes(probabilities, labels, count=9).tolist() == [2, 3, 1]
    assert most_confident_mistakes(np.eye(2), np.array([0, 1]), count=9).tolist() == []


def test_memory_does_not_grow_with_the_resamples() -> None:
    """10,000 images and 100 classes: 2,000 resamples of all at once would take 160 MB and more."""
    probabilities, labels = problem(images=10_000, classes=100, right=0.7, seed=3)
    tracemalloc.start()
    score(probabilities, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


def test_the_calibration_error_is_the_one_of_its_own_module() -> None:
    """Oracle: the distances of 15 bins, summed (Guo et al. 2017)."""
    probabilities, labels = problem(images=300, classes=4, right=0.7, seed=3)
    confidences = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    numbers = np.ceil(confidences * 15)
    expected = sum(
        (numbers == each).mean()
        * abs(confidences[numbers == each].mean() - is_right[numbers == each].mean())
        for each in np.unique(numbers)
    )
    scores = score(probabilities, labels)
    assert scores.ece == pytest.approx(expected, rel=1e-5)
    low, high = scores.intervals["ece"]
    assert low <= scores.ece <= high
    assert scores.as_json()["ece"] == scores.ece
