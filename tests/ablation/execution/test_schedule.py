"""Which worker gets which cell, and what becomes of a cell whose worker dies.

The workers are scripted; test_execution.py has real ones.
"""

from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution import run_cells
from cnnrun.ablation.execution.cell_records import CellOutcome, CellRecord, write_record
from cnnrun.ablation.execution.pool import Answer, Died, Event
from cnnrun.ablation.execution.schedule import (
    CellBegins,
    CellDone,
    Ledger,
    Numbered,
    Schedule,
    StudyEvent,
)
from cnnrun.ablation.execution.tasks import CellTask, Done, Failed, Task
from cnnrun.ablation.planning.plan import Cell
from cnnrun.config.data_section import DataSpec
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.sections import Config
from cnnrun.errors import WorkError
from cnnrun.runs.events import Note
from cnnrun.runs.folder import RunFolder

CONFIG = Config(data=DataSpec(), model=ModelSpec(layers=()))


class Listener:
    """Puts down what it hears."""

    def __init__(self) -> None:
        self.outcomes: list[CellOutcome] = []
        self.seconds_left: list[float | None] = []
        self.notes: list[str] = []

    def __call__(self, event: StudyEvent) -> None:
        assert isinstance(event, CellBegins | CellDone | Note)
        if isinstance(event, Note):
            self.notes.append(event.text)
        if isinstance(event, CellDone):
            self.outcomes.append(event.outcome)
            self.seconds_left.append(event.seconds_left)
            assert event.done == len(self.outcomes)


class ScriptedPool:
    """Workers that take turns, and die where the script says so.

    `dying` is cell name -> how often its worker dies; the name "" is that of a worker's start.
    """

    def __init__(
        self,
        *,
        jobs: int,
        dying: dict[str, int],
        failing: Sequence[str] = (),
        without_room: Sequence[str] = (),
    ) -> None:
        self.jobs = jobs
        self.without_room = without_room
        self.cells_left: list[int] = []
        self.dying = dict(dying)
        self.failing = failing
        self.given: list[tuple[int, str]] = []
        self._events: deque[Event] = deque()
        self._started = 0

    def start(self) -> int:
        self._started += 1
        self._events.append(self._end(self._started, ""))
        return self._started

    def give(self, worker: int, task: Task) -> None:
        assert isinstance(task, CellTask)
        name = task.folder.name
        self.given.append((worker, name))
        self.cells_left.append(task.cells_left)
        event = self._end(worker, name)
        if isinstance(event, Answer) and not isinstance(event.report, Failed):
            task.folder.mkdir(parents=True, exist_ok=True)
            seconds = {"total": 2.0, "fit": 1.0}
            record = CellRecord(name, "finished", "", seconds, {"test_loss": 1.0}, 1, 1, "p")
            write_record(RunFolder(task.folder), record)
        self._events.append(event)

    def wait(self) -> Sequence[Event]:
        return [self._events.popleft()]

    def close(self) -> None:
        """There is nothing to end."""

    def _end(self, worker: int, name: str) -> Event:
        if self.dying.get(name, 0):
            self.dying[name] -= 1
            return Died(worker, "its process was ended by SIGKILL")
        if name in self.failing:
            return Answer(worker, Failed("the data cannot be used"))
        if name in self.without_room:
            return Answer(worker, Failed("there is no room for so many cells", ends_study=True))
        return Answer(worker, Done(room="the models take much"))


class EmptyHandedOthers:
    """A desk at which nobody else takes cells."""

    def take(self, each: Numbered) -> Path:
        return each.task.folder

    def give_back(self, each: Numbered, *, failed: Failed | None) -> None:
        """It is where it was."""


def cells(folder: Path, arms: Sequence[str], seeds: int) -> list[Numbered]:
    names = [(arm, seed) for seed in range(seeds) for arm in arms]
    return [
        Numbered(
            number,
            Cell(arm, seed, CONFIG, diagnostics=False, target=None),
            CellTask(
                config=CONFIG,
                diagnostics=False,
                key=f"{arm}{seed}",
                data={},
                versions={},
                folder=folder / f"{arm}{seed}",
                cache_folder=folder,
            ),
        )
        for number, (arm, seed) in enumerate(names)
    ]


def run(pool: ScriptedPool, numbered: Sequence[Numbered]) -> Listener:
    listener = Listener()
    ledger = Ledger(total=len(numbered), jobs=pool.jobs, listener=listener)
    Schedule(pool, numbered, ledger, desk=EmptyHandedOthers()).run()
    assert len(ledger.outcomes) == len(numbered)
    return listener


def test_a_worker_keeps_to_the_arms_that_it_has_traced(tmp_path: Path) -> None:
    pool = ScriptedPool(jobs=2, dying={})
    run(pool, cells(tmp_path, ["a", "b", "c", "d"], seeds=4))
    arms = {(worker, name[0]) for worker, name in pool.given}
    assert len(pool.given) == 16
    assert len(arms) <= 5  # an arm more than once only where a worker would be idle


def test_a_cell_is_not_begun_before_seeds_that_are_two_ahead_of_it(tmp_path: Path) -> None:
    pool = ScriptedPool(jobs=1, dying={})
    run(pool, cells(tmp_path, ["a", "b", "c"], seeds=5))
    order = [int(name[1]) for _, name in pool.given]
    for place, seed in enumerate(order):
        assert all(later >= seed - 1 for later in order[place:])


def test_the_time_left_is_that_of_the_cells_done(tmp_path: Path) -> None:
    listener = run(ScriptedPool(jobs=2, dying={}), cells(tmp_path, ["a", "b"], seeds=2))
    assert listener.seconds_left == [3.0, 2.0, 1.0, 0.0]


def test_a_cell_whose_worker_died_is_begun_again_in_another(tmp_path: Path) -> None:
    pool = ScriptedPool(jobs=1, dying={"a0": 1})
    listener = run(pool, cells(tmp_path, ["a", "b"], seeds=1))
    assert pool.given == [(1, "a0"), (2, "a0"), (2, "b0")]
    assert [outcome.state for outcome in listener.outcomes] == ["finished", "finished"]


def test_a_worker_without_a_cell_takes_that_of_one_that_died(tmp_path: Path) -> None:
    pool = ScriptedPool(jobs=2, dying={"b0": 1})
    # The first worker has nothing to do any more when the other one dies.
    run(pool, cells(tmp_path, ["a", "b"], seeds=1))
    assert pool.given == [(1, "a0"), (2, "b0"), (1, "b0")]


def test_a_cell_whose_workers_died_twice_stops_no_other(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    pool = ScriptedPool(jobs=1, dying={"a0": 2})
    listener = run(pool, cells(tmp_path, ["a", "b"], seeds=1))
    failed, other = listener.outcomes
    assert (failed.state, other.state) == ("failed", "finished")
    assert failed.why == snapshot
    assert (tmp_path / "a0" / "log.txt").read_text() == snapshot(name="log")


def test_a_cell_that_fails_is_not_begun_again(tmp_path: Path) -> None:
    pool = ScriptedPool(jobs=1, dying={}, failing=["a0"])
    listener = run(pool, cells(tmp_path, ["a", "b"], seeds=1))
    assert pool.given == [(1, "a0"), (1, "b0")]
    assert listener.outcomes[0].why == "the data cannot be used"
    assert listener.outcomes[0].values == {}


def test_workers_that_cannot_begin_are_not_started_for_ever(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    pool = ScriptedPool(jobs=2, dying={"": 99})
    with pytest.raises(WorkError) as error:
        run(pool, cells(tmp_path, ["a"], seeds=1))
    assert str(error.value) == snapshot


def test_a_folder_that_only_the_worker_sees(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    class Elsewhere(ScriptedPool):
        def give(self, worker: int, task: Task) -> None:
            self._events.append(Answer(worker, Done()))

    (outcome,) = run(Elsewhere(jobs=1, dying={}), cells(tmp_path, ["a"], seeds=1)).outcomes
    assert outcome.state == "failed"
    assert outcome.why.replace(str(tmp_path), "study") == snapshot


def test_a_study_without_room_ends_and_keeps_what_is_done(tmp_path: Path) -> None:
    pool = ScriptedPool(jobs=1, dying={}, without_room=["a1"])
    with pytest.raises(WorkError, match="no room for so many cells"):
        run(pool, cells(tmp_path, ["a"], seeds=4))
    assert [name for _, name in pool.given] == ["a0", "a1"]
    assert (tmp_path / "a0").exists()


def test_room_is_asked_for_all_cells_that_are_left_and_said_once(tmp_path: Path) -> None:
    pool = ScriptedPool(jobs=1, dying={})
    listener = run(pool, cells(tmp_path, ["a"], seeds=3))
    assert pool.cells_left == [3, 2, 1]
    assert listener.notes == ["the models take much"]


def test_the_trials_worker_may_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(run_cells, "LocalPool", partial(ScriptedPool, dying={"": 1}))
    with pytest.raises(WorkError) as error:
        run_cells.time_trial({}, diagnostics=False, folder=tmp_path)
    assert str(error.value) == snapshot
