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
_FIRST_COLUMNS: Final = (
    RunColumn("run", lambda run: run.run.as_posix()),
    RunColumn("state", lambda run: run.state),
    RunColumn("epochs", lambda run: str(run.epochs), is_number=True),
    RunColumn("best epoch", lambda run: _text(run.best_epoch, "d"), is_number=True, leaves=9),
)
_CLASS_COLUMNS: Final = (
    RunColumn(
        "test accuracy (95 %)",
        lambda run: _with_interval(run.accuracy, run.accuracy_interval),
        is_number=True,
    ),
    RunColumn("chance", lambda run: _text(run.chance, ".3f"), is_number=True, leaves=5),
    RunColumn("majority", lambda run: _text(run.majority, ".3f"), is_number=True, leaves=6),
)
_LABEL_COLUMNS: Final = (
    RunColumn(
        "test mean AP (95 %)",
        lambda run: _with_interval(run.mean_average_precision, run.mean_average_precision_interval),
        is_number=True,
    ),
    RunColumn("any order", lambda run: _text(run.prevalence, ".3f"), is_number=True, leaves=7),
)
_LAST_COLUMNS: Final = (
    RunColumn("test loss", lambda run: _text(run.loss, ".4f"), is_number=True, leaves=8),
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
    "mean_average_precision",
    "mean_average_precision_low",
    "mean_average_precision_high",
    "prevalence",
)


def run_columns(summaries: Sequence[RunSummary], *, cells: bool) -> tuple[RunColumn, ...]:
    """The columns of a list of runs.

    Args:
        summaries: the runs; those of several labels an image have a mean average precision where
            others have an accuracy.
        cells: whether study and arm have columns.
    """
    of_labels = any(run.mean_average_precision is not None for run in summaries)
    of_classes = any(run.accuracy is not None for run in summaries)
    return (
        *_FIRST_COLUMNS[:1],
        *(_CELL_COLUMNS if cells else ()),
        *_FIRST_COLUMNS[1:],
        *(_CLASS_COLUMNS if of_classes or not of_labels else ()),
        *(_LABEL_COLUMNS if of_labels else ()),
        *_LAST_COLUMNS,
    )


def runs_csv(summaries: Sequence[RunSummary]) -> str:
    """The runs as CSV, numbers in full, the interval in two columns."""
    return csv_table(_CSV_COLUMNS, [_csv_row(each) for each in summaries])


def runs_markdown(summaries: Sequence[RunSummary], *, cells: bool) -> str:
    """The runs as a Markdown table; with study and arm if cells are listed."""
    columns = run_columns(summaries, cells=cells)
    rows = [[column.cell(each) for column in columns] for each in summaries]
    return markdown_table([column.heading for column in columns], rows)


def _with_interval(value: float | None, interval: tuple[float, float] | None) -> str:
    """A number with its interval, such as `0.981 [0.957, 0.992]`."""
    if value is None:
        return ""
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _csv_row(summary: RunSummary) -> list[object]:
    fields = summary.as_json()
    for name in ("accuracy", "mean_average_precision"):
        fields[f"{name}_low"], fields[f"{name}_high"] = fields[f"{name}_interval"] or (None, None)
    return [fields[column] for column in _CSV_COLUMNS]


def _text(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
