"""`list_runs` tells what every folder tells, whole or half-written, and quickly."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError
from cnnrun.runs.claims import work_folder
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.listing import (
    RunSummary,
    list_runs,
    select_runs,
)
from cnnrun.runs.metrics import EpochRow, append_epoch
from cnnrun.runs.run_table import runs_csv, runs_markdown
from cnnrun.runs.state import write_state
from cnnrun.runs.unbegun import create_run_into


def test_a_finished_run(make_run) -> None:
    run = make_run("digits/a", seed=7, accuracy=0.9)
    (summary,) = list_runs(run.path.parents[1])
    assert summary.run == run.path
    assert (summary.state, summary.seed, summary.epochs, summary.best_epoch) == (
        "finished",
        7,
        2,
        2,
    )
    assert (summary.accuracy, summary.accuracy_interval) == (0.9, pytest.approx((0.88, 0.91)))
    assert (summary.parameters, summary.seconds) == (34_826, 6.0)
    assert json.loads(json.dumps(summary.as_json()))["accuracy"] == 0.9


def test_a_run_itself_can_be_listed(make_run) -> None:
    run = make_run("digits/a", seed=7, accuracy=0.9)
    assert [summary.run for summary in list_runs(run.path)] == [run.path]


def test_a_running_run_tells_its_epochs(run: RunFolder) -> None:
    write_text(run.resolved_yaml, "seed: 5\n")
    with hold(run):
        write_state(run, "running", why="")
        append_epoch(run, EpochRow(1, 1, {"loss": 1.0}, 1e-3, 0.5))
        (summary,) = list_runs(run.path)
    assert (summary.state, summary.epochs, summary.seed) == ("running", 1, 5)
    assert (summary.accuracy, summary.parameters) == (None, None)
    assert list_runs(run.path)[0].state == "interrupted"


def test_half_written_and_damaged_runs_are_listed(make_run, tmp_path: Path) -> None:
    experiments = make_run("digits/whole", seed=0, accuracy=0.9).path.parents[1]
    for name in ("state.json", "resolved.yaml", "result.json", "metrics.jsonl", "environment.json"):
        for content in (None, b"", b"{", b"[]", b"\xff\xfe"):
            damaged = experiments / "digits" / f"{name}-{content!r}".replace("\\", "-")
            shutil.copytree(experiments / "digits" / "whole", damaged)
            (damaged / name).unlink()
            if content is not None:
                (damaged / name).write_bytes(content)
    (experiments / "digits" / "created").mkdir()  # killed before its first file
    create_run_into(experiments / "digits" / "begun").config_yaml.write_text("seed: 0\n")
    summaries = list_runs(experiments)
    assert len(summaries) == 27
    states = [summary.state for summary in summaries]
    assert (states.count("damaged"), states.count("finished")) == (11, 16)
    assert all(summary.why for summary in summaries if summary.state == "damaged")
    assert runs_markdown(summaries, cells=False)
    assert runs_csv(summaries)


def test_runs_are_listed_oldest_first(make_run) -> None:
    for name, started in (("a", "2026-02-01"), ("b", "2026-01-01"), ("c", "2026-03-01")):
        run = make_run(f"digits/{name}", seed=0, accuracy=0.9)
        state = json.loads(run.state_json.read_text())
        write_json(run.state_json, {**state, "started": f"{started}T00:00:00+00:00"})
    summaries = list_runs(run.path.parents[1])
    assert [summary.run.name for summary in summaries] == ["b", "a", "c"]


def test_a_cell_is_not_listed_before_it_lies_in_its_place(make_run) -> None:
    run = make_run("study/runs/0a", seed=1, accuracy=0.9)
    shutil.copytree(run.path, work_folder(run.path, "node7-12-ab"))
    assert [each.run for each in list_runs(run.path.parent)] == [run.path]


def test_a_loop_of_links_ends(make_run) -> None:
    experiments = make_run("digits/a", seed=0, accuracy=0.9).path.parents[1]
    (experiments / "again").symlink_to(experiments, target_is_directory=True)
    assert len(list_runs(experiments)) == 1


def test_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == ()


def test_what_is_no_folder_is_named(
    tmp_path: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "file").touch()
    messages = {}
    for name in ("absent", "file"):
        with pytest.raises(RunError) as raised:
            list_runs(tmp_path / name)
        messages[name] = message_of(raised)
    assert messages == snapshot


def test_a_closed_folder_is_named(
    shared_folder: Path, without_privileges, snapshot: SnapshotAssertion
) -> None:
    (shared_folder / "experiments").mkdir(mode=0o700)
    (shared_folder / "experiments").chmod(0)
    with without_privileges(), pytest.raises(RunError) as raised:
        list_runs(shared_folder / "experiments")
    assert str(raised.value).replace(str(shared_folder), "SHARED") == snapshot


def test_a_thousand_runs_are_listed_while_one_waits(make_run) -> None:
    """The oracle of speed is the time to read the same files and do nothing with them."""
    first = make_run("digits/0", seed=0, accuracy=0.9).path
    for number in range(1, 1000):
        shutil.copytree(first, first.with_name(str(number)))
    started = time.perf_counter()
    for path in first.parents[1].rglob("*"):
        if path.is_file():
            path.read_bytes()
    reading = time.perf_counter() - started
    started = time.perf_counter()
    assert len(list_runs(first.parents[1])) == 1000
    assert time.perf_counter() - started < 20 * reading


def test_cells_name_their_study_and_arm(make_run) -> None:
    plain, cell, unlisted = (
        make_run(name, seed=0, accuracy=0.9) for name in ("digits/a", "study/one", "study/two")
    )
    study = cell.path.parent
    write_json(study / "plan.json", {})
    write_text(study / "cells.csv", "arm,seed,run\nbefore,0,one\n")
    found = {each.run: (each.study, each.arm) for each in list_runs(study.parent)}
    assert found == {
        plain.path: (None, None),
        cell.path: ("study", "before"),
        unlisted.path: ("study", None),
    }


def test_runs_are_chosen_and_sorted(two_summaries: tuple[RunSummary, RunSummary]) -> None:
    first, second = two_summaries
    cell = replace(first, run=Path("study/x"), study="study", accuracy=0.5, started="2026-01-01")

    def chosen(**asked: Any) -> list[Path]:
        every = {"cells": False, "states": (), "since": None, "sort": "started"} | asked
        return [each.run for each in select_runs([first, second, cell], **every)]

    assert chosen() == [first.run, second.run]
    assert chosen(cells=True) == [cell.run, first.run, second.run]
    assert chosen(cells=True, sort="accuracy") == [first.run, cell.run, second.run]
    assert chosen(states=("failed",)) == [second.run]
    assert chosen(cells=True, since="2026-01-02T03:05:00+00:00") == [second.run]
    assert chosen(cells=True, sort="loss") == [first.run, cell.run, second.run]
