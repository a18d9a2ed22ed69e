"""Layers below a backbone. Oracle: the same network in plain Keras, with the same weights."""

import keras
import numpy as np
import pytest
from keras import layers

from cnnrun.config.backbone_spec import TrainableFrom
from cnnrun.errors import ConfigError
from cnnrun.models.cost import network_costs
from cnnrun.models.penalties import plain_model
from cnnrun.models.preprocessing import Preprocessing
from cnnrun.models.script import keras_script
from cnnrun.models.trainable import apply_trainable, trainable_layers

from .conftest import RESCALED

HEAD = """
    - GlobalAveragePooling2D
    - classifier
"""
# https://keras.io/examples/vision/learnable_resizer, with one residual block.
RESIZER = """
    - branches:
        name: resizer
        merge: Add
        branches:
          - - Resizing: {height: 32, width: 32}
          - - Conv2D: {filters: 8, kernel_size: 7, padding: same, name: first}
            - LeakyReLU: {negative_slope: 0.2}
            - Conv2D: {filters: 8, kernel_size: 1, padding: same, name: second}
            - LeakyReLU: {negative_slope: 0.2}
            - BatchNormalization: {name: norm}
            - Resizing: {height: 32, width: 32}
            - residual:
                layers:
                  - Conv2D: {filters: 8, kernel_size: 3, padding: same, use_bias: false}
                  - BatchNormalization
                  - LeakyReLU: {negative_slope: 0.2}
                  - Conv2D: {filters: 8, kernel_size: 3, padding: same, use_bias: false}
                  - BatchNormalization
            - Conv2D: {filters: 3, kernel_size: 7, padding: same, name: last}
"""
TO_COLOURS = "- Conv2D: {filters: 3, kernel_size: 1, name: colours}"
SMALL = {"alpha": 0.25, "output_layer": "conv_pw_1_relu"}
MOBILENET = Preprocessing(**{**vars(RESCALED), "function": "mobilenet", "rescale": 1.0})


def small_mobilenet():
    """The first layers of Keras's own network."""
    whole = keras.applications.MobileNet(
        weights=None, include_top=False, alpha=SMALL["alpha"], input_shape=(32, 32, 3)
    )
    return keras.Model(whole.input, whole.get_layer(SMALL["output_layer"]).output)


def resizer_in_keras(size):
    """The example's `get_learnable_resizer`, and MobileNet on it."""
    inputs = keras.Input((*size, 3))
    standardized = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    naive = layers.Resizing(32, 32)(standardized)
    x = layers.Conv2D(8, 7, padding="same")(standardized)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Conv2D(8, 1, padding="same")(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.BatchNormalization()(x)
    bottleneck = layers.Resizing(32, 32)(x)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(bottleneck)
    x = layers.BatchNormalization()(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Add()([bottleneck, x])
    x = layers.Conv2D(3, 7, padding="same")(x)
    features = small_mobilenet()(layers.Add()([naive, x]))
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(features))
    return keras.Model(inputs, outputs)


def unlike_initial(model, seed=0):
    """Gives a network other weights, and other statistics of its batch norms."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        spread = 0.5 / np.sqrt(max(1, np.prod(weight.shape[:-1])))
        values = generator.normal(0, spread, weight.shape)
        if weight.path.rsplit("/", maxsplit=1)[-1] in ("gamma", "moving_variance"):
            values = generator.uniform(0.5, 1.5, weight.shape)
        weight.assign(values)


def photographs(*shape):
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


@pytest.mark.parametrize("size", [(48, 40), (24, 24)])
def test_a_learnable_resizer_is_that_of_plain_keras(build_on, size):
    network = build_on(HEAD, stem=RESIZER, shape=(*size, 3), preprocessing=MOBILENET, **SMALL)
    unlike_initial(network.model)
    theirs = resizer_in_keras(size)
    theirs.set_weights(network.model.get_weights())
    pixels = photographs(4, *size, 3)
    for training in (False, True):
        ours = network.model(pixels, training=training)
        np.testing.assert_allclose(ours, theirs(pixels, training=training), atol=2e-6)


@pytest.mark.parametrize("channels", [1, 5])
def test_images_of_any_channels_become_three_by_a_convolution(build_on, channels):
    network = build_on(HEAD, stem=TO_COLOURS, shape=(32, 32, channels), **SMALL)
    unlike_initial(network.model)
    kernel, bias = network.model.get_layer("stem_colours").get_weights()
    pixels = photographs(2, 32, 32, channels)
    backbone = small_mobilenet()
    backbone.set_weights([w.numpy() for one in network.lent_layers for w in one.layer.weights])
    expected = backbone((pixels / 255) @ kernel[0, 0] + bias)
    found = keras.Model(network.model.input, network.backbone.output)(pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not network.backbone.notes


def test_the_weights_of_a_file_come_into_the_backbone_alone(build_on, tmp_path):
    small = keras.applications.MobileNet(
        weights=None, include_top=False, alpha=0.25, input_shape=(32, 32, 3)
    )
    unlike_initial(small)
    small.save_weights(tmp_path / "own.weights.h5")
    network = build_on(
        HEAD, stem=TO_COLOURS, shape=(32, 32, 5), weights=tmp_path / "own.weights.h5", alpha=0.25
    )
    lent = [w.numpy() for one in network.lent_layers for w in one.layer.weights]
    for ours, theirs in zip(lent, small.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    variables = {}
    exec(keras_script(network), variables)  # noqa: S102 - the script is what is tested
    pixels = photographs(2, 32, 32, 5)
    np.testing.assert_allclose(variables["model"](pixels), network.model(pixels), atol=1e-6)


def test_it_learns_while_the_backbone_is_frozen(build_on):
    network = build_on(
        HEAD, stem=RESIZER, shape=(40, 40, 3), alpha=0.25, output_layer="conv_pw_3_relu"
    )
    apply_trainable(network, "none", batch_norm="frozen")
    learning = {weight.path.split("/")[0] for weight in network.model.trainable_weights}
    assert {"stem_resizer_branch_2_first", "classifier"} <= learning
    assert not learning & set(network.backbone.names)
    begun = trainable_layers(network, TrainableFrom("conv_pw_3"), batch_norm="frozen")
    assert {"stem_resizer_branch_2_norm", "conv_pw_3", "classifier"} <= begun
    assert "conv_pw_2" not in begun


def test_a_step_changes_it_through_a_frozen_backbone(build_on, try_out):
    network = build_on(HEAD, stem=TO_COLOURS, shape=(32, 32, 5), **SMALL)
    try_out(network)
    apply_trainable(network, "none", batch_norm="frozen")
    before = {weight.path: weight.numpy() for weight in network.model.weights}
    network.model.compile("sgd", "sparse_categorical_crossentropy")
    network.model.fit(photographs(3, 32, 32, 5), np.array([0, 1, 2]), verbose=0)
    moved = {
        weight.path.split("/")[0]
        for weight in network.model.weights
        if not np.array_equal(before[weight.path], weight.numpy())
    }
    assert moved == {"stem_colours", "classifier"}


def test_receptive_fields_count_from_the_images(build_on):
    """A 3x3 convolution with stride 2, and MobileNet's first one of the same kind, see 7x7."""
    stem = "- Conv2D: {filters: 3, kernel_size: 3, strides: 2, padding: same}"
    network = build_on(HEAD, stem=stem, shape=(64, 64, 3), **SMALL)
    rows = {row.name: row for row in network_costs(network).layers}
    assert rows["stem_conv2d_1"].receptive_field == (3, 3)
    assert rows["conv1"].receptive_field == (7, 7)
    assert rows["stem_conv2d_1"].address == "model.layers[0].Conv2D"  # where the test wrote it


def test_the_saved_model_is_keras_own(build_on, tmp_path):
    network = build_on(HEAD, stem=RESIZER, shape=(40, 40, 3), **SMALL)
    unlike_initial(network.model)
    plain_model(network.model).save(tmp_path / "model.keras")
    opened = keras.models.load_model(tmp_path / "model.keras")
    pixels = photographs(2, 40, 40, 3)
    np.testing.assert_array_equal(opened(pixels), network.model(pixels))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_script_makes_the_same_network(build_on, precision):
    network = build_on(HEAD, stem=RESIZER, shape=(40, 40, 3), precision=precision, **SMALL)
    variables = {}
    exec(keras_script(network), variables)  # noqa: S102 - the script is what is tested
    model = variables["model"]
    unlike_initial(network.model)
    model.set_weights(network.model.get_weights())
    pixels = photographs(2, 40, 40, 3)
    np.testing.assert_allclose(model(pixels), network.model(pixels), atol=1e-6)


def test_the_script_is_plain_to_read(build_on, snapshot):
    network = build_on(HEAD, stem=TO_COLOURS, shape=(32, 32, 5), output_layer="conv_pw_6_relu")
    assert keras_script(network) == snapshot


@pytest.mark.parametrize(
    "stem",
    [
        "- Conv2D: {filters: 4, kernel_size: 1}",
        "- Flatten",
        "- AveragePooling2D: {pool_size: 2}",
    ],
    ids=["channels", "flat", "too small"],
)
def test_what_does_not_fit_is_refused(build_on, stem, snapshot):
    with pytest.raises(ConfigError) as caught:
        build_on(HEAD, stem=stem)
    assert str(caught.value) == snapshot


def test_a_backbone_that_standardizes_says_what_it_wants(build_on, snapshot):
    network = build_on(HEAD, stem=TO_COLOURS, name="EfficientNetB0", shape=(32, 32, 5))
    assert network.backbone.notes == snapshot


def test_statistics_of_other_images_are_refused(build_on, snapshot):
    """They come with an earlier run, whose images had three channels."""
    fitted = Preprocessing(**{**vars(RESCALED), "mean": np.ones(3)})
    with pytest.raises(ConfigError) as caught:
        build_on(HEAD, stem=TO_COLOURS, shape=(32, 32, 5), preprocessing=fitted)
    assert str(caught.value) == snapshot
