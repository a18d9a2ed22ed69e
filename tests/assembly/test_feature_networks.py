"""What features are taken of by default, and that a network is the one that its source names."""

from pathlib import Path

import keras
import numpy as np
import pytest

from cnnrun.assembly.feature_networks import application_source, config_source, run_source
from cnnrun.config.applications import application_named
from cnnrun.config.load import load_config
from cnnrun.runs.events import silent
from cnnrun.training.train import train

HEAD = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale, resize: {keep_aspect: true}}
train: {epochs: 1}
"""


def write(folder: Path, layers: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(HEAD + f"model: {{layers: {layers}}}\n")
    return path


@pytest.mark.parametrize(
    ("layers", "default"),
    [
        ("[conv_block: {filters: 2, kernel_size: 3}, Flatten, classifier]", "flatten"),
        ("[GlobalAveragePooling2D, Dropout: {rate: 0.5}, Dense: {units: 2}]", "dropout"),
        ("[GlobalAveragePooling2D, dense_block: {units: 2}]", "global_average_pooling2d"),
        ("[Flatten: {name: mine}, dense_block: {units: 2, name: head}]", "mine"),
    ],
)
def test_the_default_layer_is_the_one_before_the_last_entry(
    layers: str, default: str, tmp_path: Path
) -> None:
    config = load_config(write(tmp_path, layers))
    source = config_source(config, input_shape=(8, 8, 1), classes=2)
    assert source.default_layer.startswith(default)
    assert source.decoding.color_mode == "grayscale"
    assert source.decoding.keep_aspect


def test_a_config_that_has_learnt_nothing_says_so(tmp_path: Path, snapshot) -> None:
    config = load_config(write(tmp_path, "[Flatten, classifier]"))
    assert config_source(config, input_shape=(8, 8, 1), classes=2).notes == snapshot


def test_a_run_has_its_own_weights(tmp_path: Path, make_images) -> None:
    make_images("images", {"a": 10, "b": 10})
    config = load_config(write(tmp_path, "[Flatten, classifier]"))
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    source = run_source(run)
    trained = keras.saving.load_model(run.model_keras)
    for found, expected in zip(source.model.weights, trained.weights, strict=True):
        assert np.array_equal(found, expected)
    assert (source.default_layer, source.decoding.image_size) == ("flatten_1", (8, 8))
    assert source.data is not None


def test_a_network_of_keras_applications_ends_where_it_does_without_its_top() -> None:
    for include_top in (False, True):
        source = application_source(
            application_named("MobileNet"),
            weights="none",
            image_size=(32, 32),
            include_top=include_top,
        )
        assert source.default_layer == "conv_pw_13_relu"
        assert ("predictions" in [layer.name for layer in source.model.layers]) is include_top
        assert source.model.input_shape == (None, 32, 32, 3)
