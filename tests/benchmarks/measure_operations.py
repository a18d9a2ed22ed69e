"""Where a training step's time goes, operation by operation, and its share of the ceiling.

Run `python tests/benchmarks/measure_operations.py [CASE...]`, with cases of keras_cases.py. Each
network steps on random images: first alone, for the share of the ceiling of matrix products that it
reaches; then under TensorFlow's profiler, whose spans are added up by kind of operation. Where
operations run beside each other, all of them count.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf
from keras_cases import CASES, Case
from measure_against_keras import in_words, machine_here
from measure_batch_norm import CLASSES, config_of, stepper, steps
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from cnnrun.assembly.building import build
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.sections import Config
from cnnrun.models.cost import network_costs

STEPS, TRACED = 20, 5
SHOWN = 8


def main() -> None:
    """Print the operations of each case, in both precisions."""
    machine = machine_here()
    print(in_words(machine))
    unlike = [name for name, case in CASES.items() if not case.augment]
    for name in sys.argv[1:] or unlike:
        for precision in ("float32", "mixed_bfloat16"):
            measure(name, CASES[name], precision, ceiling=machine["ceiling"][precision])


def measure(name: str, case: Case, precision: str, *, ceiling: float) -> None:
    """Print a step's share of the ceiling, and the operations that took most of it."""
    config, shape = config_of(case, precision)
    step = stepper(config, shape, fused=config.train.fused_batch_norm)
    seconds = steps(step, STEPS).wall
    operations = 6 * multiply_adds(config, shape) * case.batch_size
    print(
        f"\n{name}, {precision}: {seconds * 1e3:.1f} ms a step,"
        f" {operations / seconds / ceiling:.0%} of the matrix ceiling"
    )
    spans = traced(step)
    whole = sum(spans.values())
    for kind, took in spans.most_common(SHOWN):
        print(f"    {took / whole:4.0%}  {took / TRACED * 1e3:7.2f} ms  {kind}")


def multiply_adds(config: Config, shape: tuple[int, int, int]) -> int:
    """Of one image's pass through the network."""
    preprocessing = unfitted_preprocessing(config, shape)
    built = build(config, input_shape=shape, classes=CLASSES, preprocessing=preprocessing)
    return network_costs(built.network).multiply_adds


def traced(step: Callable[[], Any]) -> Counter[str]:
    """Seconds of some steps, by kind of operation."""
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            steps(step, TRACED)
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    spans: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # Kernels are called "name:Kind" on the host's lines; all else is the runtime's.
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name and kind.isidentifier() and not name.endswith(":"):
                    spans[kind] += event.duration_ps / 1e12
    return spans


if __name__ == "__main__":
    main()
