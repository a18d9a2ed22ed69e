"""A finished run's probabilities, fitted to validation images and tested on test images."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.targets import log_probabilities
from cnnrun.calibration.abstention import (
    Abstention,
    fewest_images,
    find_abstention,
    highest_accuracy,
)
from cnnrun.calibration.calibration_file import Calibration, write_calibration
from cnnrun.calibration.map_fitting import RunawayFitError, fit_temperature, fit_vector
from cnnrun.calibration.prediction_sets import fewest_images_of_sets, find_set_rule, sets_of
from cnnrun.calibration.probability_map import (
    FloatArray,
    Method,
    ProbabilityMap,
    temperature_map,
)
from cnnrun.calibration.probability_scores import ProbabilityScores, score_log_probabilities
from cnnrun.config.sections import Config
from cnnrun.data.images import Rows
from cnnrun.data.manifest import TEST, VALIDATION, Manifest
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import Splits
from cnnrun.errors import InputError, RunError
from cnnrun.evaluation.finished_runs import open_config
from cnnrun.evaluation.held_out import notes_on_choices, predict_held_out, refuse_no_validation
from cnnrun.evaluation.label_refusals import refuse_for_labels
from cnnrun.evaluation.recorded_rows import recorded_rows
from cnnrun.plots.reliability import reliability_diagram
from cnnrun.plots.save import save_figure
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.shares import wilson_interval
from cnnrun.wording import counted, listed

_FEW_IMAGES_A_NUMBER: Final = 10


@dataclass(frozen=True)
class Wanted:
    """What a calibration is asked for.

    Attributes:
        method: how probabilities are changed.
        accuracy: of what is answered; None to answer everything.
        coverage: how often the sets hold the true class; None for no sets.
    """

    method: Method
    accuracy: float | None
    coverage: float | None


@dataclass(frozen=True)
class Share:
    """How many of some images something holds for."""

    count: int
    images: int

    @property
    def value(self) -> float | None:
        """The share; None of no images."""
        return self.count / self.images if self.images else None

    def as_json(self) -> dict[str, Any]:
        """The share with its 95 % interval."""
        interval = list(wilson_interval(self.count, self.images)) if self.images else None
        return {**asdict(self), "value": self.value, "interval": interval}


@dataclass(frozen=True, eq=False)
class TestedCalibration:
    """What a calibration does to test images, which had no part in it.

    Attributes:
        before: the scores of the network's own probabilities.
        after: those of the calibrated ones.
        change: the 95 % interval of the change of the negative log-likelihood.
        answered: how many images are answered; None where all are meant to be.
        right: how many of those are right.
        covered: how many sets hold the true class; None without sets.
        set_size: classes of a set, a mean.
    """

    before: ProbabilityScores
    after: ProbabilityScores
    change: tuple[float, float]
    answered: Share | None
    right: Share | None
    covered: Share | None
    set_size: float | None

    def as_json(self) -> dict[str, Any]:
        """The numbers, by name."""
        shares = {"answered": self.answered, "right": self.right, "covered": self.covered}
        return {
            "images": self.before.images,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "change_of_negative_log_likelihood": list(self.change),
            **{name: share and share.as_json() for name, share in shares.items()},
            "set_size": self.set_size,
        }


@dataclass(frozen=True, eq=False)
class CalibratedRun:
    """A calibration, and how it came to be.

    Attributes:
        calibration: what is applied.
        images: how many validation images it was fitted to.
        temperature_interval: what the temperature may as well be; None where none was fitted.
        tested: what it does to test images; None without any.
        notes: what a person should know, a sentence each.
    """

    calibration: Calibration
    images: int
    temperature_interval: tuple[float, float] | None
    tested: TestedCalibration | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What calibration.json has beside what is applied."""
        return {
            "fitted_on": {"split": "validation", "images": self.images},
            "temperature_interval": self.temperature_interval,
            "test": self.tested and self.tested.as_json(),
            "notes": list(self.notes),
        }


def calibrate_run(run: RunFolder, wanted: Wanted) -> CalibratedRun:
    """Fit a run's probabilities to its validation images, and keep that beside the run.

    Writes calibration.json, and plots/reliability.png where there are test images.

    Raises:
        RunError: the run has no model or no validation images, or its network gives no
            probabilities that could be calibrated.
        InputError: its validation images cannot promise what is wanted.
        DataError: the images cannot be used.
        StorageError: the run folder cannot be written to.
    """
    config = open_config(run)
    if config.data.is_multi_label:
        reason = "each is calibrated by itself, by `calibrate_labels`"
        refuse_for_labels({"calibrate_run": reason})
    manifest = read_manifest(config.data)
    recorded = recorded_rows(run, config, manifest)
    _refuse_too_few(run, recorded.splits.validation, wanted)
    predicted = _predict(run, config, manifest, recorded.splits)
    fitted, interval, notes = _fitted(run, predicted, wanted)
    calibration = Calibration(
        fitted,
        abstention=None if wanted.accuracy is None else predicted.abstention(wanted.accuracy),
        sets=None
        if wanted.coverage is None
        else find_set_rule(predicted.validation, predicted.labels, coverage=wanted.coverage),
    )
    calibrated = CalibratedRun(
        calibration,
        images=len(predicted.labels),
        temperature_interval=interval,
        tested=_tested(calibration, predicted) if len(predicted.test_labels) else None,
        notes=(
            *recorded.notes(VALIDATION, TEST),
            *predicted.notes,
            *notes,
            *notes_on_choices(config, of_promises=True),
        ),
    )
    with hold(run):
        if calibrated.tested is not None:
            _draw(run, calibrated.tested)
        write_calibration(run, calibration, further=calibrated.as_json())
    return calibrated


@dataclass(frozen=True, eq=False)
class _Predicted:
    """What the network says of the images.

    Attributes:
        classes: the names of the classes.
        validation: log-probabilities of validation images, `(images, classes)`.
        labels: their classes.
        test: of test images.
        test_labels: their classes.
        notes: images that were left out.
    """

    classes: tuple[str, ...]
    validation: FloatArray
    labels: NDArray[np.int32]
    test: FloatArray
    test_labels: NDArray[np.int32]
    notes: tuple[str, ...]

    def abstention(self, accuracy: float) -> Abstention | None:
        """The threshold that keeps the promise, or None."""
        is_right = self.validation.argmax(axis=1) == self.labels
        return find_abstention(self.validation.max(axis=1), is_right, accuracy=accuracy)


def _refuse_too_few(run: RunFolder, validation: Rows, wanted: Wanted) -> None:
    refuse_no_validation(run, validation)
    images = len(validation)
    if wanted.accuracy is not None and images < fewest_images(wanted.accuracy):
        raise InputError.at(
            "--accuracy",
            rule=f"must be one that {counted(images, 'validation image')} can speak for with"
            f" 95 % confidence, at most {_floored(highest_accuracy(images))}",
            received=f"{wanted.accuracy:g}, for which it takes"
            f" {fewest_images(wanted.accuracy):,} without a mistake",
            advice="ask for less, or train with a larger `data.split.validation`",
        )
    if wanted.coverage is not None and images < fewest_images_of_sets(wanted.coverage):
        raise InputError.at(
            "--sets",
            rule=f"must be a coverage that {counted(images, 'validation image')} can promise, at"
            f" most {_floored(images / (images + 1))}",
            received=f"{wanted.coverage:g}, for which it takes"
            f" {fewest_images_of_sets(wanted.coverage):,}",
            advice="ask for less, or train with a larger `data.split.validation`",
        )


def _floored(share: float) -> str:
    return f"{np.floor(share * 1000) / 1000:g}"


def _predict(run: RunFolder, config: Config, manifest: Manifest, splits: Splits) -> _Predicted:
    found = predict_held_out(run, config, manifest, splits)

    def logs_of(predictions: FloatArray) -> FloatArray:
        if not len(predictions):
            return np.empty((0, found.output.classes))
        return log_probabilities(predictions, found.output)

    return _Predicted(
        classes=manifest.classes,
        validation=logs_of(found.validation),
        labels=manifest.labels[found.validation_rows],
        test=logs_of(found.test),
        test_labels=manifest.labels[found.test_rows],
        notes=found.notes,
    )


def _fitted(
    run: RunFolder, predicted: _Predicted, wanted: Wanted
) -> tuple[ProbabilityMap, tuple[float, float] | None, list[str]]:
    """The map, what the temperature may as well be, and what a person should know of it."""
    classes, labels = predicted.classes, predicted.labels
    absent = [name for label, name in enumerate(classes) if label not in set(labels.tolist())]
    if wanted.method == "vector":
        return _fitted_vector(run, predicted, absent), None, _notes_on_vector(predicted)
    notes = [f"no validation image is of {listed(absent)}"] if absent else []
    try:
        temperature = fit_temperature(predicted.validation, labels)
    except RunawayFitError as error:
        if (predicted.validation.argmax(axis=1) != labels).any():
            raise _runaway(run, error, advice="see whether it has learnt at all") from error
        notes.append(
            f"all {counted(len(labels), 'validation image')} are right, so they cannot tell how"
            " certain the network should be: its probabilities are left as they are"
        )
        return temperature_map(1.0, classes=len(classes)), None, notes
    return temperature_map(temperature.value, classes=len(classes)), temperature.interval, notes


def _fitted_vector(run: RunFolder, predicted: _Predicted, absent: list[str]) -> ProbabilityMap:
    if absent:
        raise RunError.at(
            run.path,
            rule="vector scaling needs validation images of every class",
            received=f"none of {listed(absent)}",
            advice="leave `--method` out, for a temperature; or add images",
        )
    try:
        return fit_vector(predicted.validation, predicted.labels)
    except RunawayFitError as error:
        advice = "leave `--method` out, for a temperature"
        raise _runaway(run, error, advice=advice) from error


def _runaway(run: RunFolder, error: RunawayFitError, *, advice: str) -> RunError:
    return RunError.at(
        run.path,
        rule="the validation images must tell how to change the probabilities",
        received=f"such that {error}",
        advice=advice,
    )


def _notes_on_vector(predicted: _Predicted) -> list[str]:
    numbers, images = 2 * len(predicted.classes), len(predicted.labels)
    if images >= _FEW_IMAGES_A_NUMBER * numbers:
        return []
    return [f"vector scaling fits {numbers} numbers to {counted(images, 'validation image')}: few"]


def _tested(calibration: Calibration, predicted: _Predicted) -> TestedCalibration:
    own, labels = predicted.test, predicted.test_labels
    before = score_log_probabilities(own, labels)
    after = score_log_probabilities(calibration.map.log_probabilities(own), labels)
    change = after.log_losses - before.log_losses
    reach = 1.96 * float(change.std(ddof=1)) / len(labels) ** 0.5 if len(labels) > 1 else np.inf
    answered = right = covered = None
    if calibration.abstention is not None:
        is_answered = own.max(axis=1) > calibration.abstention.above
        is_right = own.argmax(axis=1) == labels
        answered = Share(int(is_answered.sum()), len(labels))
        right = Share(int((is_right & is_answered).sum()), answered.count)
    sets = None if calibration.sets is None else sets_of(own, calibration.sets)
    if sets is not None:
        covered = Share(int(sets[np.arange(len(labels)), labels].sum()), len(labels))
    return TestedCalibration(
        before,
        after,
        change=(float(change.mean()) - reach, float(change.mean()) + reach),
        answered=answered,
        right=right,
        covered=covered,
        set_size=None if sets is None else float(sets.sum(axis=1).mean()),
    )


def _draw(run: RunFolder, tested: TestedCalibration) -> None:
    figure = reliability_diagram(
        {"before": tested.before.bins, "after": tested.after.bins},
        images=counted(tested.before.images, "test image"),
    )
    save_figure(figure, run.reliability_png)
