"""What a probe batch shows; the oracles are NumPy, known derivatives, and a plain GradientTape."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnrun.assembly.preparing import Prepared, prepare
from cnnrun.config.sections import Config
from cnnrun.models.variables import network_variables, read_variables
from cnnrun.runs.diagnostics import DIAGNOSTICS_FILE, read_diagnostics
from cnnrun.runs.differences import comparable_config
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.training.activation_probe import BINS, Probe, Probed
from cnnrun.training.recorded_diagnostics import PROBE_IMAGES, RecordDiagnostics, probe_rows
from cnnrun.training.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]

BLOCKS = {"batch_norm": {"position": "before_activation", "momentum": 0.9}}
NOISE = [{"Dropout": {"rate": 0.3}}]


def prepared(make_config: MakeConfig, tmp_path: Path, layers: list[Any], **blocks: Any) -> Prepared:
    """A network of some layers before the head."""
    model = {"blocks": blocks, "layers": [*layers, "GlobalAveragePooling2D", "classifier"]}
    return prepare(make_config(model=model), earlier=None, cache_folder=tmp_path, listener=silent)


def looked_at(ready: Prepared) -> tuple[Probed, np.ndarray, np.ndarray]:
    """What the probe sees, of which images and targets."""
    rows = probe_rows(ready, most=PROBE_IMAGES)
    images = ready.images.store.read(rows)
    targets = ready.feed.targets[rows]
    probe = Probe(ready.built.network, loss=ready.built.loss)
    return probe.look(images, targets), images, targets


@pytest.mark.parametrize("written", ["block", "argument", "layer"])
def test_what_reaches_an_activation_however_it_is_written(
    make_config: MakeConfig, tmp_path: Path, written: str
) -> None:
    convolution = {"filters": 4, "kernel_size": 3, "name": "stem"}
    layers: dict[str, list[Any]] = {
        "block": [{"conv_block": convolution}],
        "argument": [{"Conv2D": convolution | {"activation": "relu"}}],
        "layer": [{"Conv2D": convolution}, "ReLU"],
    }
    ready = prepared(make_config, tmp_path, layers[written])
    probed, images, _ = looked_at(ready)
    (seen,) = probed.activations.values()
    model = ready.built.network.model
    stem = next(layer for layer in model.layers if layer.name.startswith("stem"))
    before = tf.nn.convolution(
        keras.Model(model.input, stem.input)(images), stem.kernel, padding=stem.padding.upper()
    )
    values = (before + stem.bias).numpy()
    assert seen.mean == pytest.approx(values.mean(), rel=1e-4, abs=1e-6)
    assert seen.std == pytest.approx(values.std(), rel=1e-4)
    assert seen.saturated == pytest.approx((values < 0).mean(), abs=1e-3)
    assert seen.dead == (values < 0).all(axis=(0, 1, 2)).mean()
    assert len(seen.counts) == BINS
    assert sum(seen.counts) == values.size
    edges = np.linspace(seen.low, seen.high, BINS + 1)
    inner, _ = np.histogram(values, edges)
    assert np.abs(inner[1:-1] - np.array(seen.counts[1:-1])).sum() <= 4  # float32 at the edges


@pytest.mark.parametrize(
    ("activation", "flat_beyond"),
    # A sigmoid's derivative is s(1 - s), at most 1/4; that of tanh is 1 - tanh^2, at most 1.
    [("sigmoid", np.log(1 / 0.0126583 - 1)), ("tanh", np.arctanh(np.sqrt(0.95)))],
)
def test_saturated_is_where_the_derivative_is_below_a_twentieth(
    make_config: MakeConfig, tmp_path: Path, activation: str, flat_beyond: float
) -> None:
    wide = {"RandomNormal": {"stddev": 8.0}}
    block = {"conv_block": {"filters": 4, "kernel_size": 3, "kernel_initializer": wide}}
    ready = prepared(make_config, tmp_path, [block], activation=activation)
    probed, images, _ = looked_at(ready)
    (seen,) = probed.activations.values()
    model = ready.built.network.model
    layer = next(each for each in model.layers if isinstance(each, keras.layers.Activation))
    values = keras.Model(model.input, layer.input)(images).numpy()
    assert 0.1 < seen.saturated < 0.99
    assert seen.saturated == pytest.approx((abs(values) > flat_beyond).mean(), abs=2e-3)


def test_gradient_norms_are_those_of_a_plain_tape(make_config: MakeConfig, tmp_path: Path) -> None:
    layers = [{"conv_block": {"filters": 4, "kernel_size": 3, "name": "stem"}}]
    ready = prepared(
        make_config, tmp_path, layers, kernel_regularizer={"L2": {"l2": 0.1}}, **BLOCKS
    )
    probed, images, targets = looked_at(ready)
    model = ready.built.network.model
    with tf.GradientTape() as tape:
        predictions = model(images.astype(np.float32), training=True)
        loss = keras.losses.SparseCategoricalCrossentropy()(targets, predictions)
        loss += sum(model.losses)
    learning = {layer.name: layer.trainable_weights for layer in model.layers}
    gradients = tape.gradient(
        loss, {name: [each.value for each in weights] for name, weights in learning.items()}
    )
    expected = {
        name: float(tf.linalg.global_norm(values)) for name, values in gradients.items() if values
    }
    assert probed.gradient_norms == pytest.approx(expected, rel=1e-3)
    assert len(expected) == 3  # convolution, batch norm, classifier


def test_gradients_of_what_reaches_an_activation_are_those_of_the_rest_of_the_network(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    layers = [{"Conv2D": {"filters": 4, "kernel_size": 3, "name": "stem"}}, "ReLU"]
    ready = prepared(make_config, tmp_path, layers)
    probed, images, targets = looked_at(ready)
    model = ready.built.network.model
    before = keras.Model(model.input, model.get_layer("stem").output)(images.astype(np.float32))
    after = [each for each in model.layers if each.name.startswith(("global", "classifier"))]
    with tf.GradientTape() as tape:
        tape.watch(before)
        values = tf.nn.relu(before)
        for layer in after:
            values = layer(values)
        loss = keras.losses.SparseCategoricalCrossentropy()(targets, values)
    expected = float(np.std(tape.gradient(loss, before).numpy()))
    (seen,) = probed.activations.values()
    assert seen.gradient_std == pytest.approx(expected, rel=1e-3)
    assert expected > 0


def test_looking_leaves_no_trace(make_config: MakeConfig, tmp_path: Path) -> None:
    layers = [{"conv_block": {"filters": 4, "kernel_size": 3}}, *NOISE]
    ready = prepared(make_config, tmp_path, layers, **BLOCKS)
    variables = network_variables(ready.built.network.model)
    before = read_variables(variables)
    looked_at(ready)
    for value, again in zip(before, read_variables(variables), strict=True):
        np.testing.assert_array_equal(again, value)


def test_the_probe_s_images_are_no_seed_s_choice(make_config: MakeConfig, tmp_path: Path) -> None:
    layers = [{"conv_block": {"filters": 4, "kernel_size": 3}}]
    model = {"layers": [*layers, "GlobalAveragePooling2D", "classifier"]}
    rows = [
        probe_rows(
            prepare(
                make_config(seed=seed, model=model),
                earlier=None,
                cache_folder=tmp_path,
                listener=silent,
            ),
            most=PROBE_IMAGES,
        )
        for seed in (0, 1)
    ]
    np.testing.assert_array_equal(*rows)
    assert 0 < len(rows[0]) <= PROBE_IMAGES


def test_a_run_that_goes_on_keeps_the_lines_before_its_checkpoint(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    ready = prepared(make_config, tmp_path, [{"conv_block": {"filters": 4, "kernel_size": 3}}])
    probe = Probe(ready.built.network, loss=ready.built.loss)
    file = RunFolder(tmp_path).path / "diagnostics.jsonl"
    first = RecordDiagnostics(file, probe, ready, most_images=8, done_epochs=0)
    first.on_train_begin()
    for epoch in range(3):
        first.on_epoch_end(epoch)
    before = file.read_text().splitlines()
    again = RecordDiagnostics(file, probe, ready, most_images=8, done_epochs=1)
    again.on_train_begin()
    again.on_epoch_end(1)
    lines = file.read_text().splitlines()
    assert lines == before[:3]
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]


def test_a_run_that_is_looked_at_comes_to_the_same_bits(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    layers = [{"conv_block": {"filters": 4, "kernel_size": 3}}, *NOISE]
    model = {"blocks": BLOCKS, "layers": [*layers, "GlobalAveragePooling2D", "classifier"]}
    runs = {
        asked: train(
            make_config(
                model=model, train={"epochs": 2, "batch_size": 8, "diagnostics": asked}, name="run"
            ),
            experiments=tmp_path,
            into=tmp_path / str(asked),
            listener=silent,
        )
        for asked in (False, True)
    }
    plain, watched = runs[False], runs[True]
    assert watched.predictions_csv.read_bytes() == plain.predictions_csv.read_bytes()
    looks = read_diagnostics(watched.path)
    assert [look.epoch for look in looks] == [0, 1, 2]
    assert not (plain.path / DIAGNOSTICS_FILE).exists()
    # What was recorded is no difference between two runs.
    assert comparable_config(watched) == comparable_config(plain)
