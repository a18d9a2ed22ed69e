"""What a run predicted for its test images: predictions.csv, read back."""

import csv
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cnnrun.errors import RunError
from cnnrun.runs.data_states import images_of
from cnnrun.runs.files import RESTORE, missing
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.tables import read_csv_table

_PROBABILITY: Final = "probability of "
# Keras's own bound, so that an image of which a network is wrongly certain has a finite loss.
_LEAST_PROBABILITY: Final = 1e-7
_LEAST_FLOAT: Final = 1e-45

ImageKey = tuple[str, int]
"""An image by its content, or else by its path; and its number among those of equal content."""


@dataclass(frozen=True)
class Predicted:
    """A run's prediction for one test image.

    Attributes:
        path: of the image.
        label: the name of its class.
        prediction: the name of the class that the network takes it for.
        probability: what the network gives to that class.
        is_right: whether the network takes it for that.
        log_loss: minus the logarithm of the probability that it gives that class, at most that of a
            ten-millionth, as Keras has it of probabilities.
        whole_log_loss: the same of the least probabilities too, as Keras has it of logits.
    """

    path: str
    label: str
    prediction: str
    probability: float
    is_right: bool
    log_loss: float
    whole_log_loss: float


def read_predictions(run: RunFolder) -> tuple[Predicted, ...]:
    """The predictions for a run's test images, in the order of predictions.csv.

    Raises:
        RunError: predictions.csv is absent or damaged.
    """
    try:
        text = run.predictions_csv.read_text(encoding="utf-8", errors="surrogateescape")
        header, *rows = read_csv_table(text)
        return tuple(_predicted(dict(zip(header, row, strict=True))) for row in rows)
    except FileNotFoundError as error:
        raise missing(run.predictions_csv) from error
    except (OSError, csv.Error, KeyError, ValueError) as error:
        raise RunError.at(
            run.predictions_csv,
            rule="must have the columns path, label, prediction and a probability of each class"
            " in every row",
            received=f"a damaged file: {str(error) or type(error).__name__}",
            advice=RESTORE,
        ) from error


def _predicted(row: Mapping[str, str]) -> Predicted:
    of_truth = float(row[_PROBABILITY + row["label"]])
    return Predicted(
        path=row["path"],
        label=row["label"],
        prediction=row["prediction"],
        probability=float(row["probability"]),
        is_right=row["label"] == row["prediction"],
        log_loss=-math.log(max(of_truth, _LEAST_PROBABILITY)),
        whole_log_loss=-math.log(max(of_truth, _LEAST_FLOAT)),
    )


def by_content(run: RunFolder) -> Mapping[ImageKey, Predicted] | None:
    """The predictions by the content of their images; None where no content was recorded.

    Raises:
        RunError: a file that they are read from is absent or damaged.
    """
    recorded = images_of(run)
    if recorded is None:
        return None
    contents = {image.path: image.content for image in recorded}
    return _numbered([(contents.get(each.path, each.path), each) for each in read_predictions(run)])


def by_path(run: RunFolder) -> Mapping[ImageKey, Predicted]:
    """The predictions by the paths of their images.

    Raises:
        RunError: predictions.csv is absent or damaged.
    """
    return _numbered([(each.path, each) for each in read_predictions(run)])


def _numbered(named: list[tuple[str, Predicted]]) -> dict[ImageKey, Predicted]:
    """By name, and by number where several have one name: copies of an image."""
    seen: Counter[str] = Counter()
    numbered = {}
    for name, each in named:
        numbered[name, seen[name]] = each
        seen[name] += 1
    return numbered
