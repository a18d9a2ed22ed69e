"""What cnnrun does at the ends of executions and epochs while Keras's `fit` runs."""

import math
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from cnnrun.assembly.monitor import Monitor
from cnnrun.assembly.stages import Stage
from cnnrun.errors import CnnrunError, DivergedError, WorkError
from cnnrun.evaluation.metric_values import plain_metrics
from cnnrun.models.variables import assign_variables, read_variables, variables_of
from cnnrun.runs.events import EpochDone, StepsDone
from cnnrun.runs.metrics import TRAINING_LOSS, EpochRow, append_epoch
from cnnrun.training.checkpoints import (
    Best,
    Checkpoint,
    callback_state,
    restore_callback,
    save_checkpoint,
)
from cnnrun.training.sitting import Sitting, TrainingPausedError

CHECKPOINT_INTERVAL_S = 30.0


@contextmanager
def naming_callbacks(callbacks: Sequence[keras.callbacks.Callback]) -> Iterator[None]:
    """Within the block, what one of these callbacks of the config raises says which of them did.

    Raises:
        WorkError: one of them failed.
    """
    try:
        yield
    except CnnrunError:
        raise
    except Exception as error:
        guilty = _raiser(error, callbacks)
        if guilty is None:
            raise
        raise WorkError.at(
            f"train.callbacks.{guilty}",
            rule="a callback must not fail",
            received=str(error),
            advice="change it and train anew, or go on with --resume where the reason was outside"
            " of the config",
        ) from error


def _raiser(error: Exception, callbacks: Sequence[keras.callbacks.Callback]) -> str | None:
    """The class of the callback in whose methods an error came up."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        one = frame.f_locals.get("self")
        if any(one is callback for callback in callbacks):
            return type(one).__name__
    return None


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
        raise DivergedError.at(
            "",
            rule="the loss must stay a number",
            received=f"{loss} in {steps} of epoch {self.epoch + 1}",
            advice="try a smaller learning_rate, or clipnorm in train.optimizer",
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


class StopWhenFitted(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures after each epoch how far the training images are fitted, and ends where enough.

    The loss of the epoch itself is a mean over weights that changed, of images as they are
    augmented and with dropout: arms of a study that have equal ones are not fitted alike.
    """

    def __init__(
        self, loss: Callable[[], float], *, at_most: float, averaged: AveragedInTests | None
    ) -> None:
        """What measures the loss, at which to end, and what puts averaged weights in meanwhile."""
        super().__init__()
        self.loss = loss
        self.at_most = at_most
        self.averaged = averaged

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure it, as a number of the epoch."""
        if self.averaged is not None:
            self.averaged.on_test_begin()
        loss = self.loss()
        if self.averaged is not None:
            self.averaged.on_test_end()
        if logs is not None:
            logs[TRAINING_LOSS] = loss
        if loss <= self.at_most:
            self.model.stop_training = True


def has_swapped(users: Sequence[keras.callbacks.Callback]) -> bool:
    """Whether the averages stand in the network, and its own weights where averages do."""
    return any(getattr(callback, "_ema_weights_in_model", False) for callback in users)


class EpochEnds(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the epoch's line, keeps the best weights, saves checkpoints, reports.

    Weights and checkpoints are the whole network's, also where Keras fits its head alone. It stands
    after the user's callbacks: it stores what they have become, and hands it back to them when a
    run goes on.
    """

    def __init__(
        self,
        sitting: Sitting,
        *,
        network: keras.Model,
        stage: Stage,
        monitor: Monitor | None,
        users: Sequence[keras.callbacks.Callback],
        is_resumed: bool,
        averages_weights: bool,
    ) -> None:
        """What happens at the ends of a stage's epochs.

        Args:
            sitting: the sitting at the run.
            network: the whole network.
            stage: the stage.
            monitor: what decides the best epoch, or None to keep none.
            users: the callbacks of the config.
            is_resumed: whether the stage goes on from the sitting's checkpoint.
            averages_weights: whether the optimizer averages the weights, which then count.
        """
        super().__init__()
        self.sitting = sitting
        self.network = network
        self.stage = stage
        self.monitor = monitor
        self.users = users
        self.is_resumed = is_resumed
        self.averages_weights = averages_weights
        self._saved_at = time.monotonic()
        self._epoch_started = self._training_ended = 0.0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Give the user's callbacks their state back."""
        # Keras's callbacks forget everything when training begins.
        if not self.is_resumed or self.sitting.checkpoint is None:
            return
        for callback, state in zip(self.users, self.sitting.checkpoint.callbacks, strict=True):
            restore_callback(callback, state)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Start the clock."""
        self._epoch_started = self._training_ended = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the metrics so far."""
        self._training_ended = time.perf_counter()
        self.sitting.listener(
            StepsDone(
                epoch=self.sitting.progress.epoch + 1,
                step=min(batch + 1, self.params["steps"]),
                metrics=plain_metrics(logs or {}),
            )
        )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Write the epoch down."""
        seconds = time.perf_counter() - self._epoch_started
        row = EpochRow(
            epoch=epoch + 1,
            stage=self.stage.number + 1,
            values=_losses_first(plain_metrics(logs or {})),
            learning_rate=float(self.model.optimizer.learning_rate.numpy()),
            seconds=seconds,
        )
        progress = self.sitting.progress
        progress.epoch = epoch + 1
        progress.fit_seconds += seconds
        progress.training_seconds.append(self._training_ended - self._epoch_started)
        is_best = self._keep_if_best(row)
        append_epoch(self.sitting.run, row)
        # What ends a stage, early or not, is saved by on_train_end in a moment.
        is_last = self.model.stop_training or epoch + 1 == self.stage.last_epoch
        if self.model.stop_training and has_swapped(self.users):
            self._keep_averages()
        is_pause = not is_last and epoch + 1 == self.sitting.pause_after
        is_due = time.monotonic() - self._saved_at >= CHECKPOINT_INTERVAL_S
        if is_pause or (not is_last and is_due):
            self._save(stage_is_done=False)
        self.sitting.listener(EpochDone(row, is_best))
        if is_pause:
            # Not by `stop_training`, for what Keras and callbacks do at an end changes weights.
            raise TrainingPausedError

    def _keep_averages(self) -> None:
        """Make the averages averages again, which Keras puts into the network at the end.

        SwapEMAWeights does so in the last epoch of all, and forgets it where training stops early.
        """
        inner = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        assign_variables(
            inner._model_variables_moving_average, read_variables(inner._trainable_variables)
        )

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Save where the stage has ended."""
        self._save(stage_is_done=True)

    def _keep_if_best(self, row: EpochRow) -> bool:
        if self.monitor is None:
            return False
        score, best = row.values[self.monitor.name], self.sitting.progress.best
        if not self.monitor.is_improvement(score, best.score if best else None):
            return False
        self.sitting.progress.best = Best(row.epoch, score, self._weights_to_keep())
        return True

    def _weights_to_keep(self) -> tuple[np.ndarray, ...]:
        if not self.averages_weights or has_swapped(self.users):
            return read_variables(self.network.weights)
        raw = read_variables(self.model.trainable_weights)
        self.model.optimizer.finalize_variable_values(self.model.trainable_weights)
        averaged = read_variables(self.network.weights)
        assign_variables(self.model.trainable_weights, raw)
        return averaged

    def _save(self, *, stage_is_done: bool) -> None:
        progress = self.sitting.progress
        save_checkpoint(
            self.sitting.run,
            Checkpoint(
                epoch=progress.epoch,
                stage=self.stage.number,
                stage_is_done=stage_is_done,
                fit_seconds=progress.fit_seconds,
                variables=read_variables(variables_of(self.network, self.model)),
                callbacks=tuple(callback_state(callback) for callback in self.users),
                best=progress.best,
            ),
        )
        self._saved_at = time.monotonic()


def _losses_first(values: Mapping[str, float]) -> dict[str, float]:
    def rank(name: str) -> tuple[bool, bool]:
        return name.startswith("val_"), name.removeprefix("val_") != "loss"

    return {name: values[name] for name in sorted(values, key=rank)}
