"""What became of a cell: its folder is an ordinary run's, whose cell.json is written last.

A cell is done when its cell.json is there. So a study that is killed at any moment loses nothing
that was done, and takes nothing for done that was not.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

from cnnrun.ablation.planning.plan import Cell, cell_name
from cnnrun.ablation.studies.study import Target
from cnnrun.config.metric_names import lower_is_better
from cnnrun.config.sections import Config
from cnnrun.errors import RunError
from cnnrun.runs.files import write_json
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import TRAINING_LOSS, EpochRow, read_epochs
from cnnrun.runs.result import read_result

RUNS_FOLDER: Final = "runs"

Ending = Literal["finished", "diverged"]

CELL_FILE: Final = "cell.json"
_PAUSE_FILE: Final = "pause-{:05d}.json"


@dataclass(frozen=True)
class CellRecord:
    """The content of cell.json.

    Attributes:
        key: see cnnrun/ablation/planning/cell_keys.py.
        ending: "finished", or "diverged" where the loss was no number any more.
        why: the reason for that; empty for a finished cell.
        seconds: wall times: `total`, and `fit` within it; and `processor`, the processor time of
            its last sitting, which other work on the machine does not lengthen.
        values: measure -> number: `test_loss` and the other test metrics, `val_loss_area` and so on
            for each validation curve, `generalization_gap`, `test_loss_recomputed` ...
        parameters: of the network.
        multiply_adds: of one image's pass through it.
        processor: the model of the processor that computed it.
    """

    key: str
    ending: Ending
    why: str
    seconds: Mapping[str, float]
    values: Mapping[str, float]
    parameters: int
    multiply_adds: int
    processor: str


@dataclass(frozen=True)
class CellOutcome:
    """What became of a cell of a study.

    Attributes:
        arm: the arm's name.
        seed: its seed.
        key: see cnnrun/ablation/planning/cell_keys.py; empty when it failed before there was one.
        state: "finished", "diverged" (a result: it counts as the predictor of the majority class),
            "failed" (no result: the pair is dropped), or "paused" for a trial that may go on.
        is_reused: whether it had been done before.
        folder: its run folder; the log of a failed cell is the log.txt in it.
        why: the reason why it diverged or failed.
        seconds: wall times as in CellRecord; empty for a failed cell.
        values: as in CellRecord, with `epochs_to_target` and `seconds_to_target` where the target
            was reached; empty for a failed cell.
        parameters: of the network; None for a failed cell.
        multiply_adds: of one image; None for a failed cell.
        processor: the model of the processor that computed it; None for a failed cell.
        trial: see `Cell`.
        is_lasting: of a failed cell, whether it would fail again, since its config is to blame.
    """

    arm: str
    seed: int
    key: str
    state: Literal["finished", "diverged", "failed", "paused"]
    is_reused: bool
    folder: Path
    why: str
    seconds: Mapping[str, float]
    values: Mapping[str, float]
    parameters: int | None
    multiply_adds: int | None
    processor: str | None
    trial: str = ""
    is_lasting: bool = False

    @property
    def name(self) -> str:
        """See `Cell`."""
        return cell_name(self.arm, self.seed, trial=self.trial)


def cell_folder(study: Path, key: str) -> Path:
    """The run folder of a cell in the folder of its study."""
    return study / RUNS_FOLDER / key


def write_record(run: RunFolder, record: CellRecord) -> None:
    """cell.json says what became of the cell, which is done herewith.

    Raises:
        StorageError: it cannot be written.
    """
    write_json(run.path / CELL_FILE, vars(record))


def read_record(run: RunFolder) -> CellRecord | None:
    """What cell.json says; None when it is absent or damaged, and the cell has to be run."""
    try:
        fields = json.loads((run.path / CELL_FILE).read_bytes())
        values = {name: _number(value) for name, value in fields.pop("values").items()}
        return CellRecord(**fields, values=values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_pause(run: RunFolder, *, key: str, epoch: int, values: Mapping[str, float]) -> None:
    """A file says what the epoch that a cell keeps had, when it paused after an epoch.

    It stays when the cell goes on, so that what was decided by it can be decided again.

    Args:
        run: the cell's.
        key: the cell's.
        epoch: after how many epochs it pauses.
        values: the numbers of the epoch whose weights are the best so far.

    Raises:
        StorageError: it cannot be written.
    """
    write_json(run.path / _PAUSE_FILE.format(epoch), {"key": key, "values": dict(values)})


def paused_outcome(cell: Cell, *, key: str, folder: Path, is_reused: bool) -> CellOutcome | None:
    """The outcome of a cell that has paused where it is to; None if it has not."""
    if cell.pause_after is None:
        return None
    try:
        written = json.loads((folder / _PAUSE_FILE.format(cell.pause_after)).read_bytes())
        values = {name: _number(value) for name, value in written["values"].items()}
        is_its_own = written["key"] == key
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if not is_its_own:
        return None
    return replace(
        failed_outcome(cell, key=key, folder=folder, why=""),
        state="paused",
        is_reused=is_reused,
        values=values,
    )


def kept_values(outcome: CellOutcome) -> Mapping[str, float]:
    """The numbers of the epoch whose weights a cell keeps, that of a paused one so far.

    Raises:
        RunError: the files of the cell are damaged.
    """
    if outcome.state == "paused":
        return outcome.values
    run = RunFolder(outcome.folder)
    epoch = read_result(run).best_epoch
    return next((row.values for row in read_epochs(run) if row.epoch == epoch), {})


def is_fitted(values: Mapping[str, float], config: Config) -> bool:
    """Whether the training images were fitted as far as a config asks, if it does."""
    asked = config.train.until_training_loss
    return asked is None or values.get(TRAINING_LOSS, math.inf) <= asked


def done_outcome(cell: Cell, record: CellRecord, folder: Path, *, is_reused: bool) -> CellOutcome:
    """The outcome of a cell that is done.

    Args:
        cell: the cell.
        record: its cell.json.
        folder: its run folder.
        is_reused: whether it had been done before.

    Raises:
        RunError: its metrics.jsonl, which the target is looked for in, cannot be read.
    """
    return CellOutcome(
        arm=cell.arm,
        seed=cell.seed,
        key=record.key,
        state=record.ending,
        is_reused=is_reused,
        folder=folder,
        why=record.why,
        seconds=record.seconds,
        values={**record.values, **_to_target(cell, record, RunFolder(folder))},
        parameters=record.parameters,
        multiply_adds=record.multiply_adds,
        processor=record.processor,
        trial=cell.trial,
    )


def failed_outcome(
    cell: Cell, *, key: str, folder: Path, why: str, is_lasting: bool = False
) -> CellOutcome:
    """The outcome of a cell without a result."""
    return CellOutcome(
        arm=cell.arm,
        seed=cell.seed,
        key=key,
        state="failed",
        is_reused=False,
        folder=folder,
        why=why,
        seconds={},
        values={},
        parameters=None,
        multiply_adds=None,
        processor=None,
        trial=cell.trial,
        is_lasting=is_lasting,
    )


def curve_areas(rows: Sequence[EpochRow]) -> dict[str, float]:
    """The mean over the epochs of each validation curve, as `val_loss_area` and so on.

    It is the area under the curve with an epoch as the unit: of two losses that end alike, the one
    that fell sooner has the smaller area.
    """
    names = [name for name in (rows[0].values if rows else ()) if name.startswith("val_")]
    return {
        f"{name}_area": math.fsum(row.values.get(name, math.nan) for row in rows) / len(rows)
        for name in names
    }


def reaching(rows: Sequence[EpochRow], target: Target) -> dict[str, float]:
    """`epochs_to_target` and `seconds_to_target`; neither where the target was not reached.

    The first epoch also traces the step, if its worker had not done so for another seed: it counts
    as long as the median of the others.
    """
    falls = lower_is_better(target.metric)
    seconds = [row.seconds for row in rows]
    if len(rows) > 1:
        seconds[0] = median(seconds[1:])
    for number, row in enumerate(rows, start=1):
        value = row.values.get(target.metric, math.nan)
        if value <= target.value if falls else value >= target.value:
            return {
                "epochs_to_target": float(row.epoch),
                "seconds_to_target": math.fsum(seconds[:number]),
            }
    return {}


def processors_of(outcomes: Sequence[CellOutcome]) -> tuple[str, ...]:
    """The models of the processors that computed these cells, each once."""
    return tuple(sorted({outcome.processor for outcome in outcomes if outcome.processor}))


def _to_target(cell: Cell, record: CellRecord, run: RunFolder) -> dict[str, float]:
    # A curve that became NaN has not learnt, whatever it passed on its way.
    if cell.target is None or record.ending == "diverged":
        return {}
    rows = read_epochs(run)
    if not rows:
        raise RunError.at(
            run.metrics_jsonl,
            rule="must hold the epochs of the cell",
            received="none",
            advice=f"remove {run.path} to have it trained again",
        )
    return reaching(rows, cell.target)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
