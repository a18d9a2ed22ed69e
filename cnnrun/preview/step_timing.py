"""What a training step costs on this machine in each precision."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final, final, get_args

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from cnnrun.assembly.automatic_choices import choose_steps_per_execution
from cnnrun.assembly.building import build
from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.stages import plan_stages, with_schedules_in_steps
from cnnrun.assembly.targets import encode_labels, target_form
from cnnrun.config.sections import Config
from cnnrun.config.train_section import Precision
from cnnrun.data.tensors import dataset_options
from cnnrun.models.cost import network_costs
from cnnrun.models.preprocessing import Preprocessing
from cnnrun.models.trainable import apply_trainable

ROUNDS: Final = 5
ROUND_S: Final = 0.6
# What is so many times as slow as the fastest needs no second look, and some would take minutes.
HOPELESS: Final = 4.0
# How many images there are is not asked: the steps of an epoch change no step's time.
STEPS_PER_EPOCH: Final = 1_000
# A gain below this is not worth fewer digits.
WORTHWHILE: Final = 1.1


@dataclass(frozen=True)
class StepTimes:
    """Training steps in one precision.

    Attributes:
        precision: the value of `train.precision`.
        seconds: of a step, an item a round; one item where that was slow enough to know.
    """

    precision: Precision
    seconds: tuple[float, ...]

    @property
    def median_seconds(self) -> float:
        """The median time of a step."""
        return median(self.seconds)

    def ratios(self, baseline: "StepTimes") -> tuple[float, ...]:
        """How many times as fast as the baseline, in each round that both have."""
        pairs = zip(baseline.seconds, self.seconds, strict=False)
        return tuple(other / own for other, own in pairs)


def time_precisions(
    config: Config,
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    preprocessing: Preprocessing,
    tell: Callable[[str], None],
) -> tuple[StepTimes, ...]:
    """The training steps of a config, in every precision in turns, on random images.

    They are steps as `train` makes them: its kernels, optimizer and executions, and the threads of
    this process. They are those of the first stage that sees images.

    Args:
        config: a checked config, whose network has been tried.
        input_shape: (height, width, channels) of the images.
        classes: how many classes there are.
        preprocessing: what happens to pixels before the first layer.
        tell: hears what is being timed, for it can take a minute.
    """
    steppers: list[_Stepper] = []
    for precision in get_args(Precision):
        tell(f"timing training steps in {precision}")
        steppers.append(
            _Stepper(
                replace(config, train=replace(config.train, precision=precision)),
                input_shape=input_shape,
                classes=classes,
                preprocessing=preprocessing,
            )
        )
    fastest = min(stepper.first_seconds for stepper in steppers)
    hopeful = [one for one in steppers if one.first_seconds <= HOPELESS * fastest]
    seconds: dict[Precision, list[float]] = {one.precision: [] for one in hopeful}
    for number in range(ROUNDS):
        tell(f"timing in turns, {number + 1} of {ROUNDS}")
        for one in hopeful:
            executions = math.ceil(ROUND_S / (one.first_seconds * one.steps_per_execution))
            seconds[one.precision].append(one.step_seconds(executions=executions))
    return tuple(
        StepTimes(one.precision, tuple(seconds.get(one.precision, [one.first_seconds])))
        for one in steppers
    )


def timing_document(times: Sequence[StepTimes], *, batch_size: int) -> dict[str, Any]:
    """The times as JSON, with the precision to train in: float32, unless another is clearly faster.

    Args:
        times: those of every precision.
        batch_size: images a step.
    """
    float32 = next(one for one in times if one.precision == "float32")
    ratios = {one.precision: one.ratios(float32) for one in times}
    best = max(ratios, key=lambda precision: median(ratios[precision]))
    return {
        "batch_size": batch_size,
        "precisions": {
            one.precision: {
                "rounds": len(one.seconds),
                "step_seconds": one.median_seconds,
                "images_per_second": batch_size / one.median_seconds,
                "speedup": median(ratios[one.precision]),
                "speedup_range": [min(ratios[one.precision]), max(ratios[one.precision])],
            }
            for one in times
        },
        "recommended": best if median(ratios[best]) >= WORTHWHILE else "float32",
    }


@final
class _Stepper:
    """A network of one precision, compiled, and a batch of random images.

    Attributes:
        first_seconds: what a step took at first, once it was traced.
    """

    def __init__(
        self,
        config: Config,
        *,
        input_shape: tuple[int, int, int],
        classes: int,
        preprocessing: Preprocessing,
    ) -> None:
        config = with_schedules_in_steps(config, steps_per_epoch=STEPS_PER_EPOCH)
        train = config.train
        built = build(config, input_shape=input_shape, classes=classes, preprocessing=preprocessing)
        stages = plan_stages(config)
        stage = next((one for one in stages if not one.bottleneck), stages[-1])
        self.precision = train.precision
        self.steps_per_execution = train.steps_per_execution or choose_steps_per_execution(
            multiply_adds=network_costs(built.network).multiply_adds,
            batch_size=train.batch_size,
            steps_per_epoch=STEPS_PER_EPOCH,
        )
        steps = replace(train, steps_per_execution=self.steps_per_execution)
        apply_trainable(built.network, stage.trainable, batch_norm=stage.batch_norm)
        self.model = built.network.model
        compile_anew(
            self.model,
            replace(config, train=steps),
            network=built.network,
            loss=built.loss,
            optimizer=stage.optimizer,
        )
        generator = np.random.default_rng(config.seed)
        labels = generator.integers(0, classes, train.batch_size).astype(np.int32)
        self.images = generator.integers(0, 256, (train.batch_size, *input_shape), np.uint8)
        form = target_form(built.loss, built.output)
        self.targets = encode_labels(labels, form=form, classes=classes)
        self.step_seconds(executions=1)  # traces
        self.first_seconds = self.step_seconds(executions=1)

    def step_seconds(self, *, executions: int) -> float:
        """What a training step takes, as the mean over so many executions."""
        clock = _Clock()
        steps = executions * self.steps_per_execution
        batch = tf.data.Dataset.from_tensors((self.images, self.targets)).repeat(steps)
        batches = batch.prefetch(1).with_options(dataset_options())
        self.model.fit(batches, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds / steps


@final
class _Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Times the training steps of an epoch."""

    seconds = 0.0

    @override
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    @override
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.seconds = time.perf_counter() - self._began
