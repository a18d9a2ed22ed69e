"""The learning-rate range test (Smith 2017, arXiv:1506.01186): few steps, at ever higher rates."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

import keras
from typing_extensions import override

from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.preparing import Prepared, prepare
from cnnrun.assembly.stages import plan_stages
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.models.trainable import apply_trainable
from cnnrun.preview.rate_curve import RateCurve, is_hopeless, refuse_flat
from cnnrun.runs.events import NoteListener


def try_rates(
    config: Config, *, lowest: float, highest: float, steps: int, listener: NoteListener
) -> RateCurve:
    """Train a network for some steps, the learning rate rising from each to the next.

    It is the training of the config's first stage, from its initial weights on, with its images in
    their order; nothing of it is kept. It ends before the highest rate where the loss has risen to
    three times its least.

    Args:
        config: a checked config.
        lowest: the rate of the first step.
        highest: the rate of the last one; those between are evenly spaced in their logarithm.
        steps: how many steps of the optimizer.
        listener: who listens.

    Raises:
        ConfigError: the network cannot be built or trained.
        DataError: the data cannot be used.
        WorkError: the loss falls at no rate.
    """
    with TemporaryDirectory() as folder:
        prepared = prepare(config, earlier=None, cache_folder=Path(folder), listener=listener)
        try:
            curve = _trained(prepared, lowest=lowest, highest=highest, steps=steps)
        finally:
            prepared.images.store.close()
    refuse_flat(curve)
    return curve


def _trained(prepared: Prepared, *, lowest: float, highest: float, steps: int) -> RateCurve:
    stage = plan_stages(prepared.config)[0]
    network, train = prepared.built.network, prepared.config.train
    apply_trainable(network, stage.trainable, batch_norm=stage.batch_norm)
    rising = KerasCall(
        "schedules",
        "ExponentialDecay",
        {
            "initial_learning_rate": lowest,
            "decay_steps": steps - 1,
            "decay_rate": highest / lowest,
        },
    )
    optimizer = _with_rate(stage.optimizer, rising)
    compile_anew(
        network.model,
        replace(prepared.config, train=replace(train, steps_per_execution=1)),
        network=network,
        loss=prepared.built.loss,
        optimizer=optimizer,
    )
    rows = prepared.splits.train
    watch = _Watch(steps * (optimizer.arguments.get("gradient_accumulation_steps") or 1))
    with prepared.feed.naming_failures():
        network.model.fit(
            prepared.feed.training(
                rows, prepared.manifest.ids[rows], seed=prepared.config.seed, first_epoch=0
            ),
            epochs=watch.steps,  # more than enough: the watch ends it
            callbacks=[watch],
            shuffle=False,
            verbose=0,
        )
    seen = [
        (rate, loss)
        for rate, loss in zip(watch.rates, watch.losses, strict=True)
        if math.isfinite(loss)
    ]
    return RateCurve(tuple(rate for rate, _ in seen), tuple(loss for _, loss in seen))


def _with_rate(optimizer: KerasCall, rate: KerasCall) -> KerasCall:
    inner = optimizer.arguments.get("inner_optimizer")
    changed = (
        {"inner_optimizer": _with_rate(inner, rate)}
        if isinstance(inner, KerasCall)
        else {"learning_rate": rate}
    )
    return replace(optimizer, arguments={**optimizer.arguments, **changed})


@final
class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes rate and loss of each step, and ends the training when it has seen enough."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.rates: list[float] = []
        self.losses: list[float] = []

    @override
    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.model.reset_metrics()  # or the loss would be the epoch's mean so far
        self.rates.append(float(self.model.optimizer.learning_rate.numpy()))

    @override
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.losses.append(float((logs or {})["loss"]))
        if is_hopeless(self.losses) or len(self.losses) >= self.steps:
            self.model.stop_training = True
