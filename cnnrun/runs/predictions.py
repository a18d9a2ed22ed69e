"""What a run predicted for its test images: predictions.csv, read back."""

import csv
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import RunError
from cnnrun.runs.data_states import images_of
from cnnrun.runs.files import RESTORE, missing
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.tables import read_csv_table

PROBABILITY_OF: Final = "probability of "
"""What the header says before the name of a class or label."""
TRUTH_OF: Final = "truth of "
"""What it says before the name of a label, several of which an image may have."""
LABELS_HEADER: Final = ("path", "labels", "said")
"""The first columns where images have several labels."""
# Keras's own bound, so that an image of which a network is wrongly certain has a finite loss.
_LEAST_PROBABILITY: Final = 1e-7
_LEAST_FLOAT: Final = 1e-45

Parsed = TypeVar("Parsed")
ImageKey = tuple[str, int]
"""An image by its content, or else by its path; and its number among those of equal content."""


@dataclass(frozen=True)
class Predicted:
    """A run's prediction for one test image.

    Of several labels, `label` has those that the image has, `a|b`, `prediction` those that are
    said, it is right if they are the same, the log loss is the mean over those that are known, and
    `probability` is that of the least certain of them, or of its absence.

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


@dataclass(frozen=True, eq=False)
class LabelPredictions:
    """A run's predictions for test images that have several labels each.

    Attributes:
        paths: of the images.
        probabilities: `(images, labels)`.
        labels: `(images, labels)` of 1, 0, and -1 for unknown.
        said: `(images, labels)`, whether a label is said of an image.
    """

    paths: tuple[str, ...]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int32]
    said: NDArray[np.bool_]


def read_predictions(run: RunFolder) -> tuple[Predicted, ...]:
    """The predictions for a run's test images, in the order of predictions.csv.

    Raises:
        RunError: predictions.csv is absent or damaged.
    """
    return _read(run, lambda rows: tuple(map(_predicted, rows)))


def read_label_predictions(run: RunFolder) -> LabelPredictions | None:
    """The same where images have several labels each; None where they have one.

    Raises:
        RunError: predictions.csv is absent or damaged.
    """
    return _read(run, _label_predictions)


def _read(run: RunFolder, parse: Callable[[Sequence[Mapping[str, str]]], Parsed]) -> Parsed:
    try:
        text = run.predictions_csv.read_text(encoding="utf-8", errors="surrogateescape")
        header, *rows = read_csv_table(text)
        return parse([dict(zip(header, row, strict=True)) for row in rows])
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
    if LABELS_HEADER[1] in row:
        return _predicted_labels(row)
    of_truth = float(row[PROBABILITY_OF + row["label"]])
    return Predicted(
        path=row["path"],
        label=row["label"],
        prediction=row["prediction"],
        probability=float(row["probability"]),
        is_right=row["label"] == row["prediction"],
        log_loss=-math.log(max(of_truth, _LEAST_PROBABILITY)),
        whole_log_loss=-math.log(max(of_truth, _LEAST_FLOAT)),
    )


def _predicted_labels(row: Mapping[str, str]) -> Predicted:
    path, labels, said = (row[name] for name in LABELS_HEADER)
    names = [name.removeprefix(TRUTH_OF) for name in row if name.startswith(TRUTH_OF)]
    given = {name: float(row[PROBABILITY_OF + name]) for name in names}
    truths = {name: row[TRUTH_OF + name] == "1" for name in names if row[TRUTH_OF + name]}
    of_truth = [given[name] if has_it else 1 - given[name] for name, has_it in truths.items()]
    is_said = set(said.split("|"))
    return Predicted(
        path=path,
        label=labels,
        prediction=said,
        probability=min(max(each, 1 - each) for each in given.values()),
        is_right=all((name in is_said) == has_it for name, has_it in truths.items()),
        log_loss=_mean_log_loss(of_truth, least=_LEAST_PROBABILITY),
        whole_log_loss=_mean_log_loss(of_truth, least=_LEAST_FLOAT),
    )


def _label_predictions(rows: Sequence[Mapping[str, str]]) -> LabelPredictions | None:
    if not rows or LABELS_HEADER[1] not in rows[0]:
        return None
    names = [name.removeprefix(TRUTH_OF) for name in rows[0] if name.startswith(TRUTH_OF)]
    said = [set(row[LABELS_HEADER[2]].split("|")) for row in rows]
    return LabelPredictions(
        paths=tuple(row[LABELS_HEADER[0]] for row in rows),
        probabilities=np.array(
            [[float(row[PROBABILITY_OF + name]) for name in names] for row in rows]
        ),
        labels=np.array(
            [[int(row[TRUTH_OF + name] or -1) for name in names] for row in rows], np.int32
        ),
        said=np.array([[name in each for name in names] for each in said]),
    )


def _mean_log_loss(probabilities: list[float], *, least: float) -> float:
    losses = [-math.log(max(each, least)) for each in probabilities]
    return sum(losses) / max(len(losses), 1)


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
