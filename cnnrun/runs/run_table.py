"""A list of runs as a table: its columns, and how people, spreadsheets and Markdown read it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cnnrun.runs.listing import RunSummary
from cnnrun.runs.tables import csv_table, markdown_table


@dataclass(frozen=True)
class RunColumn:
    """A column of a list of runs.

    Attributes:
        heading: what stands above it.
        cell: what people read in it of a run.
        is_number: whether it is aligned as numbers are.
        leaves: its place among the columns that go first where a terminal is too narrow for all,
            from 1; 0 for one that stays.
    """

    heading: str
    cell: Callable[[RunSummary], str]
    is_number: bool = False
    leaves: int = 0


_CELL_COLUMNS: Final = (
    RunColumn("study", lambda run: run.study or ""),
    RunColumn("arm", lambda run: run.arm or ""),
)
_COLUMNS: Final = (
    RunColumn("run", lambda run: run.run.as_posix()),
    RunColumn("state", lambda run: run.state),
    RunColumn("epochs", lambda run: str(run.epochs), is_number=True),
    RunColumn("best epoch", lambda run: _text(run.best_epoch, "d"), is_number=True, leaves=8),
    RunColumn(
        "test accuracy (95 %)",
        lambda run: _accuracy(run.accuracy, run.accuracy_interval),
        is_number=True,
    ),
    RunColumn("chance", lambda run: _text(run.chance, ".3f"), is_number=True, leaves=5),
    RunColumn("majority", lambda run: _text(run.majority, ".3f"), is_number=True, leaves=6),
    RunColumn("test loss", lambda run: _text(run.loss, ".4f"), is_number=True, leaves=7),
    RunColumn("parameters", lambda run: _text(run.parameters, ",d"), is_number=True, leaves=4),
    RunColumn("seconds", lambda run: _text(run.seconds, ".1f"), is_number=True, leaves=3),
    RunColumn("seed", lambda run: _text(run.seed, "d"), is_number=True, leaves=2),
    RunColumn("started", lambda run: (run.started or "")[:16].replace("T", " "), leaves=1),
)
# The names of `RunSummary.as_json`, an interval in two columns.
_CSV_COLUMNS: Final = (
    "run",
    "state",
    "epochs",
    "best_epoch",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "chance",
    "majority",
    "loss",
    "parameters",
    "seconds",
    "seed",
    "started",
    "why",
    "study",
    "arm",
)


def run_columns(*, cells: bool) -> tuple[RunColumn, ...]:
    """The columns of a list of runs; with study and arm if cells are listed."""
    return (*_COLUMNS[:1], *(_CELL_COLUMNS if cells else ()), *_COLUMNS[1:])


def run_cells(summary: RunSummary, *, cells: bool) -> tuple[str, ...]:
    """The cells of `run_columns` for one run, as people read them."""
    return tuple(column.cell(summary) for column in run_columns(cells=cells))


def runs_csv(summaries: Sequence[RunSummary]) -> str:
    """The runs as CSV, numbers in full, the interval in two columns."""
    return csv_table(_CSV_COLUMNS, [_csv_row(each) for each in summaries])


def runs_markdown(summaries: Sequence[RunSummary], *, cells: bool) -> str:
    """The runs as a Markdown table; with study and arm if cells are listed."""
    headings = [column.heading for column in run_columns(cells=cells)]
    return markdown_table(headings, [run_cells(each, cells=cells) for each in summaries])


def _accuracy(accuracy: float | None, interval: tuple[float, float] | None) -> str:
    """An accuracy with its interval, such as `0.981 [0.957, 0.992]`."""
    if accuracy is None:
        return ""
    if interval is None:
        return f"{accuracy:.3f}"
    return f"{accuracy:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _csv_row(summary: RunSummary) -> list[object]:
    low, high = summary.accuracy_interval or (None, None)
    fields = {**summary.as_json(), "accuracy_low": low, "accuracy_high": high}
    return [fields[column] for column in _CSV_COLUMNS]


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
