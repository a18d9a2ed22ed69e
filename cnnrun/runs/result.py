"""What a run came to: result.json."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from cnnrun.errors import RunError
from cnnrun.runs.files import RESTORE, read_json, write_json
from cnnrun.runs.folder import RunFolder

TEST_METRICS: Final[Mapping[str, str]] = {
    "accuracy": "test accuracy",
    "loss": "test loss",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "ece": "calibration error",
}
"""The numbers that every test has, in the order in which they are shown, and their headings."""

LABEL_TEST_METRICS: Final[Mapping[str, str]] = {
    "mean_average_precision": "mean average precision",
    "loss": "test loss",
    "mean_roc_auc": "mean ROC-AUC",
    "micro_average_precision": "micro average precision",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "samples_f1": "F1 over images",
    "exact_match": "exact match",
    "hamming_loss": "Hamming loss",
}
"""The numbers of a test of images with several labels each, and their headings."""

ALL_TEST_METRICS: Final[Mapping[str, str]] = {**TEST_METRICS, **LABEL_TEST_METRICS}
"""The numbers of tests of either kind."""


def test_metrics_of(test: Mapping[str, Any]) -> Mapping[str, str]:
    """The numbers that a test has, and their headings: of one label an image, or of several."""
    return LABEL_TEST_METRICS if "mean_average_precision" in test else TEST_METRICS


_KINDS: dict[str, Any] = {
    "best_epoch": int,
    "epochs": int,
    "test": dict | None,
    "parameters": int,
    "trainable_parameters": int,
    "multiply_adds": int,
    "seconds": dict,
    "images_per_second": float | int | None,
    "peak_memory_bytes": int | None,
}


@dataclass(frozen=True)
class RunResult:
    """The result of a finished run.

    Attributes:
        best_epoch: the epoch, from 1, whose weights model.keras holds.
        epochs: how many epochs were trained.
        test: `Scores.as_json()` of the test images (evaluation/scores.py); None without any.
        parameters: parameters of the network, preprocessing statistics not among them.
        trainable_parameters: those that the last stage trained.
        multiply_adds: multiplications with additions to classify one image.
        seconds: wall times by name, `total` and `fit` among them.
        images_per_second: training images a second within `fit`, in the last stage; NaN when none
            were trained on.
        peak_memory_bytes: the largest resident memory of the process; None where the system does
            not tell.
        baselines: the accuracy on the test images of what has learnt nothing, `chance` and
            `majority`; empty without test images, and in runs of cnnrun 0.1.0.
    """

    best_epoch: int
    epochs: int
    test: Mapping[str, Any] | None
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    seconds: Mapping[str, float]
    images_per_second: float
    peak_memory_bytes: int | None
    baselines: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The content of result.json."""
        return asdict(self)


def write_result(run: RunFolder, result: RunResult) -> None:
    """result.json holds the result.

    Raises:
        StorageError: it cannot be written.
    """
    write_json(run.result_json, result.as_json())


def read_result(run: RunFolder) -> RunResult:
    """The result of a finished run.

    Raises:
        RunError: result.json is absent or damaged.
    """
    written = read_json(run.result_json)
    fields = written if isinstance(written, dict) else {}
    wrong = [name for name, kind in _KINDS.items() if not isinstance(fields.get(name, ...), kind)]
    if wrong:
        raise _damaged(run, f"no usable {', '.join(wrong)}")
    if damage := _damage_within(fields):
        raise _damaged(run, damage)
    speed = fields["images_per_second"]
    return RunResult(
        **{name: fields[name] for name in _KINDS if name != "images_per_second"},
        images_per_second=math.nan if speed is None else speed,
        baselines=_baselines(fields.get("baselines")),
    )


def _baselines(written: Any) -> dict[str, float]:
    entries = written.items() if isinstance(written, dict) else ()
    return {name: float(value) for name, value in entries if isinstance(value, int | float)}


def _damaged(run: RunFolder, received: str) -> RunError:
    rule = "must hold the result of a run"
    return RunError.at(
        run.result_json, rule=rule, received=f"a damaged file: {received}", advice=RESTORE
    )


def _damage_within(fields: Mapping[str, Any]) -> str | None:
    """What is not as it must be within `test` and `seconds`, or None."""
    test = fields["test"] or {}
    intervals = test.get("intervals", {})
    if not isinstance(intervals, dict):
        return "`test.intervals` is no map"
    for name, interval in intervals.items():
        is_pair = isinstance(interval, list) and len(interval) == 2
        if not is_pair or not all(map(_is_number, interval)):
            return f"the interval of `{name}` must be two numbers"
    numbers = {name: test[name] for name in ALL_TEST_METRICS if test.get(name) is not None}
    for name, value in {**numbers, **fields["seconds"]}.items():
        if not _is_number(value):
            return f"`{name}` must be a number"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)
