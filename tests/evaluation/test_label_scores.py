"""Scores of several labels an image. Oracle: scikit-learn's metrics on the same arrays."""

import numpy as np
import pytest
from sklearn import metrics

from cnnrun.config.train_section import ThresholdsSpec
from cnnrun.evaluation.label_scores import LabelScores, score_labels
from cnnrun.evaluation.label_thresholds import choose_thresholds


def drawn(
    images: int = 200, labels: int = 5, *, seed: int = 0, levels: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with ties, and labels of which some images have none."""
    generator = np.random.default_rng(seed)
    truth = (generator.random((images, labels)) < 0.3).astype(np.int32)
    noise = generator.normal(size=(images, labels))
    return np.round(1 / (1 + np.exp(-(2 * truth - 1 + noise))) * levels) / levels, truth


def scored(probabilities: np.ndarray, labels: np.ndarray, *, threshold: float = 0.5) -> LabelScores:
    return score_labels(
        probabilities,
        labels,
        thresholds=np.full(labels.shape[1], threshold),
        per_image_loss=np.abs(probabilities - labels).mean(axis=1),
        seed=0,
    )


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_those_of_scikit_learn(seed: int) -> None:
    probabilities, labels = drawn(seed=seed)
    said = probabilities >= 0.5

    scores = scored(probabilities, labels)

    averages = {
        kind: metrics.precision_recall_fscore_support(
            labels, said, average=kind, zero_division=1.0 if kind == "samples" else 0.0
        )[:3]
        for kind in ("micro", "macro", "samples")
    }
    wanted = {
        "mean_average_precision": metrics.average_precision_score(labels, probabilities),
        "micro_average_precision": metrics.average_precision_score(
            labels, probabilities, average="micro"
        ),
        "mean_roc_auc": metrics.roc_auc_score(labels, probabilities),
        "micro_f1": averages["micro"][2],
        "macro_f1": averages["macro"][2],
        "samples_f1": averages["samples"][2],
        "exact_match": metrics.accuracy_score(labels, said),
        "hamming_loss": metrics.hamming_loss(labels, said),
        "loss": np.abs(probabilities - labels).mean(),
    }
    assert scores.metrics == pytest.approx(wanted, rel=1e-12)
    for kind, values in averages.items():
        assert tuple(scores.averages[kind].values()) == pytest.approx(values, rel=1e-12)
    each = metrics.precision_recall_fscore_support(labels, said, zero_division=0.0)[:3]
    for name, values in zip(("precision", "recall", "f1"), each, strict=True):
        assert scores.of_labels[name] == pytest.approx(values, rel=1e-12)
    assert (scores.confusion == metrics.multilabel_confusion_matrix(labels, said)).all()


def test_unknown_labels_count_nothing() -> None:
    """Oracle: scikit-learn on the entries of a label that are known."""
    probabilities, labels = drawn(seed=4)
    labels[np.random.default_rng(5).random(labels.shape) < 0.3] = -1

    scores = scored(probabilities, labels)

    known = labels >= 0
    for label in range(labels.shape[1]):
        rows = known[:, label]
        truth, given = labels[rows, label], probabilities[rows, label]
        assert scores.of_labels["average_precision"][label] == pytest.approx(
            metrics.average_precision_score(truth, given)
        )
        assert scores.of_labels["roc_auc"][label] == pytest.approx(
            metrics.roc_auc_score(truth, given)
        )
        assert scores.of_labels["f1"][label] == pytest.approx(metrics.f1_score(truth, given >= 0.5))
    assert scores.metrics["micro_f1"] == pytest.approx(
        metrics.f1_score(labels[known], probabilities[known] >= 0.5)
    )
    assert scores.metrics["hamming_loss"] == pytest.approx(
        (labels[known] != (probabilities[known] >= 0.5)).mean()
    )


def test_a_label_that_no_image_has_is_left_out_of_the_mean() -> None:
    probabilities, labels = drawn(seed=1)
    labels[:, 2] = 0

    scores = scored(probabilities, labels)

    others = [0, 1, 3, 4]
    assert np.isnan(scores.of_labels["average_precision"][2])
    assert scores.metrics["mean_average_precision"] == pytest.approx(
        metrics.average_precision_score(labels[:, others], probabilities[:, others])
    )
    assert scores.classes_as_json("abcde")[2]["roc_auc"] is None


def test_intervals_keep_images_whole() -> None:
    """Oracle: a bootstrap of images in plain scikit-learn, each image with all of its labels."""
    probabilities, labels = drawn(150, 2, seed=2)
    probabilities, labels = np.repeat(probabilities, 2, 1), np.repeat(labels, 2, 1)

    scores = scored(probabilities, labels)

    generator = np.random.default_rng(1)
    draws = []
    for _ in range(150):
        rows = generator.integers(len(labels), size=len(labels))
        draws.append(metrics.average_precision_score(labels[rows], probabilities[rows]))
    low, high = np.quantile(draws, [0.025, 0.975])
    assert scores.intervals["mean_average_precision"] == pytest.approx((low, high), abs=0.035)


def test_thresholds_have_the_largest_f1() -> None:
    """Oracle: every threshold that there is, tried in scikit-learn."""
    probabilities, labels = drawn(seed=3)

    chosen = choose_thresholds(probabilities, labels, spec=ThresholdsSpec(), names=tuple("abcde"))

    for label, threshold in enumerate(chosen.values):
        given, truth = probabilities[:, label], labels[:, label]
        best = max(metrics.f1_score(truth, given >= each) for each in np.unique(given))
        assert metrics.f1_score(truth, given >= threshold) == pytest.approx(best)


def test_a_wanted_precision_is_reached_with_as_many_hits_as_can_be() -> None:
    probabilities, labels = drawn(seed=6)
    spec = ThresholdsSpec(each=False, by="precision", at_least=0.8)

    chosen = choose_thresholds(probabilities, labels, spec=spec, names=tuple("abcde"))

    assert len(set(chosen.values.tolist())) == 1
    said = probabilities >= chosen.values
    assert metrics.precision_score(labels.ravel(), said.ravel()) >= 0.8
    lower = probabilities[probabilities < chosen.values[0]].max()
    tried = [
        (metrics.precision_score(labels.ravel(), (probabilities >= each).ravel()))
        for each in np.unique(probabilities[probabilities <= lower])
    ]
    assert max(tried) < 0.8


def test_what_thresholds_cannot_be_chosen_on_is_said(snapshot: object) -> None:
    probabilities, labels = drawn(20, 2, seed=7)
    labels[:, 1] = -1
    strict = ThresholdsSpec(by="precision", at_least=1.0)
    labels[np.argmax(probabilities[:, 0]), 0] = 0

    assert choose_thresholds(probabilities, labels, spec=strict, names=("a", "b")).notes == snapshot
    nothing = choose_thresholds(probabilities[:0], labels[:0], spec=strict, names=("a", "b"))
    assert (nothing.values == 0.5).all()
    assert nothing.notes == snapshot
