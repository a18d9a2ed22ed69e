"""A study's cells among processes: each in one place, once, with what those that died came to.

No network is trained here; tests/end_to_end/test_many_machines.py does it with real commands.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution.cell_records import CellRecord, write_pause, write_record
from cnnrun.ablation.execution.desk import SharedDesk
from cnnrun.ablation.execution.schedule import Numbered
from cnnrun.ablation.execution.tasks import CellTask, Failed
from cnnrun.ablation.planning.plan import Cell
from cnnrun.config.data_section import DataSpec
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.sections import Config
from cnnrun.errors import FullDiskError
from cnnrun.runs.claims import CLAIMS_FOLDER, holding
from cnnrun.runs.folder import RunFolder

CONFIG = Config(data=DataSpec(), model=ModelSpec(layers=()))


def numbered(
    study: Path, number: int = 0, *, key: str = "a0", pause: int | None = None
) -> Numbered:
    cell = Cell("a", number, CONFIG, diagnostics=False, target=None, pause_after=pause)
    task = CellTask(
        config=CONFIG,
        diagnostics=False,
        key=key,
        data={},
        versions={},
        folder=study / "runs" / key,
        cache_folder=study,
        pause_after=pause,
    )
    return Numbered(number, cell, task)


def finish(folder: Path, *, by: str) -> None:
    """What a worker leaves of a cell that is done; `by` tells who wrote it."""
    (folder / "model.keras").write_text(by)
    record = CellRecord("a0", "finished", "", {"total": 1.0}, {"test_loss": 1.0}, 1, 1, "p")
    write_record(RunFolder(folder), record)


def reach(folder: Path, epoch: int) -> None:
    """What a worker leaves that was killed after an epoch."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / "checkpoints" / f"epoch-{epoch:05d}-stage-01.npz").write_text(str(epoch))
    (folder / "metrics.jsonl").write_text("{}\n" * epoch)


def names(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


def abandon(study: Path) -> None:
    """Whoever holds the claim seems to be on another machine, and to have been silent for long."""
    path = study / CLAIMS_FOLDER / "a0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"machine": "elsewhere"}))
    os.utime(path, (0, 0))


def test_a_cell_is_one_processs_until_it_lies_in_its_place(tmp_path: Path) -> None:
    each = numbered(tmp_path)
    with holding(tmp_path) as first, holding(tmp_path) as second:
        one, other = SharedDesk(first, in_place=False), SharedDesk(second, in_place=False)
        folder = one.take(each)
        assert folder is not None
        assert folder.parent == each.task.folder.parent  # so that relative paths hold
        assert other.take(each) is None
        assert other.of_others(each) is not None
        finish(folder, by="one")
        one.give_back(each, failed=None)
        assert other.of_others(each) is None
        assert other.take(each) is None  # it is done
        assert (one.here, other.here) == ({0}, set())
    assert names(tmp_path / "runs") == ["a0"]
    assert names(tmp_path) == ["runs"]


def test_what_two_have_done_by_mischance_is_kept_once(tmp_path: Path) -> None:
    each = numbered(tmp_path)
    with holding(tmp_path) as first, holding(tmp_path) as second:
        one, other = SharedDesk(first, in_place=False), SharedDesk(second, in_place=False)
        slow = one.take(each)
        assert slow is not None
        abandon(tmp_path)
        fast = other.take(each)
        assert fast not in (None, slow)
        assert fast is not None
        finish(slow, by="slow")
        finish(fast, by="fast")
        other.give_back(each, failed=None)
        one.give_back(each, failed=None)
    assert (each.task.folder / "model.keras").read_text() == "fast"
    assert names(tmp_path / "runs") == ["a0"]


@pytest.mark.parametrize("in_place", [False, True], ids=["share", "whole study"])
def test_what_a_dead_process_came_to_is_gone_on_with(in_place: bool, tmp_path: Path) -> None:
    """The furthest of three beginnings is taken: one in the place itself, two of the dead."""
    each = numbered(tmp_path)
    reach(each.task.folder, 1)
    reach(each.task.folder.with_name(".a0.node1-7-aa"), 3)
    reach(each.task.folder.with_name(".a0.node2-8-bb"), 2)
    with holding(tmp_path) as holder:
        desk = SharedDesk(holder, in_place=in_place)
        folder = desk.take(each)
        assert folder is not None
        assert (folder == each.task.folder) == in_place
        assert names(folder / "checkpoints") == ["epoch-00003-stage-01.npz"]
        assert (folder / "metrics.jsonl").read_text() == "{}\n" * 3
        finish(folder, by="holder")
        desk.give_back(each, failed=None)
    assert names(tmp_path / "runs") == ["a0"]
    assert (each.task.folder / "model.keras").read_text() == "holder"


def test_a_cell_that_a_process_finished_before_it_died_is_not_trained_again(tmp_path: Path) -> None:
    each = numbered(tmp_path)
    left = each.task.folder.with_name(".a0.node1-7-aa")
    left.mkdir(parents=True)
    finish(left, by="the dead")
    with holding(tmp_path) as holder:
        assert SharedDesk(holder, in_place=False).take(each) is None
    assert (each.task.folder / "model.keras").read_text() == "the dead"


def test_what_was_interrupted_lies_in_its_place_for_whoever_goes_on(tmp_path: Path) -> None:
    each = numbered(tmp_path)
    with holding(tmp_path) as holder:
        desk = SharedDesk(holder, in_place=False)
        folder = desk.take(each)
        assert folder is not None
        reach(folder, 2)
        desk.put_back()
        assert holder.take("a0")
    assert names(each.task.folder / "checkpoints") == ["epoch-00002-stage-01.npz"]
    assert names(tmp_path / "runs") == ["a0"]


def test_a_trial_that_paused_is_done_in_its_round_and_gone_on_with_in_the_next(
    tmp_path: Path,
) -> None:
    paused, going_on = numbered(tmp_path, pause=1), numbered(tmp_path)
    with holding(tmp_path) as holder:
        desk = SharedDesk(holder, in_place=False)
        folder = desk.take(paused)
        assert folder is not None
        reach(folder, 1)
        write_pause(RunFolder(folder), key="a0", epoch=1, values={"val_loss": 1.0})
        desk.give_back(paused, failed=None)
        assert desk.take(paused) is None
        folder = desk.take(going_on)
        assert folder is not None
        assert names(folder / "checkpoints") == ["epoch-00001-stage-01.npz"]
        finish(folder, by="holder")
        desk.give_back(going_on, failed=None)
        assert desk.take(paused) is None  # what was decided by it can be decided again
    assert names(tmp_path / "runs") == ["a0"]


def test_a_failure_is_not_tried_again_by_those_who_are_at_work(tmp_path: Path) -> None:
    each = numbered(tmp_path)
    with holding(tmp_path) as first, holding(tmp_path) as second:
        one, other = SharedDesk(first, in_place=False), SharedDesk(second, in_place=False)
        folder = one.take(each)
        assert folder is not None
        (folder / "log.txt").write_text("why")
        one.give_back(each, failed=Failed("no memory", is_lasting=True))
        assert other.take(each) is None
        assert other.failure(each) == Failed("no memory", is_lasting=True)
    assert (each.task.folder / "log.txt").read_text() == "why"
    with holding(tmp_path) as later:
        assert SharedDesk(later, in_place=False).take(each) is not None


def test_one_cell_under_two_names_is_trained_once_at_a_time(tmp_path: Path) -> None:
    with holding(tmp_path) as holder:
        desk = SharedDesk(holder, in_place=False)
        folder = desk.take(numbered(tmp_path, 0))
        assert folder is not None
        assert desk.take(numbered(tmp_path, 1)) is None
        finish(folder, by="holder")
        desk.give_back(numbered(tmp_path, 0), failed=None)
    assert names(tmp_path / "runs") == ["a0"]


def test_a_full_disk_is_said_and_loses_nothing(
    small_disk: Path, snapshot: SnapshotAssertion
) -> None:
    study = small_disk / "study"
    each, another = numbered(study), numbered(study, 1, key="a1")
    with holding(study) as holder:
        desk = SharedDesk(holder, in_place=False)
        folder = desk.take(each)
        assert folder is not None
        ballast = small_disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            ballast.write_bytes(bytes(2**17))
        holder.renew()  # needs no room
        with pytest.raises(FullDiskError) as raised:
            desk.take(another)
        where, _, said = str(raised.value).partition(": ")
        assert Path(where).name == "a1.json"
        assert said == snapshot
        ballast.unlink()
        assert desk.take(another) is not None
        finish(folder, by="holder")
        desk.give_back(each, failed=None)
    assert (each.task.folder / "model.keras").read_text() == "holder"
