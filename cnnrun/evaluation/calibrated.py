"""A network's predictions as though its calibration were its last layer."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.targets import (
    Output,
    class_probabilities,
    label_log_odds,
    last_layer_values,
    log_probabilities,
    values_of_labels,
)
from cnnrun.calibration.calibration_file import read_calibration, read_label_calibration
from cnnrun.calibration.label_map import LabelMap
from cnnrun.calibration.probability_map import ProbabilityMap
from cnnrun.evaluation.evaluate import Judge, Judged, judged
from cnnrun.runs.folder import RunFolder

AnyMap = ProbabilityMap | LabelMap
"""From the probabilities of classes to calibrated ones, or from those of labels."""


def read_map(run: RunFolder, output: Output) -> AnyMap:
    """What the calibration of a run applies to its probabilities.

    Raises:
        RunError: it was not calibrated, the file is damaged, or it is another model's.
    """
    if output.is_multi_label:
        return read_label_calibration(run, labels=output.classes)
    return read_calibration(run, classes=output.classes).map


def as_calibrated(found: Judged, applied: AnyMap, *, judge: Judge, targets: np.ndarray) -> Judged:
    """What loss and metrics make of the calibrated predictions.

    Args:
        found: the network's own.
        applied: the calibration.
        judge: the loss and the metrics.
        targets: those of these images, `(images, ...)`.
    """
    output = judge.output
    if isinstance(applied, LabelMap):
        odds = applied.log_odds(label_log_odds(found.predictions, output))
        predictions = values_of_labels(odds, output)
    else:
        logs = applied.log_probabilities(log_probabilities(found.predictions, output))
        predictions = last_layer_values(logs, output)
    return replace(judged(judge, predictions, targets), penalty=found.penalty)


def probabilities_of(
    predictions: NDArray[Any], output: Output, applied: AnyMap | None
) -> NDArray[np.float64]:
    """The probabilities of classes or labels, `(images, classes)`; calibrated ones with a map.

    Args:
        predictions: what the last layer gives, `(images, units)`.
        output: what that is.
        applied: the calibration; None for the network's own probabilities.
    """
    if applied is None:
        return class_probabilities(predictions, output)
    if isinstance(applied, LabelMap):
        return applied.probabilities(label_log_odds(predictions, output))
    return applied.probabilities(log_probabilities(predictions, output))


def carried_over(thresholds: NDArray[Any], applied: AnyMap | None) -> NDArray[np.float64]:
    """The thresholds of labels as they are for calibrated probabilities, `(labels,)`."""
    return applied.thresholds(thresholds) if isinstance(applied, LabelMap) else thresholds
