"""All networks of keras.applications. Oracle: their own constructors and `preprocess_input`."""

import gc

import keras
import numpy as np
import pytest

from cnnrun.config.applications import APPLICATIONS, layer_names
from cnnrun.models.whole_networks import open_application

ONE_OF_EACH_KIND = (
    "ConvNeXtTiny",  # layers within layers, a layer of its own, bare additions
    "DenseNet121",
    "EfficientNetB0",  # statistics of pixels among its weights
    "InceptionResNetV2",  # a layer of its own, with two inputs
    "MobileNetV3Small",  # bare additions and multiplications with numbers
    "NASNetMobile",  # several inputs from further back
    "ResNet50",
    "VGG16",
)
OF_IMAGENETS_WEIGHTS_ALONE = {"rescaling_1"}
"""A layer that EfficientNet has with weights="imagenet" and not otherwise."""


@pytest.fixture(autouse=True)
def _memory_given_back():
    yield
    gc.collect()


def pixels_for(name, *, with_top):
    """Two images, no larger than it takes; a top that flattens has as many weights as pixels."""
    flattens = with_top and "flatten" in layer_names(name)
    side = APPLICATIONS[name].default_size[0] if flattens else APPLICATIONS[name].minimum_size
    pixels = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3))
    return pixels.astype(np.float32)


def standardized_by_keras(name, pixels):
    module = getattr(keras.applications, APPLICATIONS[name].module)
    return np.asarray(module.preprocess_input(pixels.copy()))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(APPLICATIONS))
def test_every_network_is_built_as_keras_builds_it(name):
    pixels = pixels_for(name, with_top=True)
    network = open_application(
        name, weights="none", arguments={}, image_size=pixels.shape[1:3], precision="float32"
    )
    np.testing.assert_allclose(
        network.preprocessing(pixels), standardized_by_keras(name, pixels), rtol=1e-5, atol=1e-4
    )
    assert network.model.count_params() == APPLICATIONS[name].parameters["top"]
    assert network.model.output.shape == (None, 1000)
    places = {built.name for built in network.layers}
    places |= {built.path.split("/")[0] for built in network.layers}
    missing = set(layer_names(name)) - places - OF_IMAGENETS_WEIGHTS_ALONE
    assert missing <= {"input_layer"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_every_kind_computes_what_keras_own_does(name, tmp_path):
    """With weights that are unlike initial ones, through a file."""
    pixels = pixels_for(name, with_top=False)
    theirs = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=pixels.shape[1:]
    )
    random = np.random.default_rng(0)
    for weight in theirs.weights:
        value = np.abs(weight.numpy()) if "variance" in weight.name else weight.numpy()
        weight.assign(value * random.uniform(0.8, 1.2, weight.shape) + 0.001)
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its weights
    theirs.save_weights(tmp_path / "own.weights.h5")
    ours = open_application(
        name,
        weights=tmp_path / "own.weights.h5",
        arguments={"include_top": False},
        image_size=pixels.shape[1:3],
        precision="float32",
    )
    expected = np.asarray(theirs(standardized_by_keras(name, pixels)))
    found = np.asarray(ours.model(pixels))
    assert np.linalg.norm(expected) > 0
    assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected)
