"""Run folders are created once, opened when they are whole, and held by one process at a time."""

import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError, StorageError
from cnnrun.runs.files import write_text
from cnnrun.runs.folder import (
    RunFolder,
    create_run,
    hold,
    is_held,
    open_run,
    require_files,
    run_name,
)
from cnnrun.runs.unbegun import create_run_into


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("configs/digits.yaml", "digits"),
        ("digits.small.yaml", "digits.small"),
        (".hidden.yaml", ".hidden"),
        # `experiments/..` would be the folder above.
        ("configs/...yaml", "config"),
        ("..yaml", "config"),
    ],
)
def test_a_configs_runs_have_its_name_unless_that_leads_out(config: str, name: str) -> None:
    assert run_name(Path(config)) == name


def test_a_new_run_is_named_by_time_and_seed(tmp_path: Path) -> None:
    run = create_run(tmp_path / "experiments", name="digits", seed=3)
    assert run.path.parent == tmp_path / "experiments" / "digits"
    assert re.fullmatch(r"\d{8}-\d{6}-seed3", run.path.name)
    assert list(run.path.iterdir()) == []


def test_runs_created_at_once_have_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: create_run(tmp_path, name="digits", seed=0), range(40)))
    assert len({run.path for run in runs}) == 40
    # However many seconds they take, some are of the same.
    assert any(run.path.name.endswith("-seed0-2") for run in runs)


def test_every_file_of_design_has_its_place(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    places = [
        run.config_yaml,
        run.resolved_yaml,
        run.environment_json,
        run.state_json,
        run.classes_json,
        run.metrics_jsonl,
        run.result_json,
        run.model_keras,
        run.predictions_csv,
        run.plots,
        run.log_txt,
        run.checkpoints,
    ]
    assert [place.relative_to(tmp_path).as_posix() for place in places] == [
        "config.yaml",
        "resolved.yaml",
        "environment.json",
        "state.json",
        "classes.json",
        "metrics.jsonl",
        "result.json",
        "model.keras",
        "predictions.csv",
        "plots",
        "log.txt",
        "checkpoints",
    ]


def test_a_run_goes_into_an_absent_or_empty_folder(tmp_path: Path) -> None:
    assert create_run_into(tmp_path / "a" / "b").path.is_dir()
    assert create_run_into(tmp_path / "a" / "b").path.is_dir()


def test_a_run_is_not_overwritten(make_run, message_of, snapshot: SnapshotAssertion) -> None:
    run = make_run("digits/a", seed=0, accuracy=0.9)
    before = sorted(path.read_bytes() for path in run.path.iterdir() if path.is_file())
    with pytest.raises(RunError) as raised:
        create_run_into(run.path)
    assert message_of(raised) == snapshot
    assert before == sorted(path.read_bytes() for path in run.path.iterdir() if path.is_file())


@pytest.mark.parametrize("count", [1, 3])
def test_a_folder_with_other_files_is_refused(
    count: int, tmp_path: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    for number in range(count):
        (tmp_path / f"holiday-{number}.jpg").touch()
    with pytest.raises(RunError) as raised:
        create_run_into(tmp_path)
    assert message_of(raised) == snapshot


def test_a_file_in_the_place_of_a_run_is_refused(
    tmp_path: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError) as raised:
        create_run_into(tmp_path / "file")
    assert message_of(raised) == snapshot


def test_read_only_experiments_are_named(
    read_only_disk: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(StorageError) as raised:
        create_run_into(read_only_disk / "new")
    assert message_of(raised) == snapshot(name="into")
    with pytest.raises(StorageError, match="Read-only file system"):
        create_run(read_only_disk, name="digits", seed=0)
    with pytest.raises(StorageError) as raised, hold(RunFolder(read_only_disk / "run")):
        pass
    assert message_of(raised) == snapshot(name="hold")


def test_experiments_that_are_a_file_are_named(
    tmp_path: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "experiments").touch()
    with pytest.raises(StorageError) as raised:
        create_run(tmp_path / "experiments", name="digits", seed=0)
    message = re.sub(r"\d{8}-\d{6}", "TIME", message_of(raised))
    assert message == snapshot


def test_a_whole_run_opens(make_run) -> None:
    run = make_run("digits/a", seed=0, accuracy=0.9)
    assert open_run(run.path) == run


def test_what_is_no_run_is_named(
    make_run, tmp_path: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    run = make_run("digits/a", seed=0, accuracy=0.9)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "notes.txt").touch()
    wrong = {
        "absent": tmp_path / "absent",
        "a file of the run": run.result_json,
        "some file": tmp_path / "notes.txt",
        "a folder of runs": run.path.parent,
        "some folder": tmp_path / "elsewhere",
    }
    messages = {}
    for name, path in wrong.items():
        with pytest.raises(RunError) as raised:
            open_run(path)
        messages[name] = message_of(raised)
    assert messages == snapshot


@pytest.mark.parametrize("missing", ["state.json", "resolved.yaml"])
def test_what_a_run_lacks_is_named(
    missing: str, make_run, message_of, snapshot: SnapshotAssertion
) -> None:
    run = make_run("digits/a", seed=0, accuracy=0.9)
    (run.path / missing).unlink()
    with pytest.raises(RunError) as raised:
        open_run(run.path)
    assert message_of(raised) == snapshot


def test_required_files_are_named(make_run, message_of, snapshot: SnapshotAssertion) -> None:
    run = make_run("digits/a", seed=0, accuracy=0.9)
    require_files(run, run.result_json)
    with pytest.raises(RunError) as raised:
        require_files(run, run.result_json, run.model_keras, run.classes_json)
    assert message_of(raised) == snapshot


def test_a_run_that_can_be_finished_is_told_how(run: RunFolder) -> None:
    said = f"{run.path}: a run must have all its files, received one without model.keras; "
    for complete, step in [
        ((run.state_json,), "train it again"),
        ((run.resolved_yaml,), "finish it with `cnnrun train --resume`, or train it again"),
        ((run.result_json,), "train it again"),
    ]:
        for file in complete:
            file.touch()
        with pytest.raises(RunError) as raised:
            require_files(run, run.model_keras)
        assert str(raised.value) == said + step


HOLD = """
import sys, time
from pathlib import Path
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.state import write_state
run = RunFolder(Path(sys.argv[1]))
with hold(run):
    write_state(run, "running", why="")
    (run.path / ".partial-0123-model.keras").touch()
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_works_on_a_run_until_it_is_killed(
    run: RunFolder, message_of, snapshot: SnapshotAssertion
) -> None:
    write_text(run.resolved_yaml, "seed: 0\n")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert is_held(run)
        with pytest.raises(RunError) as raised, hold(run):
            pass
        other.send_signal(signal.SIGKILL)
    assert message_of(raised) == snapshot
    assert not is_held(run)
    with hold(run):
        assert is_held(run)
        names = {path.name for path in run.path.iterdir()}
    assert names == {".lock", "resolved.yaml", "state.json"}, "half-written files are gone"
    assert not is_held(run)


def test_asking_leaves_no_lock_file(run: RunFolder) -> None:
    assert not is_held(run)
    assert list(run.path.iterdir()) == []


def test_a_lock_of_another_user_counts_as_held(shared_folder: Path, without_privileges) -> None:
    run = create_run_into(shared_folder / "run")
    run.lock.touch()
    run.lock.chmod(0)
    with without_privileges():
        assert is_held(run)


def test_a_folder_that_may_not_be_entered_is_named(
    shared_folder: Path, without_privileges, snapshot: SnapshotAssertion
) -> None:
    run = create_run_into(shared_folder / "closed" / "run")
    run.path.parent.chmod(0)
    with without_privileges(), pytest.raises(RunError) as raised:
        open_run(run.path)
    assert str(raised.value).replace(str(shared_folder), "SHARED") == snapshot
    run.path.parent.chmod(0o700)
