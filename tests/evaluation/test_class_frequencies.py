"""The oracle is scikit-learn's DummyClassifier with the strategy "prior"."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, log_loss

from cnnrun.assembly.targets import Output, class_probabilities
from cnnrun.evaluation.class_frequencies import (
    baseline_accuracies,
    class_frequencies,
    constant_predictions,
)

LABELS = {
    2: np.array([0, 0, 0, 1, 1, 0, 1, 0], np.int32),
    3: np.array([0, 2, 2, 1, 2, 0, 2, 1, 2], np.int32),
}


@pytest.mark.parametrize(
    ("classes", "output"),
    [
        (3, Output(3, "probabilities")),
        (3, Output(3, "independent")),
        (3, Output(3, "logits")),
        (2, Output(1, "independent")),
        (2, Output(1, "logits")),
    ],
)
def test_a_constant_prediction_scores_as_the_prior_does(classes: int, output: Output) -> None:
    labels = LABELS[classes]
    images = np.zeros((len(labels), 1))
    prior = DummyClassifier(strategy="prior").fit(images, labels)
    constant = constant_predictions(class_frequencies(labels, classes), output, images=len(labels))
    assert constant.shape == (len(labels), output.units)
    assert constant.dtype == np.float32
    probabilities = class_probabilities(constant, output)
    expected = prior.predict_proba(images)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-6)
    assert log_loss(labels, probabilities) == pytest.approx(log_loss(labels, expected), rel=1e-6)
    predicted = probabilities.argmax(axis=1)
    assert accuracy_score(labels, predicted) == accuracy_score(labels, prior.predict(images))


def test_baselines_are_those_of_scikit_learn() -> None:
    """Oracle: scikit-learn's DummyClassifier, which always takes the commonest class."""
    random = np.random.default_rng(0)
    training, test = random.choice(4, 50, p=[0.1, 0.5, 0.2, 0.2]), random.choice(4, 20)
    dummy = DummyClassifier(strategy="most_frequent").fit(training[:, None], training)
    assert baseline_accuracies(training, test, 4) == {
        "chance": 0.25,
        "majority": dummy.score(test[:, None], test),
    }
