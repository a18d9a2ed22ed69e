"""A network's hash changes with what it computes, and with nothing else."""

from typing import Any

import keras
import numpy as np
from keras import layers

from cnnrun.features.network_hash import network_hash


def network(
    *, seed: int = 0, name: str = "conv", strides: int = 1, offset: float = 1.0, rate: float = 0.5
) -> Any:
    inputs = keras.Input((8, 8, 3))
    convolution = layers.Conv2D(
        4,
        3,
        strides=strides,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        name=name,
    )
    x = layers.Dropout(rate)(convolution(inputs) * 2.0 + offset)
    return keras.Model(inputs, x)


def test_names_and_training_do_not_matter() -> None:
    known = network_hash(network())
    frozen = network(name="other", rate=0.0)
    frozen.trainable = False
    assert network_hash(frozen) == known == network_hash(network())


def test_weights_arguments_and_operations_matter() -> None:
    changed = network()
    kernel, bias = changed.layers[1].get_weights()
    kernel[0, 0, 0, 0] = np.nextafter(kernel[0, 0, 0, 0], 1)
    changed.layers[1].set_weights([kernel, bias])
    hashes = [
        network_hash(each)
        for each in (network(), changed, network(seed=1), network(strides=2), network(offset=1.5))
    ]
    assert len(set(hashes)) == len(hashes)


def test_what_is_connected_to_what_matters() -> None:
    inputs = keras.Input((4,))
    one, other = layers.ReLU(name="one")(inputs), layers.ReLU(name="other", max_value=6)(inputs)
    hashes = {
        network_hash(keras.Model(inputs, layers.Subtract()(pair)))
        for pair in ([one, other], [other, one])
    }
    assert len(hashes) == 2
