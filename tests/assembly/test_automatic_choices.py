"""Choices that a config leaves open follow fixed rules."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.automatic_choices import choose_steps_per_execution, use_threads, with_threads
from cnnrun.assembly.preparing import prepare
from cnnrun.config.sections import Config
from cnnrun.errors import WorkError
from cnnrun.runs.environment import usable_cores
from cnnrun.runs.events import silent

MakeConfig = Callable[..., Config]


@given(
    multiply_adds=st.integers(0, 10**11),
    batch_size=st.integers(1, 512),
    steps_per_epoch=st.integers(1, 10**6),
)
def test_executions_are_short_and_of_one_length(
    multiply_adds: int, batch_size: int, steps_per_epoch: int
) -> None:
    steps = choose_steps_per_execution(
        multiply_adds=multiply_adds, batch_size=batch_size, steps_per_epoch=steps_per_epoch
    )
    assert 1 <= steps <= min(steps_per_epoch, 125)
    executions = -(-steps_per_epoch // steps)
    assert executions * steps - steps_per_epoch < executions or steps == 1


def test_small_networks_make_many_steps_at_once_and_large_ones_do_not() -> None:
    digits = choose_steps_per_execution(multiply_adds=1_788_544, batch_size=32, steps_per_epoch=40)
    photographs = choose_steps_per_execution(
        multiply_adds=15_470_264_320, batch_size=32, steps_per_epoch=1000
    )
    assert (digits, photographs) == (20, 1)


@pytest.mark.parametrize(("precision", "multiple"), [("float32", 4), ("mixed_bfloat16", 16)])
def test_the_rule_of_batch_norm_is_written_out(
    make_config: MakeConfig, tmp_path: Path, precision: str, multiple: int
) -> None:
    config = make_config(train={"precision": precision})
    prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
    spec = prepared.config.train.fused_batch_norm
    assert spec is not None
    assert (spec.channel_multiple, spec.few_channels) == (multiple, 7)


def test_threads_are_as_given_else_as_the_run_had_them_else_one_a_core(
    make_config: MakeConfig,
) -> None:
    config = make_config()
    earlier = replace(config, train=replace(config.train, threads=7))
    given_three = replace(config, train=replace(config.train, threads=3))
    assert with_threads(config, None).train.threads == usable_cores()
    assert with_threads(config, earlier).train.threads == 7
    assert with_threads(given_three, earlier).train.threads == 3


def test_threads_cannot_change_in_a_process_that_has_computed(
    snapshot: SnapshotAssertion,
) -> None:
    import tensorflow as tf

    tf.constant(1.0) + 1
    cores = usable_cores()
    with pytest.raises(WorkError) as raised:
        use_threads(cores + 500)
    message = str(raised.value).replace(f"{cores + 500}", "<more>")
    assert message.replace(f"with {cores};", "with <cores>;") == snapshot
