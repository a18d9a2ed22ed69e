"""Calibration fitted label by label; see label_map.py, and map_fitting.py on why it stands apart.

Shapes: log-odds are `(images, labels)`, labels too, of 1, 0, and -1 for unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from cnnrun.calibration.label_map import LabelMap
from cnnrun.calibration.map_fitting import RunawayFitError, fit_temperature
from cnnrun.calibration.probability_map import FloatArray, Method

Matrix = NDArray[np.integer[Any]]

Reason = Literal["one-sided", "told apart", "not told"]
"""Why a label keeps its probabilities: all images that are known have it, or none; they are told
apart without a mistake; or its probabilities are no higher for those that have it."""

_FARTHEST: Final = 100.0


@dataclass(frozen=True, eq=False)
class FittedLabels:
    """A map, and what is to be known of how it came about.

    Attributes:
        map: what is applied.
        intervals: what each temperature may as well be, `(labels, 2)`; NaN where none was fitted.
        kept: the number of each label whose probabilities are left as they are -> why.
    """

    map: LabelMap
    intervals: FloatArray
    kept: dict[int, Reason]


def fit_labels(log_odds: FloatArray, labels: Matrix, *, method: Method) -> FittedLabels:
    """The map with the least negative log-likelihood of what is known of each label.

    Args:
        log_odds: `(images, labels)`.
        labels: `(images, labels)`.
        method: how they are changed.
    """
    number = labels.shape[1]
    scale, bias = np.ones(number), np.zeros(number)
    intervals = np.full((number, 2), np.nan)
    kept: dict[int, Reason] = {}
    for label in range(number):
        known = labels[:, label] >= 0
        given, truth = log_odds[known, label], labels[known, label] == 1
        if reason := _why_kept(given, truth, method):
            kept[label] = reason
            continue
        try:
            if method == "vector":
                scale[label], bias[label] = fit_scale_and_bias(given, truth)
            else:
                fitted = fit_temperature(_of_two(given), truth.astype(np.int64))
                scale[label], intervals[label] = 1 / fitted.value, fitted.interval
        except RunawayFitError:
            kept[label] = "not told"
    return FittedLabels(LabelMap(method, scale, bias), intervals, kept)


def fit_scale_and_bias(log_odds: FloatArray, has_it: NDArray[np.bool_]) -> tuple[float, float]:
    """The scale and the bias of one label that make it most likely: a logistic regression.

    Args:
        log_odds: `(images,)`, which overlap between those that have it and the others.
        has_it: `(images,)`.

    Raises:
        RunawayFitError: images with higher log-odds have the label no more often.
    """
    sides = np.where(has_it, 1.0, -1.0)

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        margins = sides * (parameters[0] * log_odds + parameters[1])
        pull = -sides * expit(-margins)
        gradient = np.array([(pull * log_odds).mean(), pull.mean()])
        return float(np.logaddexp(0, -margins).mean()), gradient

    precisely = {"maxiter": 10_000, "ftol": 1e-15, "gtol": 1e-10}
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", options=precisely)
    scale, bias = map(float, found.x)
    if not 0 < scale < _FARTHEST:
        raise RunawayFitError("images with higher log-odds have the label no more often")
    return scale, bias


def _why_kept(log_odds: FloatArray, has_it: NDArray[np.bool_], method: Method) -> Reason | None:
    """Why nothing can be fitted to images; None where something can."""
    if not has_it.any() or has_it.all():
        return "one-sided"
    lowest, highest = log_odds[has_it].min(), log_odds[~has_it].max()
    # A temperature turns about one half, a scale with a bias about any place.
    is_apart = lowest >= 0 >= highest if method == "temperature" else lowest >= highest
    return "told apart" if is_apart else None


def _of_two(log_odds: FloatArray) -> FloatArray:
    """The logarithms of the probabilities of no and of yes, `(images, 2)`."""
    return np.asarray(-np.logaddexp(0, np.stack([log_odds, -log_odds], axis=1)))


def listed_by_reason(kept: dict[int, Reason], names: Sequence[str]) -> dict[Reason, list[str]]:
    """The names of the labels that were kept, by why."""
    found: dict[Reason, list[str]] = {}
    for label, reason in kept.items():
        found.setdefault(reason, []).append(names[label])
    return found
