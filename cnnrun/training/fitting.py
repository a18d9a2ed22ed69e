"""The stages of a training, each a `compile` and a `fit` of Keras."""

from collections.abc import Iterator, Sequence
from functools import partial

import keras

from cnnrun.assembly.preparing import Prepared
from cnnrun.assembly.stages import Stage, plan_stages
from cnnrun.models.keras_objects import keras_object
from cnnrun.models.trainable import apply_trainable, restore_noise
from cnnrun.models.variables import assign_variables, variables_of
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.training.batches import batches_of
from cnnrun.training.bottleneck_head import head_of
from cnnrun.training.callbacks import (
    AveragedInTests,
    EpochEnds,
    StopWhenDiverged,
    StopWhenFitted,
    naming_callbacks,
)
from cnnrun.training.interrupts import EndWhenInterrupted
from cnnrun.training.sitting import Sitting, TrainingPausedError
from cnnrun.training.traced_network import TracedNetwork


def compile_and_fit(
    prepared: Prepared,
    sitting: Sitting,
    traced: TracedNetwork,
    *,
    observers: Sequence[keras.callbacks.Callback],
) -> None:
    """Train a network through its stages, from the sitting's checkpoint on if there is one.

    Args:
        prepared: the run; its network has the weights of the last epoch afterwards.
        sitting: the sitting, whose progress is brought up to date.
        traced: the run's network, with whatever of its graphs is there already.
        observers: callbacks that look on and change nothing.

    Raises:
        DivergedError: the loss became NaN or infinite.
        TrainingPausedError: the epoch has come after which the sitting pauses.
        DataError: an image cannot be read any longer.
        StorageError: the run folder cannot be written to.
    """
    checkpoint = sitting.checkpoint
    stages = plan_stages(prepared.config)
    with prepared.feed.naming_failures():
        for stage in stages[checkpoint.stage if checkpoint else 0 :]:
            if _is_at_pause(sitting) and not _is_over(stage, sitting, stages):
                raise TrainingPausedError
            _fit_stage(stage, prepared, sitting, traced, observers=observers)
    restore_noise(prepared.built.network)


def _is_at_pause(sitting: Sitting) -> bool:
    """Whether a stage, or an earlier sitting, has ended at the epoch after which it pauses."""
    return sitting.pause_after is not None and sitting.progress.epoch >= sitting.pause_after


def _is_over(stage: Stage, sitting: Sitting, stages: Sequence[Stage]) -> bool:
    """Whether an earlier sitting has trained to the end, early or not, and only that is missing."""
    found = sitting.checkpoint
    return (
        stage is stages[-1]
        and found is not None
        and found.stage == stage.number
        and found.stage_is_done
    )


def freeze_as_in(epoch: int, prepared: Prepared, run: RunFolder) -> None:
    """Freeze what was frozen in an epoch: Keras penalizes only weights that learn.

    Args:
        epoch: its number, from 1; its line is written.
        prepared: the run, whose network changes.
        run: the run's folder.
    """
    row = next(row for row in read_epochs(run) if row.epoch == epoch)
    stage, network = plan_stages(prepared.config)[row.stage - 1], prepared.built.network
    apply_trainable(network, stage.trainable, batch_norm=stage.batch_norm)
    restore_noise(network)


def _fit_stage(
    stage: Stage,
    prepared: Prepared,
    sitting: Sitting,
    traced: TracedNetwork,
    *,
    observers: Sequence[keras.callbacks.Callback],
) -> None:
    network, checkpoint, progress = prepared.built.network, sitting.checkpoint, sitting.progress
    apply_trainable(network, stage.trainable, batch_norm=stage.batch_norm)
    fitted = head_of(network) if stage.bottleneck else network.model
    sitting.watch.enter("first step")
    traced.compile_for(stage, fitted, prepared.config)
    resumed = checkpoint if checkpoint and checkpoint.stage == stage.number else None
    if resumed:
        assign_variables(variables_of(network.model, fitted), resumed.variables)
    if resumed and resumed.stage_is_done:
        return
    users = list(keras_object(prepared.config.train.callbacks, address="train.callbacks"))
    callbacks = _callbacks(
        stage, fitted, prepared, sitting, traced, users=users, is_resumed=resumed is not None
    )
    progress.training_seconds.clear()
    end = EndWhenInterrupted()
    with (
        batches_of(stage, prepared, sitting) as batches,
        end.listening(),
        naming_callbacks(users),
    ):
        fitted.fit(
            batches.training(progress.epoch),
            validation_data=batches.validation,
            initial_epoch=progress.epoch,
            epochs=stage.last_epoch,
            callbacks=[end, *observers, *callbacks],
            shuffle=False,
            verbose=0,
        )


def _callbacks(
    stage: Stage,
    fitted: keras.Model,
    prepared: Prepared,
    sitting: Sitting,
    traced: TracedNetwork,
    *,
    users: Sequence[keras.callbacks.Callback],
    is_resumed: bool,
) -> list[keras.callbacks.Callback]:
    averages_weights = _averages_weights(fitted.optimizer)
    ends = EpochEnds(
        sitting,
        network=prepared.built.network.model,
        stage=stage,
        monitor=prepared.monitor,
        users=users,
        is_resumed=is_resumed,
        averages_weights=averages_weights,
    )
    stop = StopWhenDiverged(steps_per_execution=prepared.config.train.steps_per_execution or 1)
    swaps = any(isinstance(callback, keras.callbacks.SwapEMAWeights) for callback in users)
    averaged = [AveragedInTests()] if averages_weights and not swaps else []
    return [stop, *averaged, *_until_fitted(prepared, traced, averaged), *users, ends]


def _until_fitted(
    prepared: Prepared, traced: TracedNetwork, averaged: Sequence[AveragedInTests]
) -> Iterator[keras.callbacks.Callback]:
    """What ends a stage where the config says how far the training images are to be fitted."""
    train = prepared.config.train
    if train.until_training_loss is not None:
        loss = partial(traced.training_loss, prepared.splits.train, batch_size=train.batch_size)
        yield StopWhenFitted(
            loss, at_most=train.until_training_loss, averaged=next(iter(averaged), None)
        )


def _averages_weights(optimizer: keras.optimizers.Optimizer) -> bool:
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return bool(getattr(inner, "use_ema", False))
