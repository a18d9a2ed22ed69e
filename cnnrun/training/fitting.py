"""The stages of a training, each a `compile` and a `fit` of Keras."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from cnnrun.config.values import Config, KerasCall, StageSpec, TrainableFrom
from cnnrun.models.calls import keras_object
from cnnrun.models.network import Network
from cnnrun.runs.folder import RunFolder
from cnnrun.training.callbacks import (
    AveragedInTests,
    EpochEnds,
    Monitor,
    Progress,
    StopWhenDiverged,
)
from cnnrun.training.checkpoints import Checkpoint, assign_variables, variables_of
from cnnrun.training.interrupts import EndWhenInterrupted
from cnnrun.training.reporting import Reporter


@dataclass(frozen=True)
class Stage:
    """One `fit`: its epochs count on from the stage before, its optimizer starts fresh."""

    number: int
    first_epoch: int
    last_epoch: int
    trainable_from: str | None
    optimizer: KerasCall


def plan_stages(config: Config) -> tuple[Stage, ...]:
    """The stages of a config; one that names none has a single stage with all layers."""
    stages: list[Stage] = []
    for spec in config.train.stages or (StageSpec(),):
        first = stages[-1].last_epoch if stages else 0
        stages.append(
            Stage(
                number=len(stages),
                first_epoch=first,
                last_epoch=first + (spec.epochs or config.train.epochs),
                trainable_from=(
                    spec.trainable.layer if isinstance(spec.trainable, TrainableFrom) else None
                ),
                optimizer=spec.optimizer or config.train.optimizer,
            )
        )
    return tuple(stages)


def fit_stages(
    network: Network,
    config: Config,
    *,
    loss: KerasCall,
    stages: Sequence[Stage],
    training_batches: Callable[[int], Any],
    validation_batches: Any | None,
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
        training_batches: makes the dataset whose first iteration is the epoch of a number from 0.
        validation_batches: a dataset, or None.
        monitor: what decides the best epoch, or None to keep none.
        checkpoint: where to go on.
        progress: is brought up to date.
        run: where metrics and checkpoints go.
        reporter: who listens.

    Raises:
        DivergedError: the loss became NaN or infinite.
        StorageError: the run folder cannot be written to.
    """
    model = network.model
    frozen = frozenset(built.name for built in network.layers if not built.layer.trainable)
    for stage in stages[checkpoint.stage if checkpoint else 0 :]:
        _set_trainable(network, stage.trainable_from, frozen=frozen)
        _compile(model, config, loss=loss, optimizer=stage.optimizer)
        resumed = checkpoint if checkpoint and checkpoint.stage == stage.number else None
        if resumed:
            assign_variables(variables_of(model), resumed.variables)
        if resumed and resumed.stage_is_done:
            continue
        callbacks = _callbacks(
            model,
            config,
            stage=stage,
            resumed=resumed,
            monitor=monitor,
            progress=progress,
            run=run,
            reporter=reporter,
        )
        end = EndWhenInterrupted()
        with end.listening():
            model.fit(
                training_batches(progress.epoch),
                validation_data=validation_batches,
                initial_epoch=progress.epoch,
                epochs=stage.last_epoch,
                callbacks=[end, *callbacks],
                shuffle=False,
                verbose=0,
            )


def _set_trainable(network: Network, first: str | None, *, frozen: frozenset[str]) -> None:
    """Let the entry of path `first` and what follows it learn, save what was built not to."""
    learns = first is None
    for built in network.layers:
        learns = learns or built.path == first or built.path.startswith(f"{first}/")
        built.layer.trainable = learns and built.name not in frozen


def _compile(model: keras.Model, config: Config, *, loss: KerasCall, optimizer: KerasCall) -> None:
    made = keras_object(optimizer, address="train.optimizer")
    if config.train.precision == "mixed_float16":
        # Keras wraps by itself only under the global policy; cnnrun sets policies layer by layer.
        made = keras.optimizers.LossScaleOptimizer(made)
    model.compile(
        optimizer=made,
        loss=keras_object(loss, address="train.loss"),
        metrics=list(keras_object(config.train.metrics, address="train.metrics")),
        steps_per_execution=config.train.steps_per_execution,
    )


def _callbacks(
    model: keras.Model,
    config: Config,
    *,
    stage: Stage,
    resumed: Checkpoint | None,
    monitor: Monitor | None,
    progress: Progress,
    run: RunFolder,
    reporter: Reporter,
) -> list[keras.callbacks.Callback]:
    averages_weights = _averages_weights(model.optimizer)
    users = list(keras_object(config.train.callbacks, address="train.callbacks"))
    ends = EpochEnds(
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
