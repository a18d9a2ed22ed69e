"""Lists of runs as people and spreadsheets read them."""

import csv
import io

from syrupy.assertion import SnapshotAssertion

from cnnrun.runs.listing import RunSummary
from cnnrun.runs.run_table import run_columns, runs_csv, runs_markdown

Summaries = tuple[RunSummary, RunSummary]


def test_csv_keeps_numbers_whole(two_summaries: Summaries, snapshot: SnapshotAssertion) -> None:
    text = runs_csv(two_summaries)
    assert text == snapshot
    assert float(next(csv.DictReader(io.StringIO(text)))["accuracy"]) == two_summaries[0].accuracy


def test_markdown_is_for_people(two_summaries: Summaries, snapshot: SnapshotAssertion) -> None:
    assert runs_markdown(two_summaries, cells=False) == snapshot


def test_no_two_columns_leave_a_narrow_terminal_at_once() -> None:
    leaving = [column.leaves for column in run_columns(cells=True) if column.leaves]
    assert sorted(leaving) == list(range(1, len(leaving) + 1))
