"""Runs the cells of a study that are not done yet: nothing twice, and nothing lost.

What is done is known by its cell.json alone, so a study that was killed goes on from there.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from cnnrun.ablation.execution.cell_records import CellOutcome, cell_folder, processors_of
from cnnrun.ablation.execution.local_pool import LocalPool
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
from cnnrun.ablation.execution.tasks import CellTask, Failed, Trial, TrialTask
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.cell_keys import cell_key, data_content, weights_content
from cnnrun.ablation.planning.plan import Cell, StudyPlan
from cnnrun.config.sections import Config
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.errors import InterruptedRunError, StudyError, WorkError
from cnnrun.runs.environment import installed_packages, usable_cores
from cnnrun.runs.events import Note
from cnnrun.runs.files import storage_errors

_LOCK: Final = ".lock"
_LOCK_PATIENCE_S: Final = 0.3


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

    Workers stay from one round to the next, which spares them to load TensorFlow again. Arguments
    and errors are those of `run_cells`.
    """
    folder = folder.absolute()
    with _held(folder), ExitStack() as stack:
        pool: Pool | None = None
        numbers: tuple[int, ...] = ()

        def run(cells: Sequence[Cell]) -> tuple[CellOutcome, ...]:
            nonlocal pool, numbers
            _refuse_small_shares(cells)
            every = _numbered(cells, folder, with_git=workers.with_git)
            ledger = Ledger(
                total=len(cells), jobs=workers.jobs or usable_cores(), listener=listener
            )
            reused = [outcome for each in every if (outcome := ledger.reuse(each))]
            arms = Counter(cell.arm for cell in cells)
            missing = [each for each in every if each.number not in ledger.outcomes]
            if not missing:
                listener(CellsBegin(arms, reused, jobs=0))
            else:
                with _interruptible(ledger):
                    if pool is None:
                        pool = stack.enter_context(_pool(workers))
                    ledger.jobs = min(pool.jobs, len(missing))
                    listener(CellsBegin(arms, reused, jobs=ledger.jobs))
                    schedule = Schedule(pool, missing, ledger, workers=numbers)
                    schedule.run()
                    numbers = schedule.workers
            outcomes = tuple(ledger.outcomes[number] for number in range(len(cells)))
            if len(processors_of(outcomes)) > 1:
                listener(Note(mixed_processors(processors_of(outcomes))))
            return outcomes

        yield run


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
        tuned = seconds(arms * tuning.trials_an_arm, arms * len(tuning.values))
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


def _refuse_small_shares(cells: Sequence[Cell]) -> None:
    """Raise where a share of the training images leaves none of a class, before a cell is trained.

    Raises:
        DataError: it does; or the source cannot be read.
    """
    shared = [each.config.data for each in cells if each.config.data.train_share is not None]
    manifests = {repr(data.uncut()): data for data in shared}
    for source, one in manifests.items():
        manifest = read_manifest(one)
        for data in shared:
            if repr(data.uncut()) == source:
                cut_splits(manifest, data)


def _numbered(cells: Sequence[Cell], folder: Path, *, with_git: bool) -> list[Numbered]:
    """The cells with their keys; images are read once for each source of them."""
    versions = installed_packages()
    contents: dict[str, Mapping[str, Any]] = {}
    numbered = []
    for number, cell in enumerate(cells):
        data = cell.config.data
        source = repr(data.uncut())
        if source not in contents:
            contents[source] = data_content(data, cache_folder=folder)
        key = cell_key(
            cell.config,
            diagnostics=cell.diagnostics,
            data=contents[source],
            weights=weights_content(cell.config),
            versions=versions,
            is_tested=cell.is_tested,
        )
        task = CellTask(
            config=cell.config,
            diagnostics=cell.diagnostics,
            key=key,
            data=contents[source],
            versions=versions,
            folder=cell_folder(folder, key),
            cache_folder=folder,
            with_git=with_git,
            is_tested=cell.is_tested,
            pause_after=cell.pause_after,
        )
        numbered.append(Numbered(number, cell, task))
    return numbered


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
