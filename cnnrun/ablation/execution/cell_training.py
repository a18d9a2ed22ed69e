"""The straight line from a cell to its cell.json: a run like any other, and then its measures."""

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace

import keras

from cnnrun.ablation.execution.cell_measures import measures_of_majority, measures_of_network
from cnnrun.ablation.execution.cell_records import CellRecord, curve_areas, write_record
from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.preparing import Prepared
from cnnrun.config.values import Config
from cnnrun.errors import DivergedError
from cnnrun.models.variables import assign_variables, read_variables
from cnnrun.runs.diagnostics import DIAGNOSTICS_FILE
from cnnrun.runs.environment import processor
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listeners import Logged, Silent
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.result import write_result
from cnnrun.runs.state import write_state
from cnnrun.training.callbacks import Progress
from cnnrun.training.checkpoints import Checkpoint
from cnnrun.training.recorded_diagnostics import RecordDiagnostics
from cnnrun.training.run_files import write_evaluation, write_model
from cnnrun.training.steps import fit, plan_of, progress_of, recorded, result_of, write_beginning
from cnnrun.training.traced_network import TracedNetwork


def can_be_retrained(config: Config) -> bool:
    """Whether the network can be trained again for another seed, with the graph that it has.

    With a single stage it is the same before and after; with a backbone, tracing costs little of
    what a cell does.
    """
    return not config.train.stages and config.model.backbone is None


def train_cell(
    run: RunFolder,
    prepared: Prepared,
    traced: TracedNetwork,
    *,
    key: str,
    diagnostics: bool,
    checkpoint: Checkpoint | None,
    started: float,
) -> CellRecord:
    """Train a cell into its folder; cell.json is written last.

    Args:
        run: the cell's folder, held by this process.
        prepared: the cell, with a network of its own, that is going to be saved.
        traced: the network that is trained in its place.
        key: the cell's.
        diagnostics: whether activations and gradients are recorded.
        checkpoint: where to go on, if it was begun before.
        started: when the work on it began, of `time.perf_counter`.

    Raises:
        CnnrunError: what `train` raises, but for divergence, which is a result.
    """
    if checkpoint is None:
        write_beginning(run, prepared)
    traced.begin_as(prepared.built.network)
    fitted = replace(prepared, built=replace(prepared.built, network=traced.network))
    progress = progress_of(run, checkpoint)
    observers = _observers(run, fitted, traced, progress) if diagnostics else ()
    why = ""
    try:
        with recorded(run):
            _fit(run, fitted, traced, checkpoint=checkpoint, progress=progress, observers=observers)
            values = _conclude(run, prepared, fitted, traced, progress, started=started)
            write_state(run, "finished", why="")
    except DivergedError as error:
        why, values = str(error), measures_of_majority(fitted)
    record = CellRecord(
        key=key,
        ending="diverged" if why else "finished",
        why=why,
        seconds={"total": time.perf_counter() - started, "fit": progress.fit_seconds},
        values=values,
        parameters=prepared.costs.parameters,
        multiply_adds=prepared.costs.multiply_adds,
        processor=processor()["model"],
    )
    write_record(run, record)
    # Nobody goes on from what is done, and there may be a thousand cells.
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    return record


def _observers(
    run: RunFolder, fitted: Prepared, traced: TracedNetwork, progress: Progress
) -> tuple[keras.callbacks.Callback, ...]:
    file = run.path / DIAGNOSTICS_FILE
    return (RecordDiagnostics(file, traced.probe, fitted, done_epochs=progress.epoch),)


def _fit(
    run: RunFolder,
    fitted: Prepared,
    traced: TracedNetwork,
    *,
    checkpoint: Checkpoint | None,
    progress: Progress,
    observers: Sequence[keras.callbacks.Callback],
) -> None:
    reporter = Logged(run, Silent())
    reporter.begin(plan_of(run, fitted, progress))
    fit(
        run,
        fitted,
        compile_model=traced.compile_model if can_be_retrained(fitted.config) else compile_anew,
        observers=observers,
        checkpoint=checkpoint,
        progress=progress,
        reporter=reporter,
    )


def _conclude(
    run: RunFolder,
    prepared: Prepared,
    fitted: Prepared,
    traced: TracedNetwork,
    progress: Progress,
    *,
    started: float,
) -> dict[str, float]:
    """Write what a finished run holds, and return the cell's measures."""
    trained, own = traced.network.model, prepared.built.network.model
    if progress.best is not None:
        assign_variables(trained.weights, progress.best.weights)
    assign_variables(own.weights, read_variables(trained.weights))
    write_model(run, own)
    tested, values = measures_of_network(fitted, traced, epoch=progress.epoch)
    if tested is not None:
        write_evaluation(run, prepared.manifest, tested)
        if not math.isfinite(tested.scores.loss):
            raise DivergedError(
                f"the loss on the test images must be a number, and is {tested.scores.loss}"
            )
    write_result(run, result_of(fitted, progress, tested, seconds=time.perf_counter() - started))
    return {**values, **curve_areas(read_epochs(run))}
