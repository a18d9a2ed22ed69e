"""The step on two images before training: what it finds, and that it leaves no trace."""

import time

import keras
import numpy as np
import pytest

from cnnrun.assembly.measuring import measures
from cnnrun.assembly.targets import Output
from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError
from cnnrun.models.first_step import try_one_step

GOOD = """
- RandomFlip
- conv_block: {filters: 4, kernel_size: 3, batch_norm: before_activation, dropout: 0.5}
- GaussianNoise: {stddev: 0.1}
- residual:
    layers: [conv_block: {filters: 4, kernel_size: 3, kernel_regularizer: L2}]
- Flatten
- classifier
"""

BAD = {
    "too few units": "- Flatten\n- Dense: {units: 2}",
    "one unit for three classes": "- Flatten\n- Dense: {units: 1, activation: sigmoid}",
    "an image at the end": "- Conv2D: {filters: 3, kernel_size: 1}",
    "nothing to train": "- Flatten\n- Dense: {units: 3, trainable: false}",
    "nothing that learns": "- Dense: {units: 3}\n- Discretization: {bin_boundaries: [0, 1]}\n"
    "- Flatten\n- Dense: {units: 3, trainable: false}",
}


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_good_network_passes_and_keeps_every_bit(build, try_out, precision):
    network = build(GOOD, precision=precision)
    before = [variable.numpy() for variable in network.model.variables]
    try_out(network)
    for variable, value in zip(network.model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)


def test_a_training_that_follows_is_that_of_a_network_never_tried(build, try_out):
    """Oracle: the same fit without a trial, dropout and batch norm included."""
    histories = []
    for tries in (0, 2):
        network = build(GOOD)
        for _ in range(tries):
            try_out(network)
        network.model.compile("sgd", "sparse_categorical_crossentropy")
        pixels = np.random.default_rng(0).uniform(0, 255, (12, 8, 8, 3)).astype(np.float32)
        labels = np.arange(12) % 3
        fitted = network.model.fit(pixels, labels, epochs=2, batch_size=4, shuffle=False, verbose=0)
        histories.append(fitted.history)
    assert histories[0] == histories[1]


@pytest.mark.parametrize("case", BAD)
def test_dead_ends_are_told_at_the_last_layer(build, try_out, case, snapshot, tmp_path):
    with pytest.raises(ConfigError) as raised:
        try_out(build(BAD[case]))
    assert str(raised.value).replace(f"{tmp_path}/", "") == snapshot


def test_one_unit_is_enough_for_two_classes(build):
    network = build("- Flatten\n- Dense: {units: 1, activation: sigmoid}", classes=2)
    try_one_step(
        network,
        targets=np.array([[0.0], [1.0], [1.0]], np.float32),
        loss=KerasCall("losses", "BinaryCrossentropy"),
        loss_is_written=True,
        optimizer=KerasCall("optimizers", "Adam"),
        metrics={"AUC": measures((KerasCall("metrics", "AUC"),), Output(1, "independent"))[0]},
    )


def test_a_loss_that_does_not_suit_the_labels_is_told(build, snapshot):
    with pytest.raises(ConfigError) as raised:
        try_one_step(
            build("- Flatten\n- classifier"),
            targets=np.array([0, 1, 2], np.int32),
            loss=KerasCall("losses", "CategoricalCrossentropy"),
            loss_is_written=True,
            optimizer=KerasCall("optimizers", "Adam"),
            metrics={},
        )
    assert str(raised.value) == snapshot


def test_a_metric_that_does_not_suit_the_labels_is_told(build, snapshot):
    with pytest.raises(ConfigError) as raised:
        try_one_step(
            build("- Flatten\n- classifier"),
            targets=np.array([0, 1, 2], np.int32),
            loss=KerasCall("losses", "SparseCategoricalCrossentropy"),
            loss_is_written=True,
            optimizer=KerasCall("optimizers", "Adam"),
            metrics={"R2Score": keras.metrics.R2Score()},
        )
    assert str(raised.value) == snapshot


def test_an_optimizer_that_cannot_be_made_is_told(build, snapshot):
    with pytest.raises(ConfigError) as raised:
        try_one_step(
            build("- Flatten\n- classifier"),
            targets=np.array([0, 1, 2], np.int32),
            loss=KerasCall("losses", "SparseCategoricalCrossentropy"),
            loss_is_written=True,
            optimizer=KerasCall("optimizers", "Adam", {"use_ema": True, "ema_momentum": 2.0}),
            metrics={},
        )
    assert str(raised.value) == snapshot


def test_it_costs_little_beside_a_training(build, try_out):
    """A trial must not be what a user waits for: less than the first epoch of a tiny training."""
    network = build(GOOD)
    start = time.perf_counter()
    try_out(network)
    tried_s = time.perf_counter() - start
    network.model.compile("sgd", "sparse_categorical_crossentropy")
    pixels = np.zeros((8, 8, 8, 3), np.float32)
    start = time.perf_counter()
    network.model.fit(pixels, np.zeros(8, np.int32), epochs=1, verbose=0)
    assert tried_s < max(1.0, time.perf_counter() - start)
    assert keras.config.dtype_policy().name == "float32"
