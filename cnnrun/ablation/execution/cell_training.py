"""From a cell to its cell.json: a run like any other, and then its measures."""

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from cnnrun.ablation.execution.cell_measures import measures_of_majority, measures_of_network
from cnnrun.ablation.execution.cell_records import (
    CellRecord,
    curve_areas,
    write_pause,
    write_record,
)
from cnnrun.assembly.preparing import Prepared
from cnnrun.errors import DivergedError
from cnnrun.runs.environment import processor
from cnnrun.runs.files import synced_together
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.state import write_state
from cnnrun.training.fitted_and_tested import fit_and_evaluate
from cnnrun.training.recorded_diagnostics import diagnostics_of_cell
from cnnrun.training.recording import recorded, write_beginning, write_result_of
from cnnrun.training.sitting import Sitting, TrainingPausedError
from cnnrun.training.traced_network import TracedNetwork


def train_cell(
    prepared: Prepared,
    sitting: Sitting,
    traced: TracedNetwork,
    *,
    key: str,
    diagnostics: bool,
    environment_of: Callable[[Prepared], Mapping[str, Any]],
    is_tested: bool = True,
) -> CellRecord | None:
    """Train a cell into its folder; cell.json is written last. None where it pauses.

    Args:
        prepared: the cell, with a network of its own, that is going to be saved.
        sitting: the sitting at the cell's run.
        traced: the network that is trained in its place.
        key: the cell's.
        diagnostics: whether activations and gradients are recorded.
        environment_of: what gives what it is made with, for environment.json.
        is_tested: whether the network sees the test images.

    Raises:
        CnnrunError: what `train` raises, but for divergence, which is a result.
    """
    began = time.process_time()
    run, progress = sitting.run, sitting.progress
    why = ""
    # A cell counts from its cell.json on: by then all that stands before it is on the disk.
    with synced_together():
        if sitting.checkpoint is None:
            write_beginning(run, prepared, environment_of(prepared))
        if not is_tested:
            prepared = _without_test_images(prepared)
        observers = diagnostics_of_cell(prepared, sitting, traced) if diagnostics else ()
        try:
            with recorded(run):
                values = _measured(prepared, sitting, traced, observers=observers)
                write_state(run, "finished", why="")
        except TrainingPausedError:
            _pause(sitting, key=key)
            return None
        except DivergedError as error:
            why, values = str(error), measures_of_majority(prepared)
    record = CellRecord(
        key=key,
        ending="diverged" if why else "finished",
        why=why,
        seconds={
            "total": sitting.seconds,
            "fit": progress.fit_seconds,
            "processor": time.process_time() - began,
        },
        values=values,
        parameters=prepared.costs.parameters,
        multiply_adds=prepared.costs.multiply_adds,
        processor=processor()["model"],
    )
    write_record(run, record)
    # Nobody goes on from what is done, and there may be a thousand cells.
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    return record


def _without_test_images(prepared: Prepared) -> Prepared:
    """The same for a trial, which is judged by its validation images."""
    none = prepared.splits.test[:0]
    return replace(prepared, splits=replace(prepared.splits, test=none))


def _pause(sitting: Sitting, *, key: str) -> None:
    """Write down what a cell has come to that may be gone on with later."""
    run, progress = sitting.run, sitting.progress
    rows = read_epochs(run)
    best = progress.best.epoch if progress.best else progress.epoch
    kept = next(row for row in rows if row.epoch == best)
    why = f"paused after epoch {progress.epoch}: the trials of a search that are best go on"
    write_state(run, "interrupted", why=why)
    write_pause(run, key=key, epoch=progress.epoch, values=kept.values)


def _measured(
    prepared: Prepared,
    sitting: Sitting,
    traced: TracedNetwork,
    *,
    observers: Sequence[keras.callbacks.Callback],
) -> dict[str, float]:
    """Make the run, and measure its network."""
    tested = fit_and_evaluate(prepared, sitting, traced, observers=observers)
    values: dict[str, float] = {}
    if tested is not None:
        values = measures_of_network(prepared, traced, tested, epoch=sitting.progress.epoch)
        if not math.isfinite(tested.scores.loss):
            raise DivergedError.at(
                "",
                rule="the loss on the test images must be a finite number",
                received=str(tested.scores.loss),
                advice="",
            )
    write_result_of(prepared, sitting, tested)
    return {**values, **_spent(prepared, sitting), **curve_areas(read_epochs(sitting.run))}


def _spent(prepared: Prepared, sitting: Sitting) -> dict[str, float]:
    """What the cell was trained with: `training_images`, `epochs`, and `updates` of the weights."""
    epochs, images = sitting.progress.epoch, len(prepared.splits.train)
    steps = math.ceil(images / prepared.config.train.batch_size)
    spent = {"training_images": images, "epochs": epochs, "updates": epochs * steps}
    return {name: float(number) for name, number in spent.items()}
