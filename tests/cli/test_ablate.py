"""`cnnrun ablate` refuses what it can before anything is trained, and prints what came out."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.power import equivalence_power_of, power_of
from cnnrun.ablation.analysis.results import StudyResults, study_results
from cnnrun.ablation.execution.cell_records import CellOutcome, failed_outcome
from cnnrun.ablation.execution.schedule import CellBegins, CellDone, CellsBegin, StudyListener
from cnnrun.ablation.planning.make_plan import plan_study
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.ablation.studies.named_studies import find_study
from cnnrun.cli.ablate import prepare_study, refuse_failed_cells
from cnnrun.cli.study_output import DryRun, print_dry_run, print_results
from cnnrun.cli.study_progress import StudyLines, StudyTable
from cnnrun.errors import StudyError, WorkError
from cnnrun.runs.events import Note
from cnnrun.starter.example import example_project
from cnnrun.wording import duration

CONFIG = """\
data: {directory: images, image_size: [8, 8]}
model:
  layers:
    - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
    - GlobalAveragePooling2D
    - classifier
"""
STUDY = "question: How long?\nfactors: {epochs: {path: train.epochs, values: [1, 2]}}\n"


@pytest.fixture
def bn_order() -> StudyPlan:
    return plan_study(
        find_study("bn-order").study.of_example(),
        name="bn-order",
        base=example_project() / "configs" / "digits.yaml",
        overrides=(),
        seeds=None,
    ).plan


def outcome(plan: StudyPlan, number: int) -> CellOutcome:
    """An outcome with round numbers: each arm loses 0.05 more than the one before."""
    cell = plan.cells[number]
    arm = [each.name for each in plan.arms].index(cell.arm)
    if number == 6:
        return failed_outcome(cell, key="", folder=Path("runs/x"), why="no memory")
    return CellOutcome(
        arm=cell.arm,
        seed=cell.seed,
        key="k",
        state="diverged" if number == 9 else "finished",
        is_reused=number < 4,
        folder=Path("runs/k"),
        why="NaN" if number == 9 else "",
        seconds={"total": 3.25, "fit": 2.0},
        values={
            "test_loss": 0.1 + 0.05 * arm + 0.001 * cell.seed + 0.004 * (number * 7 % 5),
            "test_accuracy": 0.97 - 0.002 * (number * 7 % 3),
        },
        parameters=57034,
        multiply_adds=1788544,
        processor="EPYC",
    )


@pytest.fixture
def results(bn_order: StudyPlan) -> StudyResults:
    outcomes = [outcome(bn_order, number) for number in range(len(bn_order.cells))]
    return study_results(bn_order, find_study("bn-order").study, outcomes)


@pytest.mark.parametrize("form", ["table", "--json"])
def test_the_studies_are_listed(form: str, command, snapshot: SnapshotAssertion) -> None:
    ended = command("ablate", "--list", *([form] if form != "table" else []))
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot


REFUSED = {
    "no_study": [],
    "unknown_study": ["bn-oder"],
    "one_seed": ["study.yaml", "config.yaml", "--seeds", "1"],
    "unknown_factor": ["study.yaml", "config.yaml", "--values", "epoch=1,2"],
    "value_that_the_config_refuses": ["study.yaml", "config.yaml", "--values", "epochs=1,0"],
    "unknown_address": ["study.yaml", "config.yaml", "--set", "train.epoch=3"],
    "no_config": ["study.yaml", "confg.yaml"],
    "folder_of_something_else": ["study.yaml", "config.yaml", "--into", "."],
    "address_without_ray": ["study.yaml", "config.yaml", "--address", "here:1"],
    "another_study": ["another.yaml", "config.yaml", "--into", "folder"],
}


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(
    arguments: list[str], command, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    for name, text in (("study", STUDY), ("another", STUDY), ("config", CONFIG)):
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "folder").mkdir()
    plan = {
        "study": "study",
        "metric": {"name": "test_loss", "better": "lower", "margin": None},
        "resplit": False,
        "looks": [],
        "planned_seeds": [0, 1],
        "contrasts": [],
        "arms": [],
    }
    (tmp_path / "folder" / "plan.json").write_text(json.dumps(plan))
    ended = command("ablate", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def test_what_came_out(results: StudyResults, capsys, monkeypatch, snapshot) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    print_results(results, Path("experiments/bn-order"))
    assert capsys.readouterr().out == snapshot


@pytest.mark.parametrize(("columns", "widest"), [("80", 80), ("100", 100), (None, 100)])
def test_what_came_out_fits(
    results: StudyResults, columns: str | None, widest: int, capsys, monkeypatch, snapshot
) -> None:
    """Sentences are whole lines where no terminal is; tables are 100 characters wide at most."""
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    print_results(results, Path("experiments/bn-order"))
    tables, sentences = capsys.readouterr().out.split("\np supposes")
    assert max(map(len, tables.splitlines())) <= widest
    if columns is not None:
        assert max(map(len, sentences.splitlines())) <= widest
    assert tables == snapshot


def test_failed_cells_fail_the_command(results: StudyResults, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(WorkError) as refusal:
        refuse_failed_cells(results, Path("experiments/bn-order"))
    assert str(refusal.value) == snapshot


DRY_RUNS = {
    "as it comes": {},
    "one contrast": {"contrasts": 1},
    "with a margin": {"margin": 0.02},
    "with looks": {"looks": (10, 14)},
}


@pytest.mark.parametrize("given", DRY_RUNS.values(), ids=DRY_RUNS)
def test_a_dry_run(
    given: dict[str, Any], bn_order: StudyPlan, capsys, monkeypatch, snapshot
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    margin, contrasts = given.get("margin"), bn_order.contrasts[: given.get("contrasts", 3)]
    repetition = replace(bn_order.repetition, looks=given.get("looks", ()))
    plan = replace(bn_order, contrasts=contrasts, repetition=repetition)
    study = find_study("bn-order").study
    arms = [arm.name for arm in bn_order.arms]
    of = {"pairs": 7, "contrasts": len(contrasts), "tuning": plan.tuning}
    dry_run = DryRun(
        study=replace(study, metric=replace(study.metric, margin=margin)),
        plan=plan,
        folder=Path("experiments/bn-order"),
        parameters=dict.fromkeys(arms, 57034),
        multiply_adds=dict.fromkeys(arms, 1788544),
        jobs=2,
        seconds=94.0,
        power=power_of(**of),
        equivalence_power=equivalence_power_of(**of) if margin else (),
    )
    print_dry_run(dry_run)
    assert capsys.readouterr().out == snapshot
    assert dry_run.as_json()["arms"][1]["overrides"] == bn_order.arms[1].overrides


def listen(listener: StudyListener, plan: StudyPlan) -> None:
    """What a listener hears of the first ten cells, of which four were done before."""
    listener(Note("two [types] of processor"))
    listener(
        CellsBegin(
            Counter(cell.arm for cell in plan.cells),
            [outcome(plan, number) for number in range(4)],
            jobs=2,
        )
    )
    for number in range(4, 10):
        listener(CellBegins(plan.cells[number]))
        left = None if number == 6 else 100.0 - 9 * number
        listener(CellDone(outcome(plan, number), done=number + 1, seconds_left=left))
    listener(CellBegins(plan.cells[10]))


def test_lines_for_a_file(bn_order: StudyPlan, snapshot: SnapshotAssertion) -> None:
    output = io.StringIO()
    listen(StudyLines(Console(file=output, highlight=False, width=40)), bn_order)
    assert output.getvalue() == snapshot


def test_a_person_sees_a_table(bn_order: StudyPlan, snapshot: SnapshotAssertion) -> None:
    output = io.StringIO()
    console = Console(
        file=output, highlight=False, width=80, force_terminal=True, color_system=None
    )
    table = StudyTable(console)
    listen(table, bn_order)
    console.print(table.renderable())
    assert "\n".join(line.rstrip() for line in output.getvalue().splitlines()) == snapshot


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.4, "12 s"), (89, "89 s"), (300, "5 min"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_moving_table_commands_no_terminal() -> None:
    """An arm is called what a study file calls it."""
    console = Console(file=io.StringIO(), width=80)
    table = StudyTable(console)
    table(CellsBegin({"\x1b[31mred\x07": 7}, (), jobs=2))
    console.print(table.renderable())
    told = console.file.getvalue()
    assert "\x07" not in told
    assert "\\x1b[31mred\\x07" in told


def test_a_search_is_no_study_to_ablate(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    file = tmp_path / "search.yaml"
    file.write_text("question: Why?\nsearch: {over: {rate: {low: 1e-4, high: 1e-2}}}\n")
    given = {"seeds": None, "resplit": None, "tune_each_arm": None, "values": [], "overrides": []}
    with pytest.raises(StudyError) as refusal:
        prepare_study(str(file), None, into=None, experiments=tmp_path, **given)
    assert str(refusal.value).replace(str(tmp_path), "<here>") == snapshot
