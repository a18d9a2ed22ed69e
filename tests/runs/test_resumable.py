"""`--resume` finds the run that was cut short."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError
from cnnrun.runs.resumable import run_to_resume
from cnnrun.runs.state import write_state
from cnnrun.runs.unbegun import create_run_into


def test_the_newest_unfinished_run_goes_on(make_run, tmp_path: Path) -> None:
    for name, state in (("1", "interrupted"), ("2", "failed"), ("3", "finished")):
        write_state(make_run(f"digits/{name}", seed=0, accuracy=0.9), state, why="")
    run = run_to_resume(tmp_path / "experiments", name="digits", into=None)
    assert run.path.name == "2"


def test_damaged_and_empty_runs_are_passed_over(make_run, tmp_path: Path) -> None:
    write_state(make_run("digits/1", seed=0, accuracy=0.9), "interrupted", why="")
    make_run("digits/2", seed=0, accuracy=0.9).state_json.write_text("{")
    make_run("digits/3", seed=0, accuracy=0.9).state_json.unlink()
    write_state(create_run_into(tmp_path / "experiments" / "digits" / "4"), "running", why="")
    run = run_to_resume(tmp_path / "experiments", name="digits", into=None)
    assert run.path.name == "1"


def test_a_named_run_goes_on(make_run, tmp_path: Path) -> None:
    run = make_run("elsewhere", seed=0, accuracy=0.9)
    assert run_to_resume(tmp_path / "experiments", name="digits", into=run.path) == run


@pytest.mark.parametrize("runs", [0, 2])
def test_nothing_to_resume_is_named(
    runs: int, make_run, tmp_path: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    for number in range(runs):
        make_run(f"digits/{number}", seed=number, accuracy=0.9)
    with pytest.raises(RunError) as raised:
        run_to_resume(tmp_path / "experiments", name="digits", into=None)
    assert message_of(raised) == snapshot
