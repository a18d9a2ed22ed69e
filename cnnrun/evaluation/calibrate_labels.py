"""A finished run's probabilities of several labels, each fitted to validation images, and tested.

The thresholds from which on a label is said were chosen on uncalibrated probabilities. A
calibration keeps the order of a label's probabilities, so they are carried over: what is said of
every image stays as it was, and a choice by F1 or by precision on the same images, of one label,
would part them at the same place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.targets import label_log_odds
from cnnrun.calibration.calibration_file import write_label_calibration
from cnnrun.calibration.label_map import LabelMap
from cnnrun.calibration.label_map_fitting import FittedLabels, fit_labels, listed_by_reason
from cnnrun.calibration.label_probability_scores import (
    LabelProbabilityScores,
    OneLabelScores,
    score_log_odds,
)
from cnnrun.calibration.probability_map import FloatArray, Method
from cnnrun.data.manifest import TEST, VALIDATION
from cnnrun.data.sources import read_manifest
from cnnrun.evaluation.finished_runs import open_config
from cnnrun.evaluation.held_out import notes_on_choices, predict_held_out, refuse_no_validation
from cnnrun.evaluation.recorded_rows import recorded_rows
from cnnrun.plots.label_reliability import LabelPanel, label_reliability_diagram
from cnnrun.plots.save import save_figure
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.thresholds import read_thresholds
from cnnrun.wording import listed

Matrix = NDArray[np.int32]

_FEW_OF_A_KIND: Final = 20
_LEFT: Final = "left as they are"


@dataclass(frozen=True, eq=False)
class TestedLabels:
    """What a calibration does to test images, which had no part in it.

    Attributes:
        images: how many there are of which a label is known.
        known: of each label, of how many it is known, `(labels,)`.
        having: how many have it, `(labels,)`.
        before: the scores of the network's own probabilities.
        after: those of the calibrated ones.
        change: the 95 % interval of the change of the negative log-likelihood, over images.
        label_changes: likewise of each label; None for one that no image tells.
    """

    images: int
    known: NDArray[np.int64]
    having: NDArray[np.int64]
    before: LabelProbabilityScores
    after: LabelProbabilityScores
    change: tuple[float, float]
    label_changes: tuple[tuple[float, float] | None, ...]

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """The numbers, by name; each label's below `labels`."""
        return {
            "images": self.images,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "change_of_negative_log_likelihood": list(self.change),
            "labels": [
                {
                    "label": name,
                    "known": int(self.known[label]),
                    "images": int(self.having[label]),
                    "before": _scores_json(self.before.of_labels[label]),
                    "after": _scores_json(self.after.of_labels[label]),
                    "change_of_negative_log_likelihood": change and list(change),
                }
                for label, (name, change) in enumerate(zip(names, self.label_changes, strict=True))
            ],
        }


def _scores_json(scores: OneLabelScores | None) -> dict[str, Any] | None:
    return None if scores is None else scores.as_json()


@dataclass(frozen=True, eq=False)
class CalibratedLabels:
    """A calibration of several labels, and how it came to be.

    Attributes:
        names: of the labels.
        fitted: what is applied, and what was kept as it is.
        images: how many validation images it was fitted to.
        known: of how many of those each label is known, `(labels,)`.
        thresholds: of the network's own probabilities, `(labels,)`.
        tested: what it does to test images; None without any.
        notes: what a person should know, a sentence each.
    """

    names: tuple[str, ...]
    fitted: FittedLabels
    images: int
    known: NDArray[np.int64]
    thresholds: FloatArray
    tested: TestedLabels | None
    notes: tuple[str, ...]

    @property
    def carried_over(self) -> FloatArray:
        """The thresholds of the calibrated probabilities, `(labels,)`."""
        return self.fitted.map.thresholds(self.thresholds)

    def as_json(self) -> dict[str, Any]:
        """What calibration.json has beside what is applied."""
        intervals = [
            None if np.isnan(bounds).any() else bounds.tolist() for bounds in self.fitted.intervals
        ]
        is_temperature = self.fitted.map.method == "temperature"
        return {
            "labels": list(self.names),
            "fitted_on": {
                "split": "validation",
                "images": self.images,
                "known": self.known.tolist(),
            },
            **({"temperature_intervals": intervals} if is_temperature else {}),
            "kept": {self.names[label]: reason for label, reason in self.fitted.kept.items()},
            "thresholds": {
                "before": self._by_name(self.thresholds),
                "after": self._by_name(self.carried_over),
            },
            "test": self.tested and self.tested.as_json(self.names),
            "notes": list(self.notes),
        }

    def _by_name(self, values: FloatArray) -> dict[str, float]:
        return dict(zip(self.names, values.tolist(), strict=True))


def calibrate_labels(run: RunFolder, method: Method) -> CalibratedLabels:
    """Fit a run's probabilities of labels to its validation images, and keep that beside the run.

    Of each label those images count of which it is known. Writes calibration.json, and
    plots/reliability.png where there are test images.

    Args:
        run: a run whose images have several labels.
        method: "temperature", one number a label; "vector", a scale and a bias a label.

    Raises:
        RunError: the run has no model or no validation images, or its network gives no
            probabilities that could be calibrated.
        DataError: the images cannot be used.
        StorageError: the run folder cannot be written to.
    """
    config = open_config(run)
    manifest = read_manifest(config.data)
    names = manifest.classes
    thresholds = np.array(read_thresholds(run, names))
    recorded = recorded_rows(run, config, manifest)
    refuse_no_validation(run, recorded.splits.validation)
    predicted = predict_held_out(run, config, manifest, recorded.splits)
    labels = manifest.labels[predicted.validation_rows]
    fitted = fit_labels(
        label_log_odds(predicted.validation, predicted.output), labels, method=method
    )
    calibrated = CalibratedLabels(
        names=names,
        fitted=fitted,
        images=len(labels),
        known=(labels >= 0).sum(axis=0),
        thresholds=thresholds,
        tested=_tested(
            fitted.map,
            label_log_odds(predicted.test, predicted.output),
            manifest.labels[predicted.test_rows],
        ),
        notes=(
            *recorded.notes(VALIDATION, TEST),
            *predicted.notes,
            *_notes_on_kept(fitted, names),
            *_notes_on_few(fitted, labels, names),
            *notes_on_choices(config, of_promises=False),
        ),
    )
    with hold(run):
        if calibrated.tested is not None:
            _draw(run, names, calibrated.tested)
        write_label_calibration(run, fitted.map, further=calibrated.as_json())
    return calibrated


def _tested(applied: LabelMap, log_odds: FloatArray, labels: Matrix) -> TestedLabels | None:
    rows = np.flatnonzero((labels >= 0).any(axis=1))
    if not len(rows):
        return None
    log_odds, labels = log_odds[rows], labels[rows]
    before = score_log_odds(log_odds, labels)
    after = score_log_odds(applied.log_odds(log_odds), labels)
    return TestedLabels(
        images=len(labels),
        known=(labels >= 0).sum(axis=0),
        having=(labels == 1).sum(axis=0),
        before=before,
        after=after,
        change=_mean_interval(after.log_losses - before.log_losses),
        label_changes=tuple(
            None
            if first is None or second is None
            else _mean_interval(second.log_losses - first.log_losses)
            for first, second in zip(before.of_labels, after.of_labels, strict=True)
        ),
    )


def _mean_interval(changes: FloatArray) -> tuple[float, float]:
    """The 95 % interval of a mean over images."""
    mean, images = float(changes.mean()), len(changes)
    reach = 1.96 * float(changes.std(ddof=1)) / images**0.5 if images > 1 else np.inf
    return mean - reach, mean + reach


def _notes_on_kept(fitted: FittedLabels, names: Sequence[str]) -> Iterator[str]:
    number = "temperature" if fitted.map.method == "temperature" else "scale and bias"
    for reason, labels in listed_by_reason(fitted.kept, names).items():
        named = listed(labels)
        if reason == "one-sided":
            yield (
                f"all or none of the validation images have {named}: probabilities of that are"
                f" {_LEFT}"
            )
        elif reason == "told apart":
            yield (
                f"validation images with and without {named} are told apart without a mistake, so"
                f" they cannot tell how certain the network should be: probabilities are {_LEFT}"
            )
        else:
            yield (
                f"the validation images give no usable {number} for {named}: probabilities are"
                f" {_LEFT}"
            )


def _notes_on_few(fitted: FittedLabels, labels: Matrix, names: Sequence[str]) -> Iterator[str]:
    if fitted.map.method == "temperature":
        return
    rarer = np.minimum((labels == 1).sum(axis=0), (labels == 0).sum(axis=0))
    few = [
        name
        for label, name in enumerate(names)
        if label not in fitted.kept and rarer[label] < _FEW_OF_A_KIND
    ]
    if few:
        yield (
            f"a scale and a bias are fitted to fewer than {_FEW_OF_A_KIND} validation images that"
            f" have the label, or have it not, for {listed(few)}: few"
        )


def _draw(run: RunFolder, names: Sequence[str], tested: TestedLabels) -> None:
    panels = [
        LabelPanel(name, before.bins, after.bins)
        for name, before, after in zip(
            names, tested.before.of_labels, tested.after.of_labels, strict=True
        )
        if before is not None and after is not None
    ]
    save_figure(label_reliability_diagram(panels), run.reliability_png)
