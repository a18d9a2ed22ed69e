"""The stages of a training, each a `compile` and a `fit` of Keras."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import keras

from cnnrun.assembly.compiling import CompileModel
from cnnrun.assembly.monitor import Monitor
from cnnrun.assembly.stages import Stage
from cnnrun.config.values import Config, KerasCall
from cnnrun.models.keras_objects import keras_object
from cnnrun.models.network import Network
from cnnrun.models.trainable import apply_trainable, restore_noise
from cnnrun.models.variables import assign_variables, variables_of
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listeners import Reporter
from cnnrun.training.batches import Batches
from cnnrun.training.bottleneck_head import head_of
from cnnrun.training.callbacks import (
    AveragedInTests,
    EpochEnds,
    Progress,
    StopWhenDiverged,
)
from cnnrun.training.checkpoints import Checkpoint
from cnnrun.training.interrupts import EndWhenInterrupted


def fit_stages(
    network: Network,
    config: Config,
    *,
    loss: KerasCall,
    stages: Sequence[Stage],
    batches_of: Callable[[Stage], AbstractContextManager[Batches]],
    compile_model: CompileModel,
    observers: Sequence[keras.callbacks.Callback],
    monitor: Monitor | None,
    checkpoint: Checkpoint | None,
    progress: Progress,
    run: RunFolder,
    reporter: Reporter,
) -> None:
    """Train a network through `stages`, from `checkpoint` on if there is one.

    Args:
        network: the network; its weights are those of the last epoch afterwards.
        config: the resolved config.
        loss: the loss.
        stages: what `plan_stages` gave.
        batches_of: what a stage is fitted to, for as long as the block around its `fit` lasts.
        compile_model: `compile_anew`, or what gives a compiled model a new start.
        observers: callbacks that look on and change nothing.
        monitor: what decides the best epoch, or None to keep none.
        checkpoint: where to go on.
        progress: is brought up to date.
        run: where metrics and checkpoints go.
        reporter: who listens.

    Raises:
        DivergedError: the loss became NaN or infinite.
        StorageError: the run folder cannot be written to.
    """
    for stage in stages[checkpoint.stage if checkpoint else 0 :]:
        apply_trainable(network, stage.trainable, batch_norm=stage.batch_norm)
        fitted = head_of(network) if stage.bottleneck else network.model
        compile_model(fitted, config, loss=loss, optimizer=stage.optimizer)
        resumed = checkpoint if checkpoint and checkpoint.stage == stage.number else None
        if resumed:
            assign_variables(variables_of(network.model, fitted), resumed.variables)
        if resumed and resumed.stage_is_done:
            continue
        callbacks = _callbacks(
            network.model,
            fitted,
            config,
            stage=stage,
            resumed=resumed,
            monitor=monitor,
            progress=progress,
            run=run,
            reporter=reporter,
        )
        progress.training_seconds.clear()
        end = EndWhenInterrupted()
        with batches_of(stage) as batches, end.listening():
            fitted.fit(
                batches.training(progress.epoch),
                validation_data=batches.validation,
                initial_epoch=progress.epoch,
                epochs=stage.last_epoch,
                callbacks=[end, *observers, *callbacks],
                shuffle=False,
                verbose=0,
            )
    restore_noise(network)


def _callbacks(
    model: keras.Model,
    fitted: keras.Model,
    config: Config,
    *,
    stage: Stage,
    resumed: Checkpoint | None,
    monitor: Monitor | None,
    progress: Progress,
    run: RunFolder,
    reporter: Reporter,
) -> list[keras.callbacks.Callback]:
    averages_weights = _averages_weights(fitted.optimizer)
    users = list(keras_object(config.train.callbacks, address="train.callbacks"))
    ends = EpochEnds(
        network=model,
        run=run,
        reporter=reporter,
        progress=progress,
        monitor=monitor,
        stage=stage.number,
        last_epoch=stage.last_epoch,
        users=users,
        resumed=resumed.callbacks if resumed else (),
        averages_weights=averages_weights,
    )
    stop = StopWhenDiverged(steps_per_execution=config.train.steps_per_execution or 1)
    return [stop, *([AveragedInTests()] if averages_weights else []), *users, ends]


def _averages_weights(optimizer: keras.optimizers.Optimizer) -> bool:
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return bool(getattr(inner, "use_ema", False))
