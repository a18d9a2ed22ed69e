"""What images add to numbers of several labels. Oracle: scikit-learn's metrics, with weights."""

import numpy as np
import pytest
from sklearn import metrics

from cnnrun.ablation.analysis.label_influences import average_precision, image_influences
from cnnrun.runs.predictions import LabelPredictions

STEP = 1e-6


def drawn(images: int, *, unknown: float = 0.0) -> LabelPredictions:
    """Probabilities with ties, of three labels."""
    random = np.random.default_rng(0)
    labels = (random.random((images, 3)) < (0.5, 0.3, 0.2)).astype(np.int32)
    scores = np.round(1 / (1 + np.exp(random.normal(size=labels.shape) - labels)), 2)
    labels[random.random(labels.shape) < unknown] = -1
    return LabelPredictions(
        tuple(map(str, range(images))), scores, labels, scores >= (0.5, 0.6, 0.4)
    )


def of_scikit_learn(predicted: LabelPredictions, metric: str, weights: np.ndarray) -> float:
    """The number where images count as often as their weights say."""
    labels, scores, said = predicted.labels, predicted.probabilities, predicted.said
    options = {"sample_weight": weights}
    compute = {
        "mean_average_precision": lambda: metrics.average_precision_score(
            labels, scores, **options
        ),
        "mean_roc_auc": lambda: metrics.roc_auc_score(labels, scores, **options),
        "micro_average_precision": lambda: metrics.average_precision_score(
            labels, scores, average="micro", **options
        ),
        "micro_f1": lambda: metrics.f1_score(labels, said, average="micro", **options),
        "macro_f1": lambda: metrics.f1_score(labels, said, average="macro", **options),
        "samples_f1": lambda: metrics.f1_score(
            labels, said, average="samples", zero_division=1.0, **options
        ),
        "exact_match": lambda: metrics.accuracy_score(labels, said, **options),
        "hamming_loss": lambda: metrics.hamming_loss(labels, said, **options),
        "accuracy": lambda: 1 - metrics.hamming_loss(labels, scores > 0.5, **options),
    }
    return float(compute[metric]())


@pytest.mark.parametrize(
    "metric",
    [
        "mean_average_precision",
        "mean_roc_auc",
        "micro_average_precision",
        "micro_f1",
        "macro_f1",
        "samples_f1",
        "exact_match",
        "hamming_loss",
        "accuracy",
    ],
)
def test_an_image_adds_what_its_weight_changes(metric: str) -> None:
    predicted = drawn(40)
    number = of_scikit_learn(predicted, metric, np.ones(40))
    changes = [
        (of_scikit_learn(predicted, metric, np.ones(40) + STEP * one) - number) / STEP
        for one in np.eye(40)
    ]
    found = image_influences(predicted, f"test_{metric}")
    np.testing.assert_allclose(found, number + 40 * np.array(changes), atol=1e-3)
    assert found.mean() == pytest.approx(number, abs=1e-12)


def test_unknown_labels_add_nothing() -> None:
    predicted = drawn(60, unknown=0.3)
    known = predicted.labels[:, 0] >= 0
    number, derivatives = average_precision(predicted.probabilities[:, 0], predicted.labels[:, 0])
    expected = metrics.average_precision_score(
        predicted.labels[known, 0], predicted.probabilities[known, 0]
    )
    assert number == pytest.approx(expected)
    assert (derivatives[~known] == 0).all()
    assert abs(derivatives.sum()) < 1e-12
    assert derivatives[known].any()


def test_a_label_that_no_image_has_is_left_out() -> None:
    predicted = drawn(40)
    predicted.labels[:, 2] = 0
    found = image_influences(predicted, "test_mean_average_precision")
    expected = metrics.average_precision_score(
        predicted.labels[:, :2], predicted.probabilities[:, :2]
    )
    assert found.mean() == pytest.approx(expected)
    predicted.labels[:] = -1
    assert image_influences(predicted, "test_mean_average_precision") is None


def test_their_error_is_that_of_resamples_of_whole_images() -> None:
    predicted = drawn(300)
    found = image_influences(predicted, "test_mean_average_precision")
    random = np.random.default_rng(1)
    resampled = [
        metrics.average_precision_score(predicted.labels[rows], predicted.probabilities[rows])
        for rows in random.integers(300, size=(120, 300))
    ]
    assert found.std(ddof=1) / 300**0.5 == pytest.approx(np.std(resampled), rel=0.2)
