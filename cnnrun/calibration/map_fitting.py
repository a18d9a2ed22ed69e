"""Temperature and vector scaling fitted to labels; see probability_map.py.

They stand apart from the maps, which training uses as well: the libraries that fit take a second to
load.

Shapes: log-probabilities are `(images, classes)`, labels `(images,)`.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import chdtri, log_softmax

from cnnrun.calibration.probability_map import FloatArray, ProbabilityMap

Labels = NDArray[np.integer[Any]]

# Beyond these a fit has run away: it makes every answer certain.
_TEMPERATURES: Final = (0.01, 100.0)
_FARTHEST: Final = 100.0
_CONFIDENCE: Final = 0.95


class RunawayFitError(ValueError):
    """The likelihood has no maximum that could be used; the text says why."""


@dataclass(frozen=True)
class FittedTemperature:
    """The temperature that makes labels most likely.

    Attributes:
        value: the temperature.
        interval: where twice the logarithm of the likelihood falls short of the maximum by less
            than 95 % of chance would have it (Wilks 1938).
    """

    value: float
    interval: tuple[float, float]


def fit_temperature(log_probabilities: FloatArray, labels: Labels) -> FittedTemperature:
    """The temperature with the least negative log-likelihood, and how well it is known.

    Raises:
        RunawayFitError: there is none: all labels are the likeliest ones already, or they are no
            likelier than the other classes.
    """
    if (_of_labels(log_probabilities, labels) == log_probabilities.max(axis=1)).all():
        raise RunawayFitError("the smaller the temperature, the likelier the labels")
    if (_of_labels(log_probabilities, labels) - log_probabilities.mean(axis=1)).sum() <= 0:
        raise RunawayFitError("the labels are likeliest where all classes are alike")

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(log_probabilities * np.exp(-log_temperature), axis=1)
        return -float(_of_labels(scaled, labels).sum())

    low, high = np.log(_TEMPERATURES)
    # In 1/T the loss is convex: there is one minimum.
    best = float(minimize_scalar(loss, bounds=(low, high), options={"xatol": 1e-10}).x)
    allowed = loss(best) + float(chdtri(1, 1 - _CONFIDENCE)) / 2

    def beyond(log_temperature: float) -> float:
        return loss(log_temperature) - allowed

    lower, upper = (
        end if beyond(end) < 0 else float(brentq(beyond, *sorted((end, best))))
        for end in (low, high)
    )
    return FittedTemperature(float(np.exp(best)), (float(np.exp(lower)), float(np.exp(upper))))


def fit_vector(log_probabilities: FloatArray, labels: Labels) -> ProbabilityMap:
    """A scale and a bias for each class with the least negative log-likelihood; biases sum to 0.

    Args:
        log_probabilities: `(images, classes)`.
        labels: among which each class occurs.

    Raises:
        RunawayFitError: the likelihood has no maximum, as where a line parts the classes.
    """
    images, classes = log_probabilities.shape
    truth = np.zeros((images, classes))
    truth[np.arange(images), labels] = 1

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        scale, bias = parameters.reshape(2, classes)
        log_scaled = log_softmax(log_probabilities * scale + bias, axis=1)
        excess = np.exp(log_scaled) - truth
        gradient = np.stack([(excess * log_probabilities).sum(axis=0), excess.sum(axis=0)])
        return -float(_of_labels(log_scaled, labels).mean()), gradient.ravel() / images

    start = np.concatenate([np.ones(classes), np.zeros(classes)])
    bounds = [(-_FARTHEST, _FARTHEST)] * (2 * classes)
    precisely = {"maxiter": 10_000, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-9}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=precisely)
    scale, bias = found.x.reshape(2, classes)
    scaled = log_probabilities * scale + bias
    is_parted = (_of_labels(scaled, labels) == scaled.max(axis=1)).all()
    if is_parted or np.abs(found.x).max() >= _FARTHEST:
        raise RunawayFitError("the larger its numbers, the likelier the labels")
    return ProbabilityMap("vector", scale, bias - bias.mean())


def _of_labels(values: FloatArray, labels: Labels) -> FloatArray:
    """The value of each image's label, `(images,)`."""
    picked: FloatArray = np.take_along_axis(values, labels[:, None], axis=1)[:, 0]
    return picked
