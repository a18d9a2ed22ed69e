"""Losses and the form of labels; the oracles are Keras and scikit-learn."""

import keras
import numpy as np
import pytest
from scipy.special import log_expit, log_softmax
from sklearn.utils.class_weight import compute_class_weight

from cnnrun.assembly.targets import (
    Output,
    class_probabilities,
    class_weights,
    default_loss,
    encode_labels,
    log_probabilities,
    output_of,
    target_form,
)
from cnnrun.config.values import KerasCall

LABELS = np.array([0, 2, 1, 2], dtype=np.int32)


def network(*last: keras.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((4,)), *last])


@pytest.mark.parametrize(
    ("last", "output"),
    [
        ([keras.layers.Dense(3, activation="softmax")], Output(3, "probabilities")),
        ([keras.layers.Dense(3)], Output(3, "logits")),
        ([keras.layers.Dense(3), keras.layers.Softmax()], Output(3, "probabilities")),
        ([keras.layers.Dense(3), keras.layers.Activation("softmax")], Output(3, "probabilities")),
        ([keras.layers.Dense(3, activation="sigmoid")], Output(3, "independent")),
        ([keras.layers.Dense(1, activation="sigmoid")], Output(1, "independent")),
        ([keras.layers.Dense(1)], Output(1, "logits")),
        (
            [
                keras.layers.Dense(3, activation="softmax", dtype="bfloat16"),
                keras.layers.Activation("linear", dtype="float32"),
            ],
            Output(3, "probabilities"),
        ),
    ],
)
def test_output_is_read_off_the_last_layer(last: list[keras.Layer], output: Output) -> None:
    assert output_of(network(*last), None) == output


@pytest.mark.parametrize(
    ("output", "name", "arguments"),
    [
        (Output(3, "probabilities"), "SparseCategoricalCrossentropy", {}),
        (Output(3, "logits"), "SparseCategoricalCrossentropy", {"from_logits": True}),
        (Output(3, "independent"), "BinaryCrossentropy", {}),
        (Output(1, "independent"), "BinaryCrossentropy", {}),
        (Output(1, "logits"), "BinaryCrossentropy", {"from_logits": True}),
    ],
)
def test_loss_follows_from_the_last_layer(
    output: Output, name: str, arguments: dict[str, bool]
) -> None:
    loss = default_loss(output, mixes_labels=False)
    assert (loss.name, loss.arguments) == (name, arguments)
    of_mixed = default_loss(output, mixes_labels=True)
    assert (of_mixed.name, of_mixed.arguments) == (name.removeprefix("Sparse"), arguments)


@pytest.mark.parametrize(
    ("name", "units", "form"),
    [
        ("SparseCategoricalCrossentropy", 3, "numbers"),
        ("sparse_categorical_crossentropy", 3, "numbers"),
        ("CategoricalCrossentropy", 3, "one_hot"),
        ("CategoricalFocalCrossentropy", 3, "one_hot"),
        ("categorical_hinge", 3, "one_hot"),
        ("BinaryCrossentropy", 1, "column"),
        ("binary_crossentropy", 3, "one_hot"),
        ("MeanSquaredError", 3, "one_hot"),
    ],
)
def test_labels_take_the_form_that_the_loss_compares_with(name: str, units: int, form: str) -> None:
    assert target_form(KerasCall("losses", name), Output(units, "probabilities")) == form


def test_sparse_and_one_hot_labels_give_keras_the_same_loss() -> None:
    predictions = np.random.default_rng(0).dirichlet(np.ones(3), size=4).astype(np.float32)
    sparse = encode_labels(LABELS, form="numbers", classes=3)
    one_hot = encode_labels(LABELS, form="one_hot", classes=3)
    np.testing.assert_allclose(
        keras.losses.SparseCategoricalCrossentropy()(sparse, predictions),
        keras.losses.CategoricalCrossentropy()(one_hot, predictions),
        rtol=1e-6,
    )
    np.testing.assert_array_equal(one_hot, keras.utils.to_categorical(LABELS, 3))


def test_logits_become_probabilities_as_keras_makes_them() -> None:
    logits = np.random.default_rng(0).normal(scale=50, size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        class_probabilities(logits, Output(3, "logits")),
        keras.ops.convert_to_numpy(keras.ops.softmax(logits)),
        atol=1e-6,
    )
    one = logits[:, :1]
    positive = keras.ops.convert_to_numpy(keras.ops.sigmoid(one))
    expected = np.concatenate([1 - positive, positive], axis=1)
    for output, values in ((Output(1, "logits"), one), (Output(1, "independent"), positive)):
        np.testing.assert_allclose(class_probabilities(values, output), expected, atol=1e-6)


def test_independent_sigmoids_sum_to_one_even_when_all_are_zero() -> None:
    values = np.array([[0.5, 0.5, 1.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(
        class_probabilities(values, Output(3, "independent")),
        [[0.25, 0.25, 0.5], [1 / 3, 1 / 3, 1 / 3]],
    )


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    np.testing.assert_allclose(
        class_weights("balanced", LABELS, ("a", "b", "c")),
        compute_class_weight("balanced", classes=np.arange(3), y=LABELS),
        rtol=1e-6,
    )


def test_classes_that_a_mapping_leaves_out_weigh_one() -> None:
    weights = class_weights({"b": 3.0}, LABELS, ("a", "b", "c"))
    assert weights.tolist() == [1.0, 3.0, 1.0]


@pytest.mark.parametrize("scale", ["probabilities", "independent", "logits", "values"])
@pytest.mark.parametrize("units", [1, 4])
def test_log_probabilities_are_those_of_the_probabilities(units: int, scale: str) -> None:
    random = np.random.default_rng(3)
    predictions = random.normal(size=(20, units)).astype(np.float32)
    if scale in ("probabilities", "independent") or units == 1:
        predictions = random.uniform(0.01, 0.99, (20, units)).astype(np.float32)
    output = Output(units, scale)  # type: ignore[arg-type]
    np.testing.assert_allclose(
        np.exp(log_probabilities(predictions, output)),
        class_probabilities(predictions, output),
        atol=1e-12,
    )


@pytest.mark.parametrize("certain", [[[0.0]], [[1.0]], [[1.0, 0.0, 0.0]]])
def test_certain_predictions_have_finite_log_probabilities(certain: list[list[float]]) -> None:
    predictions = np.array(certain, np.float32)
    for scale in ("probabilities", "independent"):
        found = log_probabilities(predictions, Output(predictions.shape[1], scale))  # type: ignore[arg-type]
        assert np.isfinite(found).all()
        np.testing.assert_allclose(np.exp(found).sum(axis=1), 1)


def test_logits_lose_nothing_beyond_what_a_probability_can_say() -> None:
    """Oracle: SciPy's log_softmax and log_expit."""
    logits = np.array([[200.0, -100.0, 0.0]], np.float32)
    np.testing.assert_allclose(
        log_probabilities(logits, Output(3, "logits")), log_softmax(logits.astype(float), axis=1)
    )
    np.testing.assert_allclose(
        log_probabilities(np.array([[-200.0]], np.float32), Output(1, "logits")),
        [[log_expit(200.0), log_expit(-200.0)]],
    )
