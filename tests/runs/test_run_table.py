"""Lists of runs as people and spreadsheets read them."""

import csv
import io
from dataclasses import replace
from pathlib import Path

from syrupy.assertion import SnapshotAssertion

from cnnrun.runs.listing import RunSummary, list_runs, select_runs
from cnnrun.runs.run_table import run_columns, runs_csv, runs_markdown

Summaries = tuple[RunSummary, RunSummary]


def test_csv_keeps_numbers_whole(two_summaries: Summaries, snapshot: SnapshotAssertion) -> None:
    text = runs_csv(two_summaries)
    assert text == snapshot
    assert float(next(csv.DictReader(io.StringIO(text)))["accuracy"]) == two_summaries[0].accuracy


def test_markdown_is_for_people(two_summaries: Summaries, snapshot: SnapshotAssertion) -> None:
    assert runs_markdown(two_summaries, cells=False) == snapshot


def test_no_two_columns_leave_a_narrow_terminal_at_once(two_summaries: Summaries) -> None:
    of_both = replace(two_summaries[0], mean_average_precision=0.9)
    leaving = [column.leaves for column in run_columns([of_both], cells=True) if column.leaves]
    assert sorted(leaving) == list(range(1, len(leaving) + 1))


def test_several_labels_an_image_are_told_by_mean_average_precision(
    make_run, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    for name, value in (("pairs/a", 0.7), ("pairs/b", 0.8)):
        make_run(name, seed=0, accuracy=0.95, mean_average_precision=value)
    summaries = [
        replace(each, run=each.run.relative_to(tmp_path), started="2026-01-02T03:04:05+00:00")
        for each in list_runs(tmp_path / "experiments")
    ]
    assert [each.accuracy for each in summaries] == [None, None]
    best = select_runs(summaries, cells=False, states=(), since=None, sort="mean_average_precision")
    rows = list(csv.DictReader(io.StringIO(runs_csv(best))))
    assert runs_markdown(best, cells=False) == snapshot
    assert [(row["accuracy"], row["mean_average_precision"]) for row in rows] == [
        ("", "0.8"),
        ("", "0.7"),
    ]


def test_runs_of_either_kind_stand_in_one_table_with_columns_of_their_own(
    make_run, tmp_path: Path
) -> None:
    make_run("digits/a", seed=0, accuracy=0.9)
    make_run("pairs/a", seed=0, accuracy=0.95, mean_average_precision=0.7)
    columns = run_columns(summaries := list_runs(tmp_path / "experiments"), cells=False)
    told = {
        column.heading: [column.cell(each) for each in summaries]
        for column in columns
        if column.heading.startswith("test ") or column.heading == "any order"
    }
    assert sorted(told.pop("test loss")) == ["0.0500", "0.1000"]
    assert {heading: sorted(cells) for heading, cells in told.items()} == {
        "test accuracy (95 %)": ["", "0.900 [0.880, 0.910]"],
        "test mean AP (95 %)": ["", "0.700 [0.670, 0.720]"],
        "any order": ["", "0.190"],
    }
