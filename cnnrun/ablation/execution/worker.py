"""Runs one cell after the other, in a process of its own that worker_process.py starts.

It loads TensorFlow once, and computes with one thread, for thread counts change results. What cells
share is kept from one to the next: the decoded images, and the traced graphs of networks that
differ in their seed alone.
"""

import gc
import os
import random
import shutil
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing import connection as connections
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cnnrun.ablation.execution.cell_room import room_for_models
from cnnrun.ablation.execution.cell_training import train_cell
from cnnrun.ablation.execution.rehearsal import try_arms
from cnnrun.ablation.execution.share_worker import ShareWorker
from cnnrun.ablation.execution.tasks import (
    CellTask,
    Done,
    Failed,
    Report,
    ShareTask,
    Task,
    Trial,
    TrialTask,
)
from cnnrun.ablation.execution.versions import refuse_other_versions
from cnnrun.assembly.automatic_choices import use_threads
from cnnrun.assembly.building import build, build_and_try
from cnnrun.assembly.preparing import Images, Prepared, read_images, split_and_build
from cnnrun.assembly.standardizing import needs_statistics
from cnnrun.config.data_section import DataSpec
from cnnrun.config.sections import Config
from cnnrun.errors import CnnrunError, ConfigError, NoRoomError, RunError, StorageError, WorkError
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.events import NoteListener, logged, silent
from cnnrun.runs.files import storage_errors
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.state import write_state
from cnnrun.training.checkpoints import Checkpoint, newest_checkpoint
from cnnrun.training.profiling import NOT_WATCHED
from cnnrun.training.recording import environment_of
from cnnrun.training.sitting import begin_sitting
from cnnrun.training.traced_network import TracedNetwork, can_be_retrained

THREADS = 1
# The graphs of small networks take some megabytes; a large one's is not worth its memory.
NETWORKS_KEPT = 8
LARGEST_KEPT = 5_000_000
_ORPHAN_CHECK_S = 0.5
_STREAMS = (1, 2)
# What `Pipe` gives: a socket of Unix, or a pipe of Windows.
_CONNECTION = getattr(connections, "PipeConnection", Connection)


def work_for(descriptor: int) -> None:
    """Run the tasks that come through a connection, until it is closed."""
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    # Its advice on tracing is for those who write the graphs.
    tf.get_logger().setLevel("ERROR")
    use_threads(THREADS)
    gc.freeze()  # what is imported by now never becomes garbage
    worker = Worker()
    connection: Connection[Report, Task] = _CONNECTION(descriptor)
    connection.send(Done())
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(worker.report(task))


class Worker:
    """What a worker does, and what it keeps from one cell to the next."""

    def __init__(self) -> None:
        self._images: dict[str, Images] = {}
        self._networks: OrderedDict[str, TracedNetwork] = OrderedDict()
        self._environments: dict[tuple[Path, bool], Mapping[str, Any]] = {}
        self._versions = installed_packages()
        self._shares = ShareWorker(self._versions)
        self._has_let_go = self._has_frozen = False

    def report(self, task: Task) -> Report:
        """What came of a task; whatever goes wrong within it is said there."""
        try:
            if isinstance(task, TrialTask):
                return self._try(task)
            if isinstance(task, ShareTask):
                self._shares.extract(task)
                return Done()
            return Done(room=self._run(task))
        except NoRoomError as error:
            return Failed(str(error), ends_study=True)
        except ConfigError as error:
            return Failed(str(error), is_lasting=True)
        except CnnrunError as error:
            return Failed(str(error))
        except Exception as error:  # noqa: BLE001  one cell must not stop the others
            return Failed(f"{type(error).__name__}: {error}")
        finally:
            self._collect_garbage()

    def _try(self, task: TrialTask) -> Trial:
        cache_folder = task.folder.parent
        images = {
            arm: self._images_of(config.data, cache_folder=cache_folder, listener=silent)
            for arm, config in task.configs.items()
        }
        return try_arms(task, images)

    def _run(self, task: CellTask) -> str | None:
        """Runs a cell; how much room the models of those that are left take, where it is much."""
        began = time.perf_counter()
        run = RunFolder(task.folder)
        with storage_errors(run.path):
            run.path.mkdir(parents=True, exist_ok=True)
        with hold(run), _said_in(run.log_txt):
            try:
                _seed_generators(task.config.seed)
                checkpoint = _where_to_go_on(run)
                prepared = self._prepared(task, listener=logged(run, silent))
                room = room_for_models(
                    task.cache_folder, prepared.costs.parameters, cells=task.cells_left
                )
                traced = self._traced(prepared, task.config)
                sitting = begin_sitting(
                    run,
                    checkpoint=checkpoint,
                    listener=silent,
                    watch=NOT_WATCHED,
                    began=began,
                    pause_after=task.pause_after,
                )
                record = train_cell(
                    prepared,
                    sitting,
                    traced,
                    key=task.key,
                    diagnostics=task.diagnostics,
                    environment_of=partial(self._environment_of, with_git=task.with_git),
                    is_tested=task.is_tested,
                )
            except Exception as error:
                traceback.print_exc()  # into the cell's log
                with suppress(StorageError):  # what failed first is what is told
                    write_state(run, "failed", why=str(error))
                raise
        if record is not None and record.ending == "finished":
            self._keep(task.config, traced, parameters=record.parameters)
        return room

    def _prepared(self, task: CellTask, *, listener: NoteListener) -> Prepared:
        images = self._images_of(
            task.config.data, cache_folder=task.cache_folder, listener=listener
        )
        self._refuse_differences(task, images)
        is_known = _without_seed(task.config) in self._networks
        make = build if is_known else build_and_try
        return split_and_build(task.config, images, build=make, listener=listener)

    def _environment_of(self, prepared: Prepared, *, with_git: bool) -> Mapping[str, Any]:
        """What a cell is made with: nothing of it changes between those of one config.

        Git is asked once: what a study trains was read, code and config, before its first cell.
        """
        asked = prepared.config.source, with_git
        if asked not in self._environments:
            self._environments[asked] = environment_of(prepared, with_git=with_git)
        return self._environments[asked]

    def _images_of(self, data: DataSpec, *, cache_folder: Path, listener: NoteListener) -> Images:
        """The images, decoded once for all splits of them."""
        source = repr(data.uncut())
        if source not in self._images:
            self._images[source] = read_images(data, cache_folder=cache_folder, listener=listener)
        return self._images[source]

    def _refuse_differences(self, task: CellTask, images: Images) -> None:
        """Raise where this machine would come to another result than the command's."""
        refuse_other_versions(self._versions, task.versions)
        if "keras_dataset" not in task.data and images.fingerprint != task.data:
            raise WorkError.at(
                task.config.source,
                rule="the workers of a study must find the same images as the command",
                received="others",
                advice="copy them again, or share their disk",
            )

    def _traced(self, prepared: Prepared, config: Config) -> TracedNetwork:
        """The network to train, which may have been trained with another seed.

        It leaves the memory while it trains: one whose training breaks off is not used again.
        """
        self._has_let_go = True
        return self._networks.pop(_without_seed(config), None) or TracedNetwork(prepared)

    def _keep(self, config: Config, traced: TracedNetwork, *, parameters: int) -> None:
        if not can_be_retrained(config) or parameters > LARGEST_KEPT:
            return
        self._networks[_without_seed(config)] = traced
        self._has_let_go = False
        if len(self._networks) > NETWORKS_KEPT:
            self._networks.popitem(last=False)
            self._has_let_go = True

    def _collect_garbage(self) -> None:
        """Models hold much, and are held in cycles. Those kept are not looked through each time."""
        if self._has_let_go and self._has_frozen:
            gc.unfreeze()
        gc.collect()
        self._has_let_go, self._has_frozen = False, bool(self._networks)
        if self._networks:
            gc.freeze()


def _seed_generators(seed: int) -> None:
    """Give Python's and NumPy's own generators a start that no cell before has changed.

    Keras's `set_random_seed` would also seed TensorFlow's, from which nothing here draws, and have
    it forget the graphs that it has optimized.
    """
    random.seed(seed)
    np.random.seed(seed)  # the global one, in case that somebody uses it


def _without_seed(config: Config) -> str:
    """What the graph of a network's training step depends on, as text.

    The split is a part of it where statistics of its images stand in the graph.
    """
    alike = replace(config, seed=0, source=Path())
    if not needs_statistics(config.preprocess):
        split = config.data.split.without_shares()
        alike = replace(alike, data=replace(config.data, split=split))
    return repr(alike)


def _where_to_go_on(run: RunFolder) -> Checkpoint | None:
    """The newest checkpoint of a cell that was begun before; without one it begins anew."""
    try:
        found = newest_checkpoint(run).checkpoint
    except RunError:  # all of them are damaged
        found = None
    if found is None:
        _empty(run)
    return found


def _empty(run: RunFolder) -> None:
    for path in run.path.iterdir():
        if path in (run.lock, run.log_txt):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _said_in(log: Path) -> Iterator[None]:
    """Within the block, what the process prints goes to the end of a log, TensorFlow's own too."""
    before = [os.dup(descriptor) for descriptor in _STREAMS]
    with storage_errors(log):
        file = log.open("ab")
    with file:
        try:
            for descriptor in _STREAMS:
                os.dup2(file.fileno(), descriptor)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for kept, descriptor in zip(before, _STREAMS, strict=True):
                os.dup2(kept, descriptor)
                os.close(kept)


def _end_with_parent(parent: int) -> None:
    """Ends this process, whatever it does, when its parent is gone."""
    while os.getppid() == parent:
        time.sleep(_ORPHAN_CHECK_S)
    os._exit(1)
