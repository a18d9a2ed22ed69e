"""What a process does of a study beside others, and what it leaves. Workers are scripted."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution import run_cells
from cnnrun.ablation.execution.cell_records import CellRecord, write_record
from cnnrun.ablation.execution.desk import SharedDesk
from cnnrun.ablation.execution.pool import Answer, Event
from cnnrun.ablation.execution.run_cells import ShareDone, cell_runner, share_runner
from cnnrun.ablation.execution.schedule import Numbered, StudyEvent
from cnnrun.ablation.execution.tasks import CellTask, Done, Failed, Task
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.plan import Cell
from cnnrun.config.data_section import DataSpec
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.sections import Config
from cnnrun.runs.claims import holding
from cnnrun.runs.events import Note, silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.work_share import WorkShare

CONFIG = Config(data=DataSpec(), model=ModelSpec(layers=()))
WORKERS = Workers(executor="local", jobs=1, address=None, with_git=False)
CELLS = [
    Cell(arm, seed, CONFIG, diagnostics=False, target=None) for seed in (0, 1) for arm in "abc"
]


def train(folder: Path, key: str) -> None:
    """What a worker leaves of a cell."""
    record = CellRecord(key, "finished", "", {"total": 1.0}, {"test_loss": 1.0}, 1, 1, "p")
    write_record(RunFolder(folder), record)


class Pool:
    """A worker that does each cell at once, but for those that fail."""

    jobs = 1

    def __init__(self, failing: Sequence[str]) -> None:
        self.failing = failing
        self.given: list[str] = []
        self._events: deque[Event] = deque()

    def start(self) -> int:
        self._events.append(Answer(1, Done()))
        return 1

    def give(self, worker: int, task: Task) -> None:
        assert isinstance(task, CellTask)
        self.given.append(task.key)
        if task.key in self.failing:
            self._events.append(Answer(worker, Failed("no memory")))
        else:
            train(task.folder, task.key)
            self._events.append(Answer(worker, Done()))

    def wait(self) -> Sequence[Event]:
        return [self._events.popleft()]

    def close(self) -> None:
        """There is nothing to end."""


def numbered(study: Path, share: WorkShare | None = None) -> list[Numbered]:
    tasks = [
        CellTask(
            config=CONFIG,
            diagnostics=False,
            key=f"{cell.arm}{cell.seed}",
            data={},
            versions={},
            folder=study / "runs" / f"{cell.arm}{cell.seed}",
            cache_folder=study,
        )
        for cell in CELLS
    ]
    return [
        Numbered(number, cell, task, share.distance(number) if share else 0)
        for number, (cell, task) in enumerate(zip(CELLS, tasks, strict=True))
    ]


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    """The worker of every runner of the test; cells have simple keys, and no images are read."""
    made = Pool(failing=[])

    @contextmanager
    def opened(_: Workers) -> Iterator[Pool]:
        yield made

    monkeypatch.setattr(run_cells, "_pool", opened)
    monkeypatch.setattr(run_cells, "_LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(run_cells, "refuse_small_shares", lambda cells: None)
    monkeypatch.setattr(
        run_cells,
        "numbered_cells",
        lambda cells, folder, *, with_git, share: numbered(folder, share),
    )
    return made


def do_share(study: Path, share: WorkShare) -> ShareDone:
    with share_runner(folder=study, workers=WORKERS, listener=silent) as runner:
        return runner.run_share(CELLS, share)


def test_a_process_does_its_own_share_first_and_then_what_nobody_holds(
    pool: Pool, tmp_path: Path
) -> None:
    done = do_share(tmp_path, WorkShare(2, 3))
    assert pool.given == ["b0", "b1", "c0", "c1", "a0", "a1"]
    assert (done.trained, done.done, done.failed) == (6, 6, ())
    assert do_share(tmp_path, WorkShare(1, 3)).trained == 0
    assert len(pool.given) == 6


def test_a_share_ends_though_others_are_at_work(pool: Pool, tmp_path: Path) -> None:
    with holding(tmp_path) as holder:
        SharedDesk(holder, in_place=False).take(numbered(tmp_path)[0])
        done = do_share(tmp_path, WorkShare(1, 2))
        assert (done.trained, done.done, done.cells) == (5, 5, 6)
        assert "a0" not in pool.given


def test_the_whole_study_waits_for_what_others_hold(
    pool: Pool, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    notes = []
    with holding(tmp_path) as holder:
        desk, each = SharedDesk(holder, in_place=False), numbered(tmp_path)[0]
        folder = desk.take(each)
        assert folder is not None

        def end_it_when_it_is_waited_for(event: StudyEvent) -> None:
            if isinstance(event, Note):
                notes.append(event.text)
                train(folder, "a0")
                desk.give_back(each, failed=None)

        with cell_runner(
            folder=tmp_path, workers=WORKERS, listener=end_it_when_it_is_waited_for
        ) as run:
            outcomes = run(CELLS)
    assert [outcome.state for outcome in outcomes] == ["finished"] * 6
    assert len(pool.given) == 5
    (note,) = notes
    assert note.partition(" that other")[0] == snapshot
    assert note.endswith("taken over 60 s after their last sign of life")


def test_a_failed_cell_is_tried_once_by_those_at_work_and_again_by_the_next_command(
    pool: Pool, tmp_path: Path
) -> None:
    pool.failing = ["a1"]
    with holding(tmp_path):  # somebody is at work all the time, who remembers
        with share_runner(folder=tmp_path, workers=WORKERS, listener=silent) as other:
            done = do_share(tmp_path, WorkShare(1, 2))
            assert [each.name for each in done.failed] == ["a, seed 1"]
            assert other.run_share(CELLS, WorkShare(2, 2)).failed == ()
        assert pool.given.count("a1") == 1
    pool.failing = []
    assert do_share(tmp_path, WorkShare(1, 2)).trained == 1
    assert pool.given.count("a1") == 2
