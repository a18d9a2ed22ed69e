"""What each test image adds to a metric, read from the predictions of a study's runs."""

import csv
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.ablation.analysis.label_influences import (
    MEANS_OVER_IMAGES,
    image_influences,
    is_label_metric,
)
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.errors import RunError
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.predictions import Predicted, read_label_predictions, read_predictions

Numbers = NDArray[np.float64]

# Probabilities are written with six digits.
_AGREES_ABSOLUTE: Final = 2e-6
_AGREES_RELATIVE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class ImageValues:
    """A metric of every test image in every run that converged.

    Attributes:
        values: arm -> seed -> what each image adds, `(images,)`; NaN for images that are not
            tested there. Of a number of several labels that is no mean over images, how it varies
            with them (label_influences.py). Empty where the metric cannot be had image by image.
        images: how many images any run tests.
        classes: how many classes there are; 0 where the predictions tell nothing of the loss.
        is_one_test: whether all runs test the same images.
        why_not: why there are no values; empty where there are.
        is_derived: whether values are how the metric varies with the images, which is no mean over
            them.
    """

    values: Mapping[str, Mapping[int, Numbers]]
    images: int
    classes: int
    is_one_test: bool
    why_not: str
    is_derived: bool = False


def image_values(outcomes: Sequence[CellOutcome], metric: str) -> ImageValues:
    """The metric of every test image in every run, if it can be had image by image.

    Args:
        outcomes: the cells of a study; those that did not converge are left out.
        metric: its name, such as "test_loss".
    """
    of_row = _OF_ROW.get(metric, ())
    is_of_labels = False
    found: dict[str, dict[int, dict[str, float]]] = {}
    classes = 0
    for outcome in outcomes:
        if outcome.state != "finished":
            continue
        run = RunFolder(outcome.folder)
        try:
            predicted = read_predictions(run)
            classes = _classes(run)
            values = _of_labels(run, metric, outcome.values.get(metric))
        except (OSError, RunError):
            return _none(f"{run.predictions_csv} cannot be read")
        is_of_labels = is_of_labels or values is not None
        if values is None:
            values = _agreeing(predicted, of_row, outcome.values.get(metric))
        if values is None:
            return _none(
                "the images' losses are not those of predictions.csv, as with another loss than"
                " crossentropy"
            )
        if not values:
            return _none(
                f"{metric} as it follows from predictions.csv is not what the runs recorded"
            )
        found.setdefault(outcome.arm, {})[outcome.seed] = values
    if not of_row and not is_of_labels:
        tests = [values.keys() for seeds in found.values() for values in seeds.values()]
        is_one = bool(tests) and all(test == tests[0] for test in tests)
        return _none(f"{metric} is no mean over test images", is_one_test=is_one, classes=classes)
    is_derived = is_of_labels and metric not in MEANS_OVER_IMAGES
    return replace(_aligned(found, classes=classes), is_derived=is_derived)


def _classes(run: RunFolder) -> int:
    with run.predictions_csv.open(newline="", encoding="utf-8") as file:
        return sum(name.startswith("probability of ") for name in next(csv.reader(file)))


def _of_labels(run: RunFolder, metric: str, recorded: float | None) -> dict[str, float] | None:
    """Path -> what the image adds to a number of several labels, empty where they do not agree.

    None for a number of other kind, or of images with one label each.
    """
    if not is_label_metric(metric):
        return None
    predicted = read_label_predictions(run)
    if predicted is None:
        return None
    influences = image_influences(predicted, metric)
    if influences is None or recorded is None or not _agree(influences.tolist(), recorded):
        return {}
    return dict(zip(predicted.paths, influences.tolist(), strict=True))


def _loss(predicted: Predicted) -> float:
    return predicted.log_loss


def _accuracy(predicted: Predicted) -> float:
    return float(predicted.is_right)


def _whole_loss(predicted: Predicted) -> float:
    return predicted.whole_log_loss


_OF_ROW: Final = {"test_loss": (_whole_loss, _loss), "test_accuracy": (_accuracy,)}
"""What an image's value may be: Keras cuts a loss of probabilities off, and not one of logits."""


def _agreeing(
    predicted: Sequence[Predicted],
    of_row: Sequence[Callable[[Predicted], float]],
    recorded: float | None,
) -> dict[str, float] | None:
    """Path -> value, whose mean is what the run recorded; None where no way gives that.

    0 for each image, of a metric that is no mean over them: only which are tested counts.
    """
    if not of_row:
        return dict.fromkeys((each.path for each in predicted), 0.0)
    for value in of_row:
        values = {each.path: value(each) for each in predicted}
        if recorded is not None and _agree(values.values(), recorded):
            return values
    return None


def _agree(values: Collection[float], recorded: float) -> bool:
    """Whether the mean of the images' values is what the run recorded, but for its digits."""
    if not values:
        return False
    slack = _AGREES_ABSOLUTE + _AGREES_RELATIVE * abs(recorded)
    return abs(math.fsum(values) / len(values) - recorded) <= slack


def _aligned(
    found: Mapping[str, Mapping[int, Mapping[str, float]]], *, classes: int
) -> ImageValues:
    tests = [values.keys() for seeds in found.values() for values in seeds.values()]
    paths = sorted({path for test in tests for path in test})
    if len(paths) < 2:
        return _none("fewer than two images are tested")
    place = {path: number for number, path in enumerate(paths)}

    def row(values: Mapping[str, float]) -> Numbers:
        numbers = np.full(len(paths), math.nan)
        numbers[[place[path] for path in values]] = list(values.values())
        return numbers

    return ImageValues(
        values={
            arm: {seed: row(values) for seed, values in seeds.items()}
            for arm, seeds in found.items()
        },
        images=len(paths),
        classes=classes,
        is_one_test=all(len(test) == len(paths) for test in tests),
        why_not="",
    )


def _none(why: str, *, is_one_test: bool = False, classes: int = 0) -> ImageValues:
    return ImageValues(values={}, images=0, classes=classes, is_one_test=is_one_test, why_not=why)
