"""The choices that a config leaves open, made by fixed rules and written to resolved.yaml."""

import math
from dataclasses import replace

import tensorflow as tf

from cnnrun.config.sections import Config
from cnnrun.config.train_section import FusedBatchNormSpec, TrainSpec
from cnnrun.errors import WorkError
from cnnrun.runs.environment import usable_cores

# An execution that takes longer would delay Ctrl-C and the check for a diverged loss.
EXECUTION_S = 0.25
# What a training step costs at the least, and the work that a slow core does in a second: a rule
# must not ask the machine, or the same config would not give the same bits elsewhere.
STEP_S = 0.002
OPERATIONS_A_SECOND = 5e10


def with_threads(config: Config, earlier: Config | None) -> Config:
    """The config with `train.threads`: as given, as the run had them, or one a core."""
    kept = earlier.train.threads if earlier else None
    return replace(
        config, train=replace(config.train, threads=config.train.threads or kept or usable_cores())
    )


def use_threads(threads: int) -> None:
    """Let TensorFlow compute with so many threads, for sums depend on it.

    Raises:
        WorkError: this process has computed with another number of threads already.
    """
    # 0 is TensorFlow for "as many as there are cores".
    before = tf.config.threading.get_intra_op_parallelism_threads() or usable_cores()
    if threads == before:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise WorkError.at(
            "train.threads",
            rule=f"must be {before} in this process, for TensorFlow has computed with as many",
            received=str(threads),
            advice="start a new process",
        ) from error


def choose_steps_per_execution(*, multiply_adds: int, batch_size: int, steps_per_epoch: int) -> int:
    """Training steps that one call of TensorFlow makes.

    As many as an estimate puts below a quarter of a second, in parts as equal as the epoch allows.
    A step is taken to cost three forward passes of two operations a multiply-add.

    Args:
        multiply_adds: of one forward pass of one image.
        batch_size: images a step.
        steps_per_epoch: steps an epoch.
    """
    step_s = STEP_S + 6 * multiply_adds * batch_size / OPERATIONS_A_SECOND
    most = max(1, int(EXECUTION_S / step_s))
    executions = math.ceil(steps_per_epoch / most)
    return math.ceil(steps_per_epoch / executions)


def fused_batch_norm_of(train: TrainSpec) -> FusedBatchNormSpec | None:
    """The rule of `train.fused_batch_norm`, its `channel_multiple` as given or as is the faster.

    Measured on AVX2 and AVX-512: in float32 the fused kernel takes .3 to .9 of the time of Keras's
    arithmetic for multiples of 4 and up to 1.6 of it for others; in 16 bits two to three times as
    long for all but multiples of 16.
    """
    fused = train.fused_batch_norm
    if fused is None or fused.channel_multiple is not None:
        return fused
    return replace(fused, channel_multiple=4 if train.precision == "float32" else 16)
