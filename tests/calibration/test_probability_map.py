"""Temperature and vector scaling against scikit-learn, SciPy and probabilities that are known."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from cnnrun.calibration.map_fitting import RunawayFitError, fit_temperature, fit_vector
from cnnrun.calibration.probability_map import (
    LEAST_PROBABILITY,
    ProbabilityMap,
    floored_logarithm,
    temperature_map,
)

CLASSES = 4


def overconfident(
    images: int, *, temperature: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities that are too certain by a temperature, and labels."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(images, CLASSES)) * 2
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)  # of softmax(logits)
    return log_softmax(logits * temperature, axis=1), labels


def test_the_temperature_is_scipys_minimum() -> None:
    """Oracle: SciPy's Nelder-Mead on the textbook formula."""
    log_probabilities, labels = overconfident(700, temperature=2.5)

    def loss(temperature: np.ndarray) -> float:
        probabilities = softmax(log_probabilities / temperature[0], axis=1)
        return -np.log(probabilities[np.arange(700), labels]).mean()

    oracle = minimize(loss, [1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
    assert fit_temperature(log_probabilities, labels).value == pytest.approx(oracle.x[0], rel=1e-6)


def test_two_classes_have_the_slope_of_a_logistic_regression() -> None:
    """Oracle: scikit-learn, a logistic regression on the log-odds without an intercept."""
    random = np.random.default_rng(1)
    log_odds = random.normal(size=(500, 1)) * 3
    labels = (random.random(500) < 1 / (1 + np.exp(-log_odds[:, 0] / 1.7))).astype(int)
    log_probabilities = -np.logaddexp(0, np.concatenate([log_odds, -log_odds], axis=1))
    model = LogisticRegression(C=1e9, fit_intercept=False, tol=1e-10).fit(log_odds, labels)
    fitted = fit_temperature(log_probabilities, labels).value
    assert fitted == pytest.approx(1 / model.coef_[0, 0], rel=1e-4)


def test_the_interval_holds_the_temperature_in_95_of_100_cases() -> None:
    """Oracle: the temperature that the labels were drawn with; 300 simulations, 3 errors wide."""
    held = 0
    for seed in range(300):
        low, high = fit_temperature(*overconfident(200, temperature=1.6, seed=seed)).interval
        held += low <= 1.6 <= high
    assert held / 300 == pytest.approx(0.95, abs=0.038)


def test_vector_scaling_is_scipys_minimum() -> None:
    """Oracle: SciPy's BFGS with numerical gradients, from other starting points."""
    log_probabilities, labels = overconfident(900, temperature=2.0)
    log_probabilities += np.array([0.0, 0.8, -0.3, 0.2])

    def loss(parameters: np.ndarray) -> float:
        scaled = log_probabilities * parameters[:CLASSES] + parameters[CLASSES:]
        return -log_softmax(scaled, axis=1)[np.arange(900), labels].mean()

    oracle = minimize(loss, np.full(2 * CLASSES, 0.3), method="BFGS")
    fitted = fit_vector(log_probabilities, labels)
    assert loss(np.concatenate([fitted.scale, fitted.bias])) == pytest.approx(oracle.fun, abs=1e-7)
    np.testing.assert_allclose(fitted.scale, oracle.x[:CLASSES], atol=2e-3)
    assert fitted.bias.sum() == pytest.approx(0, abs=1e-9)


def test_a_temperature_of_1_changes_nothing() -> None:
    log_probabilities, _ = overconfident(50, temperature=1.0)
    unchanged = temperature_map(1.0, classes=CLASSES).probabilities(log_probabilities)
    np.testing.assert_allclose(unchanged, np.exp(log_probabilities), atol=1e-12)


def test_a_map_of_log_probabilities_is_that_of_logits() -> None:
    """Oracle: the softmax of the scaled logits themselves."""
    logits = np.random.default_rng(2).normal(size=(30, CLASSES)) * 4
    scale, bias = np.array([0.5, 1.5, 1.0, 0.9]), np.array([0.2, -0.1, 0.0, -0.1])
    for each in (temperature_map(1.9, classes=CLASSES), ProbabilityMap("vector", scale, bias)):
        if each.method == "vector":
            # A scale of its own for each class sees the number that all share.
            logits = log_softmax(logits, axis=1)
        oracle = softmax(logits * each.scale + each.bias, axis=1)
        np.testing.assert_allclose(
            each.probabilities(log_softmax(logits, axis=1)), oracle, atol=1e-12
        )


def test_probabilities_of_0_have_a_finite_logarithm() -> None:
    rows = np.array([[1.0, 0.0, 1e-45]], np.float32)
    logs = floored_logarithm(rows)
    assert logs[0, 0] == 0
    assert np.isfinite(logs).all()
    assert np.exp(logs[0, 1]) == pytest.approx(LEAST_PROBABILITY)


@pytest.mark.parametrize("images", [1, 60])
def test_labels_that_are_all_right_have_no_temperature(images: int) -> None:
    log_probabilities, _ = overconfident(images, temperature=1.0)
    with pytest.raises(RunawayFitError, match="the smaller the temperature"):
        fit_temperature(log_probabilities, log_probabilities.argmax(axis=1))


def test_labels_that_are_all_wrong_have_none_either() -> None:
    log_probabilities, _ = overconfident(60, temperature=1.0)
    with pytest.raises(RunawayFitError, match="classes are alike"):
        fit_temperature(log_probabilities, log_probabilities.argmin(axis=1))


def test_classes_that_a_line_parts_have_no_vector_scaling() -> None:
    log_probabilities, _ = overconfident(60, temperature=1.0)
    with pytest.raises(RunawayFitError, match="the larger its numbers"):
        fit_vector(log_probabilities, log_probabilities.argmax(axis=1))
