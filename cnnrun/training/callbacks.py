"""What cnnrun does at the ends of executions and epochs while Keras's `fit` runs."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from cnnrun.assembly.monitor import Monitor
from cnnrun.errors import DivergedError
from cnnrun.evaluation.metric_values import plain_metrics
from cnnrun.models.variables import assign_variables, read_variables, variables_of
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listeners import Reporter
from cnnrun.runs.metrics import EpochRow, append_epoch
from cnnrun.training.checkpoints import (
    Best,
    Checkpoint,
    callback_state,
    restore_callback,
    save_checkpoint,
)

CHECKPOINT_INTERVAL_S = 30.0


@dataclass
class Progress:
    """How far a run has come; the callbacks of all its stages share one.

    Attributes:
        epoch: epochs that are done.
        best: the best epoch so far.
        fit_seconds: time spent in `fit`, earlier sittings of a resumed run included.
        training_seconds: time spent on training steps alone, an item an epoch of this sitting
            and this stage, for an epoch over features says nothing about one over images.
    """

    epoch: int = 0
    best: Best | None = None
    fit_seconds: float = 0.0
    training_seconds: list[float] = field(default_factory=list)


class StopWhenDiverged(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends the run when the loss is no number, and says in which steps that happened."""

    def __init__(self, *, steps_per_execution: int) -> None:
        super().__init__()
        self.steps_per_execution = steps_per_execution
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember which epoch it is."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look at the loss."""
        # `logs` holds the epoch's mean so far: once NaN it stays NaN, so no step is missed.
        loss = float((logs or {}).get("loss", 0.0))
        if math.isfinite(loss):
            return
        last = min(batch + 1, self.params["steps"])
        first = batch + 2 - self.steps_per_execution
        steps = f"step {last}" if first >= last else f"steps {first} to {last}"
        raise DivergedError(
            f"the loss must stay a number, and became {loss} in {steps} of epoch"
            f" {self.epoch + 1}; try a smaller learning_rate, or clipnorm in train.optimizer"
        )


class AveragedInTests(keras.callbacks.Callback):  # type: ignore[misc]
    """Validates the weights that an optimizer with `use_ema` averages, since these are kept."""

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Put the averages in."""
        self._raw = read_variables(self.model.trainable_weights)
        self.model.optimizer.finalize_variable_values(self.model.trainable_weights)

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Take them out again, to the same bits."""
        assign_variables(self.model.trainable_weights, self._raw)


class EpochEnds(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the epoch's line, keeps the best weights, saves checkpoints, reports.

    Weights and checkpoints are the whole network's, also where Keras fits its head alone. It stands
    after the user's callbacks: it stores what they have become, and hands it back to them when a
    run goes on.
    """

    def __init__(
        self,
        *,
        network: keras.Model,
        run: RunFolder,
        reporter: Reporter,
        progress: Progress,
        monitor: Monitor | None,
        stage: int,
        last_epoch: int,
        users: Sequence[keras.callbacks.Callback],
        resumed: Sequence[Mapping[str, Any]],
        averages_weights: bool,
    ) -> None:
        super().__init__()
        self.network = network
        self.run = run
        self.reporter = reporter
        self.progress = progress
        self.monitor = monitor
        self.stage = stage
        self.last_epoch = last_epoch
        self.users = users
        self.resumed = resumed
        self.averages_weights = averages_weights
        self._saved_at = time.monotonic()
        self._epoch_started = self._training_ended = 0.0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Give the user's callbacks their state back."""
        # Keras's callbacks forget everything when training begins.
        for callback, state in zip(self.users, self.resumed, strict=bool(self.resumed)):
            restore_callback(callback, state)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Start the clock."""
        self._epoch_started = self._training_ended = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the metrics so far."""
        self._training_ended = time.perf_counter()
        self.reporter.batch(
            epoch=self.progress.epoch + 1,
            step=min(batch + 1, self.params["steps"]),
            metrics=plain_metrics(logs or {}),
        )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the epoch down."""
        seconds = time.perf_counter() - self._epoch_started
        row = EpochRow(
            epoch=epoch + 1,
            stage=self.stage + 1,
            values=_losses_first(plain_metrics(logs or {})),
            learning_rate=float(self.model.optimizer.learning_rate.numpy()),
            seconds=seconds,
        )
        self.progress.epoch = epoch + 1
        self.progress.fit_seconds += seconds
        self.progress.training_seconds.append(self._training_ended - self._epoch_started)
        is_best = self._keep_if_best(row)
        append_epoch(self.run, row)
        # What ends a stage, early or not, is saved by on_train_end in a moment.
        is_last = self.model.stop_training or epoch + 1 == self.last_epoch
        if not is_last and time.monotonic() - self._saved_at >= CHECKPOINT_INTERVAL_S:
            self._save(stage_is_done=False)
        self.reporter.epoch(row, is_best=is_best)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Save where the stage has ended."""
        self._save(stage_is_done=True)

    def _keep_if_best(self, row: EpochRow) -> bool:
        if self.monitor is None:
            return False
        score = row.values[self.monitor.name]
        if not self.monitor.is_improvement(
            score, self.progress.best.score if self.progress.best else None
        ):
            return False
        self.progress.best = Best(row.epoch, score, self._weights_to_keep())
        return True

    def _weights_to_keep(self) -> tuple[np.ndarray, ...]:
        if not self.averages_weights:
            return read_variables(self.network.weights)
        raw = read_variables(self.model.trainable_weights)
        self.model.optimizer.finalize_variable_values(self.model.trainable_weights)
        averaged = read_variables(self.network.weights)
        assign_variables(self.model.trainable_weights, raw)
        return averaged

    def _save(self, *, stage_is_done: bool) -> None:
        save_checkpoint(
            self.run,
            Checkpoint(
                epoch=self.progress.epoch,
                stage=self.stage,
                stage_is_done=stage_is_done,
                fit_seconds=self.progress.fit_seconds,
                variables=read_variables(variables_of(self.network, self.model)),
                callbacks=tuple(callback_state(callback) for callback in self.users),
                best=self.progress.best,
            ),
        )
        self._saved_at = time.monotonic()


def _losses_first(values: Mapping[str, float]) -> dict[str, float]:
    def rank(name: str) -> tuple[bool, bool]:
        return name.startswith("val_"), name.removeprefix("val_") != "loss"

    return {name: values[name] for name in sorted(values, key=rank)}
