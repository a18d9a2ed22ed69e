"""What a run whose images have several labels leaves of its test: its predictions."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.data.manifest import Manifest
from cnnrun.evaluation.evaluate import LabelEvaluation
from cnnrun.runs.predictions import LABELS_HEADER, PROBABILITY_OF, TRUTH_OF
from cnnrun.runs.tables import csv_table

_TRUTHS: Final = {1: "1", 0: "0", -1: ""}


def label_predictions_csv(manifest: Manifest, evaluation: LabelEvaluation) -> str:
    """The predictions as CSV text: the labels that an image has and those said, and each label.

    Of each label there is a column `probability of <label>` and a column `truth of <label>` of 1, 0
    and, for unknown, nothing.
    """
    names = manifest.classes
    rows = (
        [manifest.paths[row], manifest.label_text(row), _text_of_said(names, said)]
        + [f"{probability:.6g}" for probability in probabilities]
        + [_TRUTHS[truth] for truth in manifest.labels[row].tolist()]
        for row, probabilities, said in zip(
            evaluation.rows, evaluation.probabilities, evaluation.said, strict=True
        )
    )
    columns = [f"{kind}{name}" for kind in (PROBABILITY_OF, TRUTH_OF) for name in names]
    return csv_table([*LABELS_HEADER, *columns], rows)


def _text_of_said(names: tuple[str, ...], said: NDArray[np.bool_]) -> str:
    return "|".join(name for name, is_said in zip(names, said, strict=True) if is_said)
