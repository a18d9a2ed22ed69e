"""Calibrating labels. Oracles: scikit-learn's logistic regression, SciPy's minimum."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from cnnrun.calibration.label_map import LabelMap, floored_log_odds
from cnnrun.calibration.label_map_fitting import fit_labels


def drawn(images: int = 400, *, unknown: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds that are too far from 0 and shifted, and labels, of which some are unknown."""
    random = np.random.default_rng(0)
    truth = random.normal(-0.5, 1.5, (images, 3))
    labels = (random.random(truth.shape) < expit(truth)).astype(np.int32)
    labels[random.random(labels.shape) < unknown] = -1
    return truth * [2.0, 0.7, 1.5] + [0.0, 0.5, -1.0], labels


def test_scale_and_bias_are_those_of_a_logistic_regression_on_what_is_known() -> None:
    log_odds, labels = drawn()
    fitted = fit_labels(log_odds, labels, method="vector")
    for label in range(3):
        known = labels[:, label] >= 0
        oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        oracle.fit(log_odds[known, label][:, None], labels[known, label])
        assert fitted.map.scale[label] == pytest.approx(oracle.coef_[0, 0], rel=1e-4)
        assert fitted.map.bias[label] == pytest.approx(oracle.intercept_[0], rel=1e-3, abs=1e-4)
    assert fitted.kept == {}


def test_a_temperature_is_fitted_to_what_is_known_of_a_label_and_to_nothing_else() -> None:
    log_odds, labels = drawn()
    fitted = fit_labels(log_odds, labels, method="temperature")
    for label in range(3):
        known = labels[:, label] >= 0
        given, truth = log_odds[known, label], labels[known, label]
        oracle = minimize_scalar(
            lambda t, given=given, truth=truth: log_loss(truth, expit(given / t)), bounds=(0.1, 10)
        )
        assert fitted.map.temperatures[label] == pytest.approx(oracle.x, rel=1e-3)
        low, high = fitted.intervals[label]
        assert low < oracle.x < high
    assert not fitted.map.bias.any()


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_labels_that_tell_nothing_are_left_as_they_are(method: str) -> None:
    """Of the first all images have it, of the second none are known; two are told apart."""
    log_odds = np.array([[1.0, 2.0, 3.0, -1.0], [2.0, 1.0, 1.0, 1.0], [-1.0, 1.0, -2.0, 2.0]])
    labels = np.array([[1, -1, 1, 1], [1, -1, 1, 0], [1, -1, 0, 0]], np.int32)
    fitted = fit_labels(log_odds, labels, method=method)
    assert fitted.kept == {0: "one-sided", 1: "one-sided", 2: "told apart", 3: "not told"}
    np.testing.assert_array_equal(fitted.map.log_odds(log_odds), log_odds)


def test_a_scale_can_part_where_a_temperature_cannot() -> None:
    """All log-odds are above 0: a temperature has something to tell, a bias would run away."""
    log_odds, labels = np.array([[1.0], [3.0]]), np.array([[0], [1]], np.int32)
    assert fit_labels(log_odds, labels, method="temperature").kept == {}
    assert fit_labels(log_odds, labels, method="vector").kept == {0: "told apart"}


def test_thresholds_that_are_carried_over_say_the_same_of_every_image() -> None:
    """Also at 0 and 1, which a sigmoid gives in float32."""
    random = np.random.default_rng(0)
    given = expit(random.normal(0, 3, (500, 3)))
    given[:4] = [[0.0] * 3, [1.0] * 3, [1e-30] * 3, [1 - 2**-24] * 3]
    thresholds = np.array([0.0, 0.4, 1.0])
    applied = LabelMap("vector", np.array([0.4, 2.5, 1.2]), np.array([-1.0, 0.3, 2.0]))
    calibrated = applied.probabilities(floored_log_odds(given))
    np.testing.assert_array_equal(calibrated >= applied.thresholds(thresholds), given >= thresholds)
    assert applied.thresholds(thresholds)[1] == pytest.approx(expit(2.5 * logit(0.4) + 0.3))
