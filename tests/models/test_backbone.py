"""Networks on top of others. Oracle: the constructors of keras.applications themselves."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnnrun.errors import ConfigError
from cnnrun.models.backbone import inline_backbone
from cnnrun.models.backbone_sources import Donor, Origin
from cnnrun.models.layer_factory import LayerFactory
from cnnrun.models.layer_failures import LayerError
from cnnrun.models.penalties import plain_model
from cnnrun.models.preprocessing import Preprocessing
from cnnrun.models.saved import load_model

from .conftest import RESCALED

SMALL = {"alpha": 0.25}
HEAD = """
- GlobalAveragePooling2D
- classifier
"""
MOBILENET = Preprocessing(**{**vars(RESCALED), "function": "mobilenet", "rescale": 1.0})


def photographs(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


@pytest.fixture(scope="module")
def small_mobilenet():
    """Keras's own network, with weights that are unlike any initial ones."""
    model = keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3), **SMALL
    )
    generator = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(generator.uniform(0.1, 0.5, weight.shape))
    return model


@pytest.fixture
def weights_file(small_mobilenet, tmp_path):
    small_mobilenet.save_weights(tmp_path / "small.weights.h5")
    return tmp_path / "small.weights.h5"


@pytest.mark.parametrize("output_layer", [None, "conv_pw_6_relu"])
def test_a_part_gives_the_features_that_keras_own_gives(
    build_on, small_mobilenet, weights_file, output_layer
):
    network = build_on(
        HEAD,
        weights=weights_file,
        output_layer=output_layer,
        preprocessing=MOBILENET,
        **SMALL,
    )
    pixels = photographs(2, 32, 32, 3)
    features = keras.Model(network.model.input, network.backbone.output)(pixels)
    theirs = small_mobilenet.get_layer(output_layer or "conv_pw_13_relu").output
    standardized = keras.applications.mobilenet.preprocess_input(pixels.copy())
    expected = keras.Model(small_mobilenet.input, theirs)(standardized)
    np.testing.assert_allclose(features, expected, rtol=1e-5)


def test_layers_have_the_names_of_a_new_process_and_count_on_as_before(build_on):
    """MobileNetV3 leaves names to Keras, which numbers through everything that a process builds."""
    first = build_on(HEAD, name="MobileNetV3Small", output_layer="re_lu_5")
    layers.ReLU(), layers.Activation("relu")
    number = int(layers.ReLU().name.removeprefix("re_lu_"))
    second = build_on(HEAD, name="MobileNetV3Small", output_layer="re_lu_5")
    assert first.backbone.names == second.backbone.names
    assert {"conv", "activation", "re_lu", "re_lu_5"} <= set(second.backbone.names)
    assert layers.ReLU().name == f"re_lu_{number + 1}"


def test_initial_weights_depend_on_seed_and_name_alone(build_on):
    plain = build_on(HEAD, output_layer="conv_pw_3_relu", **SMALL)
    other_head = build_on("- Flatten\n- classifier", output_layer="conv_pw_4_relu", **SMALL)
    other_seed = build_on(HEAD, output_layer="conv_pw_3_relu", seed=1, **SMALL)
    kernels = [
        network.model.get_layer("conv_pw_3").kernel.numpy()
        for network in (plain, other_head, other_seed)
    ]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 0.01


def test_what_nothing_needs_is_left_out(build_on):
    network = build_on(HEAD, output_layer="conv_pw_6_relu", **SMALL)
    assert network.backbone.names[-1] == "conv_pw_6_relu"
    assert [built.path for built in network.layers[-2:]] == [
        "global_average_pooling2d_1",
        "classifier",
    ]
    assert [built.spec.address for built in network.layers[-3:]] == [
        "model.backbone",
        "model.layers[0].GlobalAveragePooling2D",
        "model.layers[1].classifier",
    ]


def test_pixels_are_standardized_in_float32_and_the_last_layer_computes_in_it(build_on):
    part, precision = "block1a_project_bn", "mixed_bfloat16"
    network = build_on(HEAD, name="EfficientNetB0", output_layer=part, precision=precision)
    whole = build_on(precision=precision, include_top=True, **SMALL)
    policies = {built.name: built.layer.dtype_policy.name for built in network.layers}
    assert {policies[name] for name in ("rescaling", "normalization", "classifier")} == {"float32"}
    assert {policies[name] for name in ("stem_conv", part)} == {precision}
    assert whole.layers[-1].layer.dtype_policy.name == "float32"
    assert whole.layers[-2].layer.dtype_policy.name == precision


def test_grey_images_become_three_equal_channels_and_that_is_said(
    build_on, weights_file, tmp_path, snapshot
):
    given = {"weights": weights_file, "preprocessing": MOBILENET, **SMALL}
    grey = build_on(HEAD, shape=(32, 32, 1), **given)
    coloured = build_on(HEAD, **given)
    pixels = photographs(2, 32, 32, 1)
    np.testing.assert_allclose(
        grey.model(pixels), coloured.model(np.repeat(pixels, 3, axis=-1)), rtol=1e-6
    )
    assert grey.backbone.notes == snapshot
    plain_model(grey.model).save(tmp_path / "model.keras")
    saved = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(saved(pixels), grey.model(pixels))
    assert coloured.backbone.notes == ()


def test_means_of_colours_are_subtracted_from_grey_images_too(build_on):
    """Oracle: preprocess_input of the same pixels in three channels."""
    caffe = replace(MOBILENET, function="resnet50")
    network = build_on(HEAD, shape=(32, 32, 1), preprocessing=caffe, **SMALL)
    pixels = photographs(2, 32, 32, 1)
    expected = keras.applications.resnet50.preprocess_input(np.repeat(pixels, 3, axis=-1))
    np.testing.assert_allclose(network.preprocessing(pixels), expected, rtol=1e-5, atol=1e-4)


def test_statistics_of_grey_images_come_before_the_colours(build_on):
    fitted = replace(RESCALED, mean=np.array([0.4]), std=np.array([0.2]))
    network = build_on(HEAD, shape=(32, 32, 1), preprocessing=fitted, **SMALL)
    pixels = photographs(2, 32, 32, 1)
    expected = np.repeat((pixels / 255 - 0.4) / 0.2, 3, axis=-1)
    np.testing.assert_allclose(network.preprocessing(pixels), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("genuine_weights")
def test_weights_of_another_size_are_said(build_on, snapshot):
    """Keras warns of it."""
    network = build_on(HEAD, weights="imagenet", shape=(40, 32, 3))
    assert network.backbone.notes == snapshot


@pytest.mark.parametrize(
    "given",
    [
        {"shape": (32, 32, 4)},
        {"shape": (16, 40, 3)},
        {"weights": "imagenet", "include_top": True, "shape": (100, 100, 3)},
        {"weights": "imagenet", "alpha": 0.3},
        {"output_layer": "conv_pw_6_rleu"},
        {"layers": "- Flatten: {name: conv_pw_5}\n- classifier"},
    ],
    ids=lambda given: " ".join(given),
)
def test_what_does_not_fit_is_refused(build_on, given, snapshot):
    with pytest.raises(ConfigError) as refusal:
        build_on(**{"layers": HEAD, **given})
    problems = [replace(problem, position=None) for problem in refusal.value.problems]
    assert [str(problem) for problem in problems] == snapshot


def test_convnext_is_saved_so_that_keras_alone_opens_it(build_on, tmp_path):
    """It holds layers of a class of its own, layers within layers, and bare additions."""
    part = "convnext_tiny_stage_0_block_0_identity"
    network = build_on(HEAD, name="ConvNeXtTiny", output_layer=part)
    kinds = {type(built.layer).__name__ for built in network.layers}
    assert "LayerScale" in kinds
    assert "Sequential" not in kinds
    plain_model(network.model).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        modules = set(_modules(json.loads(archive.read("config.json"))))
    assert all(module.split(".")[0] == "keras" for module in modules)
    pixels, expected = photographs(2, 32, 32, 3), network.model(photographs(2, 32, 32, 3))
    for load in (keras.saving.load_model, load_model):
        np.testing.assert_array_equal(load(tmp_path / "model.keras")(pixels), expected)


def test_augmentation_within_an_earlier_network_is_left_to_the_config(snapshot):
    images = keras.Input((4, 4, 3))
    flipped = layers.RandomFlip(name="flip")(images)
    donor = Donor(
        Origin(None, Path("experiments/first"), {}, None),
        keras.Model(images, layers.Conv2D(2, 1, name="conv")(flipped)),
        ("a note of its own",),
    )
    pixels = keras.Input((4, 4, 3))
    factory = LayerFactory(0, "float32")
    lent = inline_backbone(donor, pixels, factory=factory, is_whole_network=False)
    assert lent.names == ("flip", "conv")
    assert lent.notes == snapshot
    given, model = photographs(8, 4, 4, 3), keras.Model(pixels, lent.output)
    expected = donor.model(given, training=False)
    np.testing.assert_array_equal(model(given, training=True), expected)


def test_operations_that_are_neither_sums_nor_products_are_refused(snapshot):
    images = keras.Input((4, 4, 3))
    less_one = ops.subtract(layers.Identity()(images), 1.0)
    less_one._keras_history.operation.name = "less_one"
    odd = keras.Model(images, less_one)
    origin = Origin("Odd", "none", {}, None)
    with pytest.raises(LayerError) as refusal:
        inline_backbone(
            Donor(origin, odd, ()),
            keras.Input((4, 4, 3)),
            factory=LayerFactory(0, "float32"),
            is_whole_network=False,
        )
    assert str(refusal.value) == snapshot


def _modules(value):
    if isinstance(value, dict):
        if isinstance(value.get("module"), str):
            yield value["module"]
        for inner in value.values():
            yield from _modules(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _modules(inner)
