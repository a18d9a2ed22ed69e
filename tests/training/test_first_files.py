"""Runs that die while their first files are written: killed, or on a full disk.

Each is killed by the system, without a word, before its k-th operation on a file. Oracle: the
files that a run has which nothing happened to.
"""

import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cnnrun.assembly.preparing import Prepared, prepare
from cnnrun.config.load import load_config
from cnnrun.errors import RunError, StorageError
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.metrics import write_epochs
from cnnrun.runs.resumable import run_to_resume
from cnnrun.runs.state import write_state
from cnnrun.runs.unbegun import clear_unbegun, create_run_into, is_unbegun
from cnnrun.training.recording import environment_of, recorded, write_beginning
from cnnrun.training.train import resume, train

WRITES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
ALL_OPERATIONS = 40  # more than a run has before its first epoch


class Faults:
    """Lets the k-th operation that changes files below a folder fail; armed by its tests alone."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.remaining = 0
        self.fault: Callable[[], None] = lambda: None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None or event not in WRITES or not self._changes(event, arguments):
            return
        self.remaining -= 1
        if self.remaining == 0:
            self.fault()

    def _changes(self, event: str, arguments: tuple[Any, ...]) -> bool:
        is_below = str(arguments[0]).startswith(self.folder or "")
        reads = event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        return is_below and not reads


FAULTS = Faults()
sys.addaudithook(FAULTS)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def disk_full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(scope="module")
def prepared(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("config")
    sections = {
        "data": {"directory": str(image_folder), "image_size": [6, 6], "color_mode": "grayscale"},
        "model": {"layers": ["Flatten", "classifier"]},
        "train": {"epochs": 2, "batch_size": 8},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(sections))
    config = load_config(folder / "tiny.yaml")
    ready = prepare(config, earlier=None, cache_folder=folder, listener=silent)
    environment_of(ready, with_git=False)  # hashes the images
    return ready


def begin(prepared: Prepared, path: Path) -> RunFolder:
    """What `train` and `resume` do before the first epoch."""
    environment = environment_of(prepared, with_git=True)
    run = create_run_into(path)
    with hold(run):
        clear_unbegun(run)
        with recorded(run):
            write_beginning(run, prepared, environment)
            write_epochs(run, ())
    return run


def killed_at(operation: int, prepared: Prepared, path: Path) -> bool:
    """Begin a run in a process that is killed before an operation; whether it came so far."""
    child = os.fork()
    if child == 0:
        FAULTS.folder, FAULTS.remaining, FAULTS.fault = str(path), operation, kill
        try:
            begin(prepared, path)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def files_of(run: RunFolder) -> set[str]:
    return {path.name for path in run.path.iterdir()}


def test_after_a_kill_before_any_operation_a_run_begins_anew(
    prepared: Prepared, tmp_path: Path
) -> None:
    whole = files_of(begin(prepared, tmp_path / "whole"))
    killed = 0
    for operation in range(1, ALL_OPERATIONS):
        path = tmp_path / f"run{operation}"
        if not killed_at(operation, prepared, path):
            break
        killed += 1
        assert not path.exists() or is_unbegun(path), (operation, sorted(path.iterdir()))
        if path.exists():
            assert run_to_resume(tmp_path, name="x", into=path).path == path
        assert files_of(begin(prepared, path)) == whole
        config = path / "config.yaml"
        assert config.read_bytes() == prepared.config.source.read_bytes()
    assert killed > 15


def test_after_a_second_kill_too(prepared: Prepared, tmp_path: Path, attack) -> None:
    """Also while the remains of the first are taken away."""
    for number in attack.rounds(10):
        path = tmp_path / f"run{number}"
        for _ in range(3):
            killed_at(attack.random.randrange(1, 25), prepared, path)
        begin(prepared, path)
        shutil.rmtree(path)


def test_after_a_full_disk_a_run_begins_anew(prepared: Prepared, tmp_path: Path) -> None:
    whole = files_of(begin(prepared, tmp_path / "whole"))
    for operation in range(1, ALL_OPERATIONS):
        path = tmp_path / f"run{operation}"
        FAULTS.folder, FAULTS.remaining, FAULTS.fault = str(path), operation, disk_full
        try:
            begin(prepared, path)
        except StorageError:
            assert not path.exists() or is_unbegun(path)
        finally:
            FAULTS.folder = None
        if FAULTS.remaining > 0:
            assert operation > 15
            break
        if path.exists() and not is_unbegun(path):
            continue  # an operation that may fail
        assert files_of(begin(prepared, path)) == whole


@pytest.mark.parametrize("free_kib", [4, 8, 12])
def test_on_a_disk_that_is_almost_full_a_run_begins_anew(
    prepared: Prepared, small_disk: Path, tmp_path: Path, free_kib: int
) -> None:
    """Killed at any operation or refused, on a real disk; then there is room."""
    whole, run = files_of(begin(prepared, tmp_path / "whole")), small_disk / "run"
    ballast = small_disk / "ballast"
    for operation in range(1, ALL_OPERATIONS, 3):
        ballast.write_bytes(bytes((64 - free_kib) * 1024))
        killed_at(operation, prepared, run)
        assert not run.exists() or is_unbegun(run)
        with pytest.raises(StorageError):
            begin(prepared, run)
        assert not run.exists() or is_unbegun(run)
        ballast.unlink()
        assert files_of(begin(prepared, run)) == whole
        shutil.rmtree(run)


@pytest.fixture
def died(prepared: Prepared, tmp_path: Path) -> RunFolder:
    """A run that was killed after all its first files but before an epoch."""
    run = begin(prepared, tmp_path / "experiments" / "tiny" / "20260101-000000-seed0")
    write_state(run, "running", why="")
    return run


def test_both_commands_begin_anew(died: RunFolder, prepared: Prepared) -> None:
    """The same bits as a run that nothing happened to."""
    config = prepared.config
    resume(config, run=died, listener=silent)
    resumed = died.metrics_jsonl.read_text()
    other = died.path.with_name("other")
    begin(prepared, other)
    run = train(config, experiments=died.path.parents[1], into=other, listener=silent)
    assert _without_times(run.metrics_jsonl.read_text()) == _without_times(resumed)


def _without_times(lines: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in lines.splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_the_newest_run_that_can_be_continued_is_found(died: RunFolder, prepared: Prepared) -> None:
    """Not one that is running or without an epoch, though it is newer."""
    runs, experiments = died.path.parent, died.path.parents[1]
    begun = begin(prepared, runs / "20250101-000000-seed0")
    begun.metrics_jsonl.write_text("{}\n")
    running = begin(prepared, runs / "20270101-000000-seed0")
    running.metrics_jsonl.write_text("{}\n")
    (runs / "20280101-000000-seed0").mkdir()
    with hold(running):
        found = run_to_resume(experiments, name="tiny", into=None)
        assert found.path == begun.path
        shutil.rmtree(begun.path)
        assert run_to_resume(experiments, name="tiny", into=None).path == died.path
        shutil.rmtree(died.path)
        with pytest.raises(RunError):
            run_to_resume(experiments, name="tiny", into=None)


def test_a_folder_that_is_somebody_s_is_not_taken(tmp_path: Path) -> None:
    for names in (["config.yaml"], [".lock", "photo.png"], [".lock", "model.keras"]):
        folder = tmp_path / "-".join(names)
        folder.mkdir()
        for name in names:
            (folder / name).touch()
        assert not is_unbegun(folder)
        with pytest.raises(RunError):
            create_run_into(folder)
    assert not is_unbegun(tmp_path / "nowhere")


def test_a_run_with_an_epoch_or_a_checkpoint_is_not_taken(died: RunFolder) -> None:
    assert is_unbegun(died.path)
    died.metrics_jsonl.write_text('{"epoch": 1')  # torn
    assert is_unbegun(died.path)
    died.checkpoints.mkdir()
    (died.checkpoints / "epoch-1.npz").touch()
    assert not is_unbegun(died.path)
    (died.checkpoints / "epoch-1.npz").unlink()
    died.metrics_jsonl.write_text('{"epoch": 1}\n')
    assert not is_unbegun(died.path)
