"""Recomputed statistics of batch norm; the oracle is NumPy over all images at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnrun.evaluation.batch_statistics import BatchStatistics
from cnnrun.models.variables import network_variables, read_variables

IMAGES = np.random.default_rng(0).uniform(0, 255, size=(50, 6, 6, 2)).astype(np.float32)
BATCH = tf.TensorSpec((None, 6, 6, 2), tf.float32)


def network(*, axis: int = -1, trainable: bool = True) -> keras.Model:
    """Two batch norms, of which the first sees what no statistics have changed; and dropout."""
    pixels = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(3, 3, kernel_initializer=keras.initializers.HeNormal(1))(pixels)
    x = keras.layers.BatchNormalization(axis=axis, name="first", trainable=trainable)(x)
    x = keras.layers.Dropout(0.5, seed=1)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.BatchNormalization(name="second")(x)
    return keras.Model(pixels, x)


def batches(size: int) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(IMAGES).batch(size)


@pytest.mark.parametrize("size", [50, 8])
@pytest.mark.parametrize("axis", [-1, 1])
def test_statistics_are_those_of_all_images_whatever_the_batches(axis: int, size: int) -> None:
    model = network(axis=axis)
    first = model.get_layer("first")
    reached = keras.Model(model.input, first.input).predict_on_batch(IMAGES).astype(np.float64)
    others = tuple(each for each in range(4) if each != axis % 4)
    with BatchStatistics(model, BATCH).recomputed(batches(size)):
        np.testing.assert_allclose(
            first.moving_mean.numpy(), reached.mean(axis=others), rtol=1e-4, atol=1e-4
        )
        np.testing.assert_allclose(
            first.moving_variance.numpy(), reached.var(axis=others), rtol=1e-4
        )
        # In one batch of everything, inference does what training does.
        second = model.get_layer("second")
        assert not np.allclose(second.moving_variance.numpy(), 1)


def test_nothing_of_it_stays() -> None:
    model = network()
    before = read_variables(network_variables(model))
    with BatchStatistics(model, BATCH).recomputed(batches(8)):
        assert not np.array_equal(model.get_layer("first").moving_mean.numpy(), before[4])
    for value, again in zip(before, read_variables(network_variables(model)), strict=True):
        np.testing.assert_array_equal(again, value)


def test_within_the_block_all_but_the_statistics_is_as_it_was() -> None:
    """What dropout draws next is what it would have drawn had nothing been recomputed."""
    model = network()
    others = {each.path: each for each in network_variables(model) if "/moving_" not in each.path}
    before = dict(zip(others, read_variables(list(others.values())), strict=True))
    with BatchStatistics(model, BATCH).recomputed(batches(8)):
        for path, variable in others.items():
            np.testing.assert_array_equal(variable.numpy(), before[path], err_msg=path)
    model(IMAGES, training=True)
    moved = [path for path in others if not np.array_equal(others[path].numpy(), before[path])]
    assert [path.rpartition("/")[2] for path in moved] == ["seed_generator_state"]


def test_frozen_statistics_are_left_alone() -> None:
    model = network(trainable=False)
    assert [layer.name for layer in BatchStatistics(model, BATCH).layers] == ["second"]
    with BatchStatistics(model, BATCH).recomputed(batches(8)):
        np.testing.assert_array_equal(model.get_layer("first").moving_mean.numpy(), np.zeros(3))
