"""A training step with batch norm by faster kernels against one by Keras's own arithmetic.

Run `python tests/benchmarks/measure_batch_norm.py [CASE...]`. Each network is made three times: by
Keras alone, with the fused kernel wherever it fits, and by the rule of `train.fused_batch_norm`.
All step in turns; the medians of the rounds' ratios over Keras count. The rule should be at least
as fast as either. Time of processors is what a busy machine distorts least.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras_cases
import numpy as np
import yaml
from keras_cases import Case

from cnnrun.assembly.building import build
from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.config.train_section import FusedBatchNormSpec

ROUNDS = 9
ROUND_S = 0.4
CLASSES = 10
Shape = tuple[int, int, int]
WHEREVER_IT_FITS = FusedBatchNormSpec(least_numbers=0, channel_multiple=1)


NAMES = (
    "photographs 128x128",
    "MNIST-5k 28x28",
    "MNIST-5k, batch norm after the activation",
    "MNIST-5k, batch norm before the convolution",
    "residual 32x32",
    "digits 8x8",
)
CASES = {name: keras_cases.CASES[name] for name in NAMES}
CASES["MNIST-5k 28x28, batch 32"] = replace(keras_cases.MNIST, batch_size=32)
CASES["photographs 128x128, 24 and 40 channels"] = replace(
    keras_cases.PHOTOGRAPHS, layers=keras_cases.blocks(24, 40)
)
CASES["photographs 128x128, batch norm before the convolution"] = replace(
    keras_cases.PHOTOGRAPHS, batch_norm="before_convolution"
)


class Took(NamedTuple):
    """Seconds of a step: wall time, and the processors' time."""

    wall: float
    processor: float


def main() -> None:
    """Print a line for each case and precision."""
    for name in sys.argv[1:] or CASES:
        case = CASES[name]
        for precision in ("float32", "mixed_bfloat16"):
            config, shape = config_of(case, precision)
            measure(name, config, shape)


def config_of(case: Case, precision: str) -> tuple[Config, Shape]:
    """A case's network as a config for random images, and their shape."""
    shape = (*case.image_size, 3 if case.color_mode == "rgb" else 1)
    text = yaml.safe_dump(
        {
            "data": {"keras_dataset": "cifar10", "image_size": list(case.image_size)},
            "model": {"blocks": {"batch_norm": case.batch_norm}, "layers": case.layers},
            "train": {
                "batch_size": case.batch_size,
                "precision": precision,
                "steps_per_execution": 1,
            },
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.yaml"
        path.write_text(text)
        return load_config(path), shape


def measure(name: str, config: Config, shape: Shape) -> None:
    keras = stepper(config, shape, fused=None)
    fast = {
        "the kernel": stepper(config, shape, fused=WHEREVER_IT_FITS),
        "the rule": stepper(config, shape, fused=FusedBatchNormSpec()),
    }
    chosen, layers = kernels_by_rule(config, shape)
    repeats = max(1, int(ROUND_S / steps(keras, 1).wall))
    wall: dict[str, list[float]] = {one: [] for one in fast}
    processor: dict[str, list[float]] = {one: [] for one in fast}
    for _ in range(ROUNDS):
        slow = steps(keras, repeats)
        for one, step in fast.items():
            took = steps(step, repeats)
            wall[one].append(slow.wall / took.wall)
            processor[one].append(slow.processor / took.processor)
    print(f"{name}, {config.train.precision}; the rule is for {chosen} of {layers} layers")
    for one in fast:
        print(
            f"    {one}: {in_words(wall[one])} times as fast, per processor second"
            f" {in_words(processor[one])}",
            flush=True,
        )


def stepper(config: Config, shape: Shape, *, fused: FusedBatchNormSpec | None) -> Any:
    """The compiled network with a batch of random images, as a function that makes one step."""
    config = replace(config, train=replace(config.train, fused_batch_norm=fused))
    built = build(
        config,
        input_shape=shape,
        classes=CLASSES,
        preprocessing=unfitted_preprocessing(config, shape),
    )
    model = built.network.model
    compile_anew(
        model,
        config,
        network=built.network,
        loss=built.loss,
        optimizer=config.train.optimizer,
    )
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (config.train.batch_size, *shape), np.uint8)
    labels = random.integers(0, CLASSES, config.train.batch_size)

    def step() -> None:
        model.train_on_batch(images, labels)

    step()
    step()
    return step


def kernels_by_rule(config: Config, shape: Shape) -> tuple[int, int]:
    """How many batch norm layers the rule gives to the kernel, and how many there are."""
    built = build(
        config,
        input_shape=shape,
        classes=CLASSES,
        preprocessing=unfitted_preprocessing(config, shape),
    )
    layers = [one for one in built.network.model.layers if one.name.endswith("batch_norm")]
    return sum("call" in vars(one) for one in layers), len(layers)


def steps(step: Any, repeats: int) -> Took:
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        step()
    return Took((time.perf_counter() - wall) / repeats, (time.process_time() - processor) / repeats)


def in_words(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
