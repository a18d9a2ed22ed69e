"""Loss, weights and metrics of several labels an image. Oracles: Keras, scikit-learn, NumPy."""

from typing import Any

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from cnnrun.assembly.measuring import measures
from cnnrun.assembly.targets import Output, class_probabilities, label_weights
from cnnrun.config.values import KerasCall
from cnnrun.models.losses import loss_object

GENERATOR = np.random.default_rng(0)
LABELS = (GENERATOR.random((40, 3)) < 0.4).astype(np.float32)
GIVEN = GENERATOR.random((40, 3)).astype(np.float32)
SOME_UNKNOWN = np.where(GENERATOR.random((40, 3)) < 0.3, -1, LABELS).astype(np.float32)
LOSSES = [
    ("BinaryCrossentropy", {}),
    ("BinaryCrossentropy", {"label_smoothing": 0.1, "from_logits": True}),
    ("BinaryFocalCrossentropy", {"gamma": 1.5, "label_smoothing": 0.1}),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "from_logits": True}),
]


def clipped_cross_entropy(labels: np.ndarray, given: np.ndarray) -> np.ndarray:
    given = np.clip(given.astype(np.float64), 1e-7, 1 - 1e-7)
    return -np.where(labels == 1, np.log(given), np.log(1 - given))


@pytest.mark.parametrize(("name", "arguments"), LOSSES)
def test_of_known_labels_it_is_the_loss_of_keras(name: str, arguments: dict[str, Any]) -> None:
    ours = loss_object(KerasCall("losses", name, arguments), by_label=True)
    theirs = getattr(keras.losses, name)(**arguments)

    assert float(ours(LABELS, GIVEN)) == pytest.approx(float(theirs(LABELS, GIVEN)), rel=1e-6)


def test_unknown_labels_count_nothing() -> None:
    """The mean over images of the mean over the labels of each that are known."""
    loss = loss_object(KerasCall("losses", "bce"), by_label=True)
    known = SOME_UNKNOWN >= 0

    each = clipped_cross_entropy(SOME_UNKNOWN, GIVEN) * known
    wanted = (each.sum(axis=1) / np.maximum(known.sum(axis=1), 1)).mean()

    assert float(loss(SOME_UNKNOWN, GIVEN)) == pytest.approx(wanted, rel=1e-5)


def test_balanced_weights_are_those_of_scikit_learn_for_each_label() -> None:
    matrix, training = SOME_UNKNOWN.astype(np.int32), np.arange(30)

    weights = label_weights(matrix, training)

    for label in range(3):
        rows = training[matrix[training, label] >= 0]
        wanted = compute_sample_weight("balanced", matrix[rows, label])
        assert weights[rows, label] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("BinaryAccuracy", {}),
        ("Precision", {}),
        ("Recall", {"thresholds": 0.3}),
        ("AUC", {}),
        ("AUC", {"curve": "PR", "multi_label": True}),
        ("F1Score", {"threshold": 0.5, "average": "micro"}),
        ("FBetaScore", {"threshold": 0.5, "average": "macro"}),
    ],
)
@pytest.mark.parametrize("scale", ["independent", "logits"])
def test_metrics_are_those_of_keras_over_what_is_known(
    name: str, arguments: dict[str, Any], scale: Any
) -> None:
    """Of labels all known; and of unknown ones, that of the same metric where they are changed."""
    output = Output(3, scale, is_multi_label=True)
    given = GIVEN if scale == "independent" else np.log(GIVEN / (1 - GIVEN))
    (ours,) = measures([KerasCall("metrics", name, arguments)], output)
    theirs = getattr(keras.metrics, name)(**arguments)

    ours.update_state(LABELS, given)
    theirs.update_state(LABELS, GIVEN)
    assert np.asarray(ours.result()) == pytest.approx(np.asarray(theirs.result()), abs=1e-5)

    values = []
    for unknown in (0.0, 1.0):
        ours.reset_state()
        other = np.where(SOME_UNKNOWN < 0, unknown, GIVEN)
        ours.update_state(
            SOME_UNKNOWN,
            other if scale == "independent" else np.log((other + 1e-7) / (1 - other + 1e-7)),
        )
        values.append(np.asarray(ours.result()))
    assert values[0] == pytest.approx(values[1], abs=1e-5)


def test_accuracy_is_the_share_of_known_labels_that_are_right() -> None:
    (accuracy,) = measures(
        [KerasCall("metrics", "accuracy")], Output(3, "independent", is_multi_label=True)
    )

    accuracy.update_state(SOME_UNKNOWN, GIVEN)

    known = SOME_UNKNOWN >= 0
    wanted = ((GIVEN > 0.5) == (SOME_UNKNOWN == 1))[known].mean()
    assert float(accuracy.result()) == pytest.approx(wanted)


def test_probabilities_of_labels_are_their_own() -> None:
    logits = np.array([[0.0, 3.0], [-2.0, -1.0]])

    given = class_probabilities(logits, Output(2, "logits", is_multi_label=True))

    assert given == pytest.approx(1 / (1 + np.exp(-logits)))


def test_a_mixed_image_has_the_labels_of_which_it_has_more_than_half() -> None:
    mixed = np.array([[0.7, 0.5, -1], [0.2, 1.0, 0.0]], np.float32)
    rounded = np.array([[1, 0, -1], [0, 1, 0]], np.float32)
    given = np.array([[0.9, 0.6, 0.4], [0.3, 0.8, 0.7]], np.float32)
    for name in ("accuracy", "AUC", "Recall", "F1Score"):
        ours, theirs = (
            measures([KerasCall("metrics", name)], Output(3, "independent", is_multi_label=True))[0]
            for _ in range(2)
        )
        ours.update_state(mixed, given)
        theirs.update_state(rounded, given)
        np.testing.assert_allclose(ours.result(), theirs.result())
