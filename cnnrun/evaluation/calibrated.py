"""A network's predictions as though its calibration were its last layer."""

from dataclasses import replace

import numpy as np

from cnnrun.assembly.targets import last_layer_values, log_probabilities
from cnnrun.calibration.probability_map import ProbabilityMap
from cnnrun.evaluation.evaluate import Judge, Judged, judged


def as_calibrated(
    found: Judged, applied: ProbabilityMap, *, judge: Judge, targets: np.ndarray
) -> Judged:
    """What loss and metrics make of the calibrated predictions.

    Args:
        found: the network's own.
        applied: the calibration.
        judge: the loss and the metrics.
        targets: those of these images, `(images, ...)`.
    """
    logs = applied.log_probabilities(log_probabilities(found.predictions, judge.output))
    predictions = last_layer_values(logs, judge.output)
    return replace(judged(judge, predictions, targets), penalty=found.penalty)
