"""The epochs of a run: metrics.jsonl, a line an epoch."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.runs.files import append_line, json_text, read_lines, write_text
from cnnrun.runs.folder import RunFolder

TRAINING_LOSS: Final = "training_loss"
"""The loss on the training images as the network predicts; of an epoch where that was asked for."""


@dataclass(frozen=True)
class EpochRow:
    """One epoch of training.

    Attributes:
        epoch: its number, from 1, counted on through all stages.
        stage: the number of its stage, from 1.
        values: `loss`, the metrics, and `val_` before the same names, as Keras's logs name them;
            NaN where a number was not finite.
        learning_rate: the learning rate at the epoch's end.
        seconds: the wall time of the epoch, validation included.
    """

    epoch: int
    stage: int
    values: Mapping[str, float]
    learning_rate: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The line of metrics.jsonl: one flat map."""
        return {
            "epoch": self.epoch,
            "stage": self.stage,
            **self.values,
            "learning_rate": self.learning_rate,
            "seconds": self.seconds,
        }


def append_epoch(run: RunFolder, row: EpochRow) -> None:
    """metrics.jsonl ends with this epoch.

    Raises:
        StorageError: it cannot be written.
    """
    append_line(run.metrics_jsonl, json_text(row.as_json(), indent=None))


def write_epochs(run: RunFolder, rows: Iterable[EpochRow]) -> None:
    """metrics.jsonl holds these epochs alone; what a run that goes on starts from.

    Raises:
        StorageError: it cannot be written.
    """
    write_text(
        run.metrics_jsonl, "".join(json_text(row.as_json(), indent=None) + "\n" for row in rows)
    )


def read_epochs(run: RunFolder) -> tuple[EpochRow, ...]:
    """The epochs of the run in their order; none when it has not finished one.

    An epoch that stands there twice, because the run was resumed from before it, counts as the last
    of its lines says. Lines that are torn or damaged are left out.

    Raises:
        RunError: metrics.jsonl cannot be read.
    """
    rows = (_row(line) for line in read_lines(run.metrics_jsonl))
    last = {row.epoch: row for row in rows if row is not None}
    return tuple(last[epoch] for epoch in sorted(last))


def _row(line: str) -> EpochRow | None:
    try:
        fields = json.loads(line)
        epoch, stage = int(fields.pop("epoch")), int(fields.pop("stage"))
        values = {name: _number(value) for name, value in fields.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return EpochRow(
        epoch=epoch,
        stage=stage,
        learning_rate=values.pop("learning_rate", math.nan),
        seconds=values.pop("seconds", math.nan),
        values=values,
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
