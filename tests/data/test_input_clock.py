"""Waiting is what a reader spends without a batch; the oracle is who was made to be slow."""

import time
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnrun.data.input_clock import Waits

STEPS = 10
SLOW_S = 0.05


@pytest.mark.parametrize("slow", ["writer", "reader"])
def test_only_a_slow_writer_is_waited_for(slow: str) -> None:
    waits = Waits()
    batches = waits.measured(batches_of(seconds=SLOW_S if slow == "writer" else 0.0))
    for _ in batches:
        time.sleep(SLOW_S if slow == "reader" else 0.0)
    if slow == "writer":
        assert waits.seconds > 0.5 * STEPS * SLOW_S
    else:
        assert waits.seconds < 0.5 * STEPS * SLOW_S


def test_batches_and_their_number_stay_the_same() -> None:
    plain, measured = batches_of(seconds=0.0), Waits().measured(batches_of(seconds=0.0))
    assert measured.cardinality() == plain.cardinality()
    assert measured.element_spec == plain.element_spec
    for expected, found in zip(plain, measured, strict=True):
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


def batches_of(*, seconds: float) -> Any:
    """Ten pairs of images and labels, each of which takes its time."""

    def made(number: np.ndarray) -> np.ndarray:
        time.sleep(seconds)
        return np.full((2, 3), number, np.float32)

    def pair(number: Any) -> tuple[Any, Any]:
        images = tf.ensure_shape(tf.numpy_function(made, [number], tf.float32), (2, 3))
        return images, tf.fill([2], number)

    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(STEPS).map(pair).prefetch(2).with_options(options)
