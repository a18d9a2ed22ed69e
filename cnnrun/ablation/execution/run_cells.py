"""Runs the cells of a study that are not done yet: nothing twice, and nothing lost.

What is done is known by its cell.json alone, so a study that was killed goes on from there.
"""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from cnnrun.ablation.execution.cell_records import CellOutcome, processors_of
from cnnrun.ablation.execution.desk import SharedDesk
from cnnrun.ablation.execution.local_pool import LocalPool
from cnnrun.ablation.execution.numbering import numbered_cells, refuse_small_shares
from cnnrun.ablation.execution.pool import Answer, Pool
from cnnrun.ablation.execution.ray_pool import RayPool
from cnnrun.ablation.execution.schedule import (
    CellsBegin,
    Ledger,
    Numbered,
    RunCells,
    Schedule,
    StudyListener,
)
from cnnrun.ablation.execution.tasks import Failed, Trial, TrialTask
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.plan import Cell, StudyPlan
from cnnrun.config.sections import Config
from cnnrun.errors import InterruptedRunError, StudyError, WorkError
from cnnrun.runs.claims import ABANDONED_AFTER_S, holding
from cnnrun.runs.environment import usable_cores
from cnnrun.runs.events import Note
from cnnrun.runs.files import storage_errors
from cnnrun.runs.work_share import WorkShare
from cnnrun.wording import counted

_LOCK: Final = ".lock"
_LOCK_PATIENCE_S: Final = 0.3
_LOOK_EVERY_S: Final = 1.0
"""How often a process looks whether others have ended what it waits for."""


def run_cells(
    cells: Sequence[Cell],
    *,
    folder: Path,
    workers: Workers,
    listener: StudyListener,
) -> tuple[CellOutcome, ...]:
    """What became of each of these cells, in their order, after running those that are not done.

    Args:
        cells: the cells, in the order in which they are to be begun.
        folder: the study's folder, which holds their run folders.
        workers: what runs them.
        listener: who listens.

    Raises:
        DataError: the images cannot be read.
        ModelFileError: the weights of a backbone cannot be read.
        StudyError: another process works on the study, or the cluster cannot be reached.
        WorkError: workers cannot be started.
        InterruptedRunError: Ctrl-C; all workers have ended, and what is done is kept.
    """
    with cell_runner(folder=folder, workers=workers, listener=listener) as run:
        return run(cells)


@contextmanager
def cell_runner(
    *,
    folder: Path,
    workers: Workers,
    listener: StudyListener,
) -> Iterator[RunCells]:
    """Within the block, what runs cells as `run_cells` does, one round after the other.

    Workers stay from one round to the next, which spares them to load TensorFlow again. Cells that
    other processes hold, which do their shares of the study, are waited for. Arguments and errors
    are those of `run_cells`.
    """
    with _held(folder), _runner(folder, workers, listener, in_place=True) as runner:
        yield runner.run


@contextmanager
def share_runner(
    *,
    folder: Path,
    workers: Workers,
    listener: StudyListener,
) -> Iterator["CellRunner"]:
    """Within the block, what runs cells beside other processes that do the same.

    Arguments and errors are those of `run_cells`, but that other processes may be at work.
    """
    with _runner(folder, workers, listener, in_place=False) as runner:
        yield runner


@contextmanager
def _runner(
    folder: Path, workers: Workers, listener: StudyListener, *, in_place: bool
) -> Iterator["CellRunner"]:
    folder = folder.absolute()
    with holding(folder) as holder:
        desk = SharedDesk(holder, in_place=in_place)
        try:
            with ExitStack() as stack:
                yield CellRunner(folder, workers, listener, desk, stack)
        finally:
            desk.put_back()  # when all workers have ended


@dataclass(frozen=True)
class ShareDone:
    """What a process has done of a study, when nothing is left to it.

    Attributes:
        share: its share.
        trained: how many cells it has run, trials among them.
        cells: how many are compared.
        done: how many of these have an outcome; other processes hold the rest.
        failed: those that it ran without a result.
    """

    share: WorkShare
    trained: int
    cells: int
    done: int
    failed: tuple[CellOutcome, ...]


class CellRunner:
    """Runs cells, as far as other processes do not, with workers that stay."""

    def __init__(
        self,
        folder: Path,
        workers: Workers,
        listener: StudyListener,
        desk: SharedDesk,
        stack: ExitStack,
    ) -> None:
        """`stack` ends the workers; see `share_runner` for the others."""
        self._folder = folder
        self._workers = workers
        self._listener = listener
        self._desk = desk
        self._stack = stack
        self._pool: Pool | None = None
        self._numbers: tuple[int, ...] = ()
        self._trained = 0

    def run(self, cells: Sequence[Cell]) -> tuple[CellOutcome, ...]:
        """What became of each of these cells, when all have an outcome, by whomever."""
        every, ledger = self._begin(cells)
        is_told = False
        with _interruptible(ledger):
            while self._run_free(every, ledger):
                if not is_told:
                    self._listener(Note(self._waited_for(every, ledger)))
                    is_told = True
                time.sleep(_LOOK_EVERY_S)
        outcomes = tuple(ledger.outcomes[number] for number in range(len(cells)))
        if len(processors_of(outcomes)) > 1:
            self._listener(Note(mixed_processors(processors_of(outcomes))))
        return outcomes

    def run_share(self, cells: Sequence[Cell], share: WorkShare) -> ShareDone:
        """What this process has done: its share first, then what nobody held."""
        every, ledger = self._begin(cells, share=share)
        with _interruptible(ledger):
            self._run_free(every, ledger)
        outcomes = [(number, each) for number, each in sorted(ledger.outcomes.items())]
        here = self._desk.here
        return ShareDone(
            share=share,
            trained=self._trained + len(here),
            cells=len(cells),
            done=len(outcomes),
            failed=tuple(
                each for number, each in outcomes if number in here and each.state == "failed"
            ),
        )

    def _begin(
        self, cells: Sequence[Cell], *, share: WorkShare | None = None
    ) -> tuple[list[Numbered], Ledger]:
        refuse_small_shares(cells)
        every = numbered_cells(cells, self._folder, with_git=self._workers.with_git, share=share)
        self._trained += len(self._desk.here)
        self._desk.here.clear()
        jobs = self._workers.jobs or usable_cores()
        ledger = Ledger(total=len(cells), jobs=jobs, listener=self._listener)
        reused = [outcome for each in every if (outcome := ledger.reuse(each))]
        free = self._free(every, ledger)
        if free:
            with _interruptible(ledger):
                ledger.jobs = min(self._opened_pool().jobs, len(free))
        arms = Counter(cell.arm for cell in cells)
        self._listener(CellsBegin(arms, reused, jobs=ledger.jobs if free else 0))
        return every, ledger

    def _run_free(self, every: Sequence[Numbered], ledger: Ledger) -> int:
        """How many cells others hold, when all that nobody held have an outcome."""
        while free := self._free(every, ledger):
            pool = self._opened_pool()
            ledger.jobs = min(pool.jobs, len(free))
            schedule = Schedule(pool, free, ledger, desk=self._desk, workers=self._numbers)
            schedule.run()
            self._numbers = schedule.workers
        return ledger.cells_left

    def _opened_pool(self) -> Pool:
        if self._pool is None:
            self._pool = self._stack.enter_context(_pool(self._workers))
        return self._pool

    def _free(self, every: Sequence[Numbered], ledger: Ledger) -> list[Numbered]:
        """The cells without an outcome that nobody else holds; outcomes are looked for first."""
        free = []
        for each in every:
            if each.number in ledger.outcomes or ledger.found(each):
                continue
            if failed := self._desk.failure(each):
                ledger.failed(each, failed.why, is_lasting=failed.is_lasting)
            elif self._desk.of_others(each) is None:
                free.append(each)
        return free

    def _waited_for(self, every: Sequence[Numbered], ledger: Ledger) -> str:
        left = [each for each in every if each.number not in ledger.outcomes]
        holders = sorted({claim.whose for each in left if (claim := self._desk.of_others(each))})
        named = f", the first {holders[0]}" if holders else ""
        return (
            f"waiting for {counted(len(left), 'cell')} that other processes hold{named}; what they"
            f" leave is taken over {ABANDONED_AFTER_S:.0f} s after their last sign of life"
        )


def mixed_processors(processors: Sequence[str]) -> str:
    """What to beware of where cells of a study ran on several types of processor."""
    return (
        f"the cells ran on {len(processors)} types of processor ({', '.join(processors)}), whose"
        " sums differ in their last bits: arms of one seed may differ by more than their configs do"
    )


def time_trial(configs: Mapping[str, Config], *, diagnostics: bool, folder: Path) -> Trial:
    """What networks are made of, and how long a cell of the costliest takes, by one timed trial.

    Args:
        configs: arm -> its config.
        diagnostics: whether activations and gradients are recorded, which takes time as well.
        folder: where a folder for the trial is made, and removed again.

    Raises:
        WorkError: a network cannot be built or trained; the reason is told.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".trial-", dir=folder))
    task = TrialTask(
        configs=configs,
        diagnostics=diagnostics,
        folder=place / "run",
    )
    pool = LocalPool(jobs=1)
    try:
        pool.start()
        while True:
            for event in pool.wait():
                if not isinstance(event, Answer):
                    raise WorkError.at(
                        "",
                        rule="the worker that tries a first step of each arm must live",
                        received=f"one that died: {event.why}",
                        advice="free some memory, or make the networks or batches smaller",
                    )
                if isinstance(event.report, Trial):
                    return event.report
                if isinstance(event.report, Failed):
                    raise WorkError.relayed(event.report.why)
                pool.give(event.worker, task)
    finally:
        pool.close()
        shutil.rmtree(place, ignore_errors=True)


def study_seconds(plan: StudyPlan, trial: Trial, *, jobs: int) -> float:
    """The wall time that a study is going to take: its tuning, its cells, each network traced."""

    def seconds(cells: int, networks: int) -> float:
        work = cells * trial.seconds_a_cell + networks * trial.seconds_an_arm
        return work / min(jobs, cells)

    arms, tuning = len(plan.arms), plan.tuning
    tuned = 0.0
    if tuning is not None:
        tuned = seconds(tuning.trials, len(tuning.arms) * len(tuning.values))
    return tuned + seconds(len(plan.cells), arms)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Within the block no other process runs the study in this folder."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK, timeout=_LOCK_PATIENCE_S)
    with storage_errors(folder / _LOCK):
        try:
            lock.acquire()
        except Timeout as error:
            raise StudyError.at(
                folder,
                rule="only one process can run a study",
                received="another one at work",
                advice="wait until it ends, or stop it",
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _interruptible(ledger: Ledger) -> Iterator[None]:
    """Turns Ctrl-C into an error that says what is kept."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError.at(
            "",
            rule=f"interrupted with {len(ledger.outcomes)} of {ledger.total} cells done",
            received="",
            advice="give the same command again to go on with the others",
        ) from error


@contextmanager
def _pool(workers: Workers) -> Iterator[Pool]:
    """The workers, which have ended when the block has."""
    pool: Pool = (
        RayPool(jobs=workers.jobs, address=workers.address)
        if workers.executor == "ray"
        else LocalPool(jobs=workers.jobs or usable_cores())
    )
    try:
        yield pool
    finally:
        pool.close()
