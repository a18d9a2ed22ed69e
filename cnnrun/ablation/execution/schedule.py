"""Which worker runs which cell, what happens when one dies, and who hears of it."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Final, Protocol

from cnnrun.ablation.execution.cell_records import (
    CellOutcome,
    done_outcome,
    failed_outcome,
    paused_outcome,
    read_record,
)
from cnnrun.ablation.execution.pool import Answer, Died, Pool
from cnnrun.ablation.execution.tasks import CellTask, Done, Failed
from cnnrun.ablation.planning.plan import Cell
from cnnrun.errors import WorkError
from cnnrun.runs.events import Note
from cnnrun.runs.files import append_line
from cnnrun.runs.folder import RunFolder

ATTEMPTS: Final = 2
"""How often a cell is begun when its worker dies: the machine may be to blame, or the cell."""
SEEDS_AHEAD: Final = 2
"""Among the cells of so many seeds a worker is given one whose network it has traced already."""


@dataclass(frozen=True)
class CellsBegin:
    """A study's cells are about to run.

    Attributes:
        cells: arm -> how many there are of it.
        reused: the outcomes of those among them that had been done before.
        jobs: how many cells are going to run at a time; 0 where all are done.
    """

    cells: Mapping[str, int]
    reused: Sequence[CellOutcome]
    jobs: int


@dataclass(frozen=True)
class CellBegins:
    """A worker begins a cell."""

    cell: Cell


@dataclass(frozen=True)
class CellDone:
    """A cell has an outcome, and `done` of all have; the time left as far as it is known."""

    outcome: CellOutcome
    done: int
    seconds_left: float | None


StudyEvent = Note | CellsBegin | CellBegins | CellDone
StudyListener = Callable[[StudyEvent], None]
RunCells = Callable[[Sequence[Cell]], tuple[CellOutcome, ...]]
"""What becomes of each of some cells, in their order, after running those that are not done."""


@dataclass(frozen=True)
class Numbered:
    """A cell with its place among the others, and what its worker is told.

    Attributes:
        number: its place.
        cell: the cell.
        task: what its worker is told; its folder is where the cell lies when it is done.
        turn: cells of a later turn are begun after all of an earlier one.
    """

    number: int
    cell: Cell
    task: CellTask
    turn: int = 0


class Desk(Protocol):
    """Who gives out cells, of which other processes may have some."""

    def take(self, each: Numbered) -> Path | None:
        """The folder to train a cell in; None where another process has it, or has done it."""

    def give_back(self, each: Numbered, *, failed: Failed | None) -> None:
        """A cell that was taken has ended; `failed` says why, where it has no result."""


@dataclass
class Ledger:
    """The outcomes of a study's cells, by their place among them.

    Attributes:
        total: how many cells there are.
        jobs: how many run at a time.
        listener: who hears of each.
        outcomes: those that there are.
    """

    total: int
    jobs: int
    listener: StudyListener
    outcomes: dict[int, CellOutcome] = field(default_factory=dict)
    _room_is_said: bool = False

    def reuse(self, each: Numbered) -> CellOutcome | None:
        """The outcome of a cell that was done before; None, and nothing noted, if it was not."""
        outcome = outcome_at(each, each.task.folder, is_reused=True)
        if outcome is not None:
            self.outcomes[each.number] = outcome
        return outcome

    def found(self, each: Numbered) -> bool:
        """Whether another process has done a cell, which is told then."""
        outcome = outcome_at(each, each.task.folder, is_reused=True)
        if outcome is not None:
            self._tell(each, outcome)
        return outcome is not None

    @property
    def cells_left(self) -> int:
        """How many cells have no outcome."""
        return self.total - len(self.outcomes)

    def say_room(self, room: str | None) -> None:
        """Say how much room the study takes, once."""
        if room is not None and not self._room_is_said:
            self.listener(Note(room))
            self._room_is_said = True

    def done(self, each: Numbered) -> None:
        """A worker says that a cell is done."""
        outcome = outcome_at(each, each.task.folder, is_reused=False)
        if outcome is None:
            self.failed(
                each,
                f"its worker wrote {each.task.folder}, which is not there; a study that runs on"
                " several machines needs a folder on a disk that they share",
            )
            return
        self._tell(each, outcome)

    def failed(self, each: Numbered, why: str, *, is_lasting: bool = False) -> None:
        """A cell has no result, unless by another process, and is not going to be begun again."""
        if self.found(each):
            return
        task = each.task
        self._tell(
            each,
            failed_outcome(
                each.cell, key=task.key, folder=task.folder, why=why, is_lasting=is_lasting
            ),
        )

    def _tell(self, each: Numbered, outcome: CellOutcome) -> None:
        self.outcomes[each.number] = outcome
        self.listener(CellDone(outcome, len(self.outcomes), self._seconds_left()))

    def _seconds_left(self) -> float | None:
        taken = [
            outcome.seconds["total"]
            for outcome in self.outcomes.values()
            if outcome.seconds and not outcome.is_reused
        ]
        return self.cells_left * mean(taken) / self.jobs if taken else None


class Schedule:
    """Gives cells to workers until each has an outcome."""

    def __init__(
        self,
        pool: Pool,
        cells: Sequence[Numbered],
        ledger: Ledger,
        *,
        desk: Desk,
        workers: Sequence[int] = (),
    ) -> None:
        """The cells that have none, in the order in which they are to be begun.

        `workers` of the pool are there already, and idle; what is lacking is started.
        """
        self._pool = pool
        self._desk = desk
        self._waiting = deque(cells)
        self._ledger = ledger
        self._busy: dict[int, Numbered] = {}
        self._idle: list[int] = list(workers)
        self._traced: dict[int, set[str]] = {}
        self._attempts: Counter[int] = Counter()
        self._deaths_at_start = 0

    def run(self) -> None:
        """Run the cells.

        Raises:
            WorkError: workers die before they have begun, or the disk has no room for the cells.
        """
        ready = self._idle[: self._ledger.jobs]
        self._idle = self._idle[self._ledger.jobs :]
        for worker in ready:
            self._occupy(worker)
        for _ in range(self._ledger.jobs - len(ready)):
            self._start_worker()
        while self._waiting or self._busy:
            for event in self._pool.wait():
                if isinstance(event, Answer):
                    self._answered(event)
                else:
                    self._died(event)

    @property
    def workers(self) -> tuple[int, ...]:
        """The workers that are idle: all that live, when the cells have been run."""
        return tuple(self._idle)

    def _start_worker(self) -> None:
        self._pool.start()

    def _answered(self, event: Answer) -> None:
        each = self._busy.pop(event.worker, None)
        if each is None:
            self._deaths_at_start = 0
        elif isinstance(event.report, Failed):
            if event.report.ends_study:
                raise WorkError.relayed(event.report.why)
            self._end_failed(each, event.report)
        else:
            if isinstance(event.report, Done):
                self._ledger.say_room(event.report.room)
            self._desk.give_back(each, failed=None)
            self._ledger.done(each)
        self._occupy(event.worker)

    def _end_failed(self, each: Numbered, report: Failed) -> None:
        self._desk.give_back(each, failed=report)
        self._ledger.failed(each, report.why, is_lasting=report.is_lasting)

    def _occupy(self, worker: int) -> None:
        traced = self._traced.setdefault(worker, set())
        while self._waiting:
            each = self._next_cell(traced)
            folder = self._desk.take(each)
            if folder is not None:
                self._busy[worker] = each
                traced.add(each.cell.arm)
                self._attempts[each.number] += 1
                self._ledger.listener(CellBegins(each.cell))
                left = self._ledger.cells_left
                self._pool.give(worker, replace(each.task, folder=folder, cells_left=left))
                return
        self._idle.append(worker)

    def _next_cell(self, traced: set[str]) -> Numbered:
        """The first cell of an arm that the worker knows, among the next seeds; or the first.

        All are of the turn that comes next.
        """
        turn = min(each.turn for each in self._waiting)
        waiting = [each for each in self._waiting if each.turn == turn]
        seeds = list(dict.fromkeys(each.cell.seed for each in waiting))[:SEEDS_AHEAD]
        near = (each for each in waiting if each.cell.seed in seeds)
        chosen = next((each for each in near if each.cell.arm in traced), waiting[0])
        self._waiting.remove(chosen)
        return chosen

    def _died(self, event: Died) -> None:
        each = self._busy.pop(event.worker, None)
        if event.worker in self._idle:
            self._idle.remove(event.worker)
        elif each is None:
            self._deaths_at_start += 1
            if self._deaths_at_start > self._ledger.jobs:
                raise WorkError.at(
                    "",
                    rule="the workers of a study must begin",
                    received=f"one that died: {event.why}",
                    advice="free some memory, or give a smaller `--jobs`",
                )
        elif self._attempts[each.number] < ATTEMPTS:
            self._say(each, f"{event.why}; the cell is begun again")
            self._waiting.appendleft(each)
        else:
            self._say(each, event.why)
            self._end_failed(each, Failed(f"its worker died, twice: {event.why}"))
        # A new worker may find no place beside idle ones, where cores are counted.
        if self._waiting and self._idle:
            self._occupy(self._idle.pop())
        elif self._waiting:
            self._start_worker()

    def _say(self, each: Numbered, text: str) -> None:
        """Put down in a cell's log what its worker could not."""
        folder = self._desk.take(each)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            append_line(RunFolder(folder).log_txt, text)


def outcome_at(each: Numbered, folder: Path, *, is_reused: bool) -> CellOutcome | None:
    """What the files of a cell say, of one that is to pause as it was then; None if nothing."""
    key = each.task.key
    paused = paused_outcome(each.cell, key=key, folder=folder, is_reused=is_reused)
    if paused is not None:
        return paused
    record = read_record(RunFolder(folder))
    if record is None or record.key != key:
        return None
    return done_outcome(each.cell, record, folder, is_reused=is_reused)
