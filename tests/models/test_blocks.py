"""Blocks against the plain Keras that they stand for, and against the config's own fields."""

import inspect
from dataclasses import fields

import keras
import numpy as np
import pytest

from cnnrun.config.blocks import Classifier, ConvBlock, DenseBlock
from cnnrun.config.layer_lists import Branches, Repeat, Residual
from cnnrun.models import blocks, nested_blocks
from cnnrun.models.layer_factory import LayerFactory
from cnnrun.models.layer_failures import LayerError

END = "\n- GlobalAveragePooling2D\n- classifier"
PROJECTION = {"kernel_initializer", "kernel_regularizer", "use_bias", "batch_norm"}


@pytest.mark.parametrize(
    ("spec", "builder", "of_network"),
    [
        (ConvBlock, blocks.conv_block, set()),
        (DenseBlock, blocks.dense_block, set()),
        (Residual, nested_blocks.residual, PROJECTION),
        (Branches, nested_blocks.branches, set()),
        (Repeat, nested_blocks.repeat, set()),
        (Classifier, blocks.classifier, {"classes"}),
    ],
)
def test_the_config_has_the_fields_that_the_builder_takes(spec, builder, of_network):
    parameters = set(inspect.signature(builder).parameters)
    wanted = {one.name for one in fields(spec)} | {"name"}
    assert parameters - {"x", "factory"} - of_network == wanted


def kinds_of(network):
    return [type(built.layer).__name__ for built in network.layers[:-2]]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("none", ["Conv2D", "Activation"]),
        ("before_activation", ["Conv2D", "BatchNormalization", "Activation"]),
        ("after_activation", ["Conv2D", "Activation", "BatchNormalization"]),
        ("before_convolution", ["BatchNormalization", "Conv2D", "Activation"]),
    ],
)
def test_batch_norm_stands_where_the_position_says(build, position, expected):
    line = f"- conv_block: {{filters: 4, kernel_size: 3, batch_norm: {position}, dropout: 0.1}}"
    assert kinds_of(build(line + END)) == [*expected, "Dropout"]


def test_batch_norm_takes_its_arguments(build):
    line = (
        "- conv_block:\n    filters: 4\n    kernel_size: 3\n"
        "    batch_norm: {position: after_activation, momentum: 0.8, gamma_initializer: zeros}"
    )
    layer = build(line + END).model.get_layer("conv_block_1_batch_norm")
    assert layer.momentum == 0.8
    np.testing.assert_array_equal(layer.gamma.numpy(), np.zeros(4))


@pytest.mark.parametrize(
    ("convolution", "expected"),
    [
        (
            "convolution: SeparableConv2D, filters: 5, depth_multiplier: 2",
            {"depthwise_kernel": (3, 3, 3, 2), "pointwise_kernel": (1, 1, 6, 5), "bias": (5,)},
        ),
        (
            "convolution: DepthwiseConv2D, depth_multiplier: 2",
            {"kernel": (3, 3, 3, 2), "bias": (6,)},
        ),
        ("filters: 6, groups: 3", {"kernel": (3, 3, 1, 6), "bias": (6,)}),
        ("filters: 6, use_bias: false", {"kernel": (3, 3, 3, 6)}),
    ],
)
def test_the_convolution_has_the_weights_of_its_kind(build, convolution, expected):
    line = f"- conv_block: {{kernel_size: 3, {convolution}}}"
    weights = build(line + END).model.get_layer("conv_block_1_conv").weights
    assert {weight.name: tuple(weight.shape) for weight in weights} == expected


def test_kernel_settings_reach_every_kernel_and_bias_settings_the_bias(build):
    line = """
    - conv_block:
        filters: 4
        kernel_size: 3
        convolution: SeparableConv2D
        kernel_initializer: he_uniform
        kernel_regularizer: {L2: {l2: 0.1}}
        kernel_constraint: UnitNorm
        bias_initializer: ones
        bias_regularizer: L1
        bias_constraint: NonNeg
    - GlobalAveragePooling2D
    - classifier
    """
    layer = build(line).model.get_layer("conv_block_1_conv")
    for kernel in ("depthwise", "pointwise"):
        assert type(getattr(layer, f"{kernel}_initializer")).__name__ == "HeUniform"
        assert getattr(layer, f"{kernel}_regularizer").l2 == 0.1
        assert type(getattr(layer, f"{kernel}_constraint")).__name__ == "UnitNorm"
    assert type(layer.bias_initializer).__name__ == "Ones"
    assert type(layer.bias_regularizer).__name__ == "L1"
    assert type(layer.bias_constraint).__name__ == "NonNeg"


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("tanh", ("Activation", "conv_block_1_activation")),
        ("{PReLU: {shared_axes: [1, 2]}}", ("PReLU", "conv_block_1_activation")),
        ("{LeakyReLU: {negative_slope: 0.1, name: leaky}}", ("LeakyReLU", "conv_block_1_leaky")),
    ],
)
def test_an_activation_is_a_function_or_a_layer(build, activation, expected):
    line = f"- conv_block: {{filters: 4, kernel_size: 3, activation: {activation}}}"
    layer = build(line + END).layers[-3].layer
    assert (type(layer).__name__, layer.name) == expected


def test_an_activation_of_none_is_no_layer(build):
    line = "- conv_block: {filters: 4, kernel_size: 3, activation: none}"
    assert kinds_of(build(line + END)) == ["Conv2D"]


def test_spatial_dropout_drops_channels(build):
    line = "- conv_block: {filters: 4, kernel_size: 3, spatial_dropout: 0.2}"
    layer = build(line + END).model.get_layer("conv_block_1_spatial_dropout")
    assert isinstance(layer, keras.layers.SpatialDropout2D)
    assert layer.rate == 0.2


def test_a_dense_block_normalizes_before_the_dense_where_told(build):
    lines = "- Flatten\n- dense_block: {units: 4, batch_norm: before_convolution}\n- classifier"
    kinds = [type(built.layer).__name__ for built in build(lines).layers[1:-1]]
    assert kinds == ["BatchNormalization", "Dense", "Activation"]


def test_a_residual_adds_its_input(build):
    """With kernels of zero, the layers give nothing and the input passes unchanged."""
    lines = """
    - residual:
        layers:
          - conv_block: {filters: 3, kernel_size: 3, kernel_initializer: zeros}
    - Identity: {name: seen}
    - Flatten
    - classifier
    """
    network = build(lines)
    seen = keras.Model(network.model.input, network.model.get_layer("seen").output)
    pixels = np.arange(192, dtype=np.float32).reshape(1, 8, 8, 3)
    np.testing.assert_array_equal(seen(pixels), pixels * np.float32(1 / 255))


@pytest.mark.parametrize(
    ("layers", "strides", "shape"),
    [
        ("conv_block: {filters: 5, kernel_size: 3}", (1, 1), (8, 8, 5)),
        ("conv_block: {filters: 5, kernel_size: 3, strides: 2}", (2, 2), (4, 4, 5)),
        ("conv_block: {filters: 3, kernel_size: 3, strides: [2, 4]}", (2, 4), (4, 2, 3)),
        ("MaxPooling2D: {pool_size: 3, padding: same}", (3, 3), (3, 3, 3)),
    ],
)
def test_the_shortcut_follows_the_shape_of_the_layers(build, layers, strides, shape):
    network = build(f"- residual:\n    layers:\n      - {layers}" + END)
    shortcut = network.model.get_layer("residual_1_shortcut")
    assert (shortcut.kernel_size, shortcut.strides) == ((1, 1), strides)
    assert network.model.get_layer("residual_1_add").output.shape == (None, *shape)


def test_a_projection_is_normalized_when_blocks_are(build):
    lines = """
    - residual:
        shortcut: projection
        activation: relu
        layers:
          - conv_block: {filters: 3, kernel_size: 3, activation: none}
    - GlobalAveragePooling2D
    - classifier
    """
    network = build(
        lines,
        blocks="{batch_norm: before_activation, use_bias: false, kernel_regularizer: L2}",
    )
    assert [built.path for built in network.layers[:-2]] == [
        "residual_1/conv_block_1/conv",
        "residual_1/conv_block_1/batch_norm",
        "residual_1/shortcut",
        "residual_1/shortcut_batch_norm",
        "residual_1/add",
        "residual_1/activation",
    ]
    shortcut = network.model.get_layer("residual_1_shortcut")
    assert not shortcut.use_bias
    assert type(shortcut.kernel_regularizer).__name__ == "L2"


def test_a_residual_of_features_projects_with_a_dense_layer(build):
    lines = "- Flatten\n- residual:\n    layers: [dense_block: {units: 7}]\n- classifier"
    shortcut = build(lines).model.get_layer("residual_1_shortcut")
    assert type(shortcut).__name__ == "Dense"
    assert shortcut.units == 7


@pytest.mark.parametrize("merge", ["Add", "Average", "Concatenate", "Maximum", "Minimum"])
def test_branches_merge_as_the_layer_of_keras_does(build, merge):
    lines = f"""
    - branches:
        branches: [[Identity], [Activation: {{activation: tanh}}]]
        merge: {merge}
    - Identity: {{name: seen}}
    - Flatten
    - classifier
    """
    network = build(lines)
    seen = keras.Model(network.model.input, network.model.get_layer("seen").output)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    scaled = pixels * np.float32(1 / 255)
    expected = getattr(keras.layers, merge)()([scaled, np.tanh(scaled)])
    np.testing.assert_allclose(seen(pixels), expected, rtol=1e-6)


def test_repeat_makes_new_weights_each_time(build):
    lines = "- repeat:\n    times: 3\n    layers: [conv_block: {filters: 3, kernel_size: 1}]"
    network = build(lines + END)
    paths = [built.path for built in network.layers if built.layer.weights][:-1]
    assert paths == [f"repeat_1/{number}/conv_block_1/conv" for number in (1, 2, 3)]
    kernels = [built.layer.kernel.numpy() for built in network.layers if built.path in paths]
    assert len({kernel.tobytes() for kernel in kernels}) == 3


def test_a_classifier_may_end_with_an_activation_layer(build):
    network = build("- Flatten\n- classifier: {activation: {Softmax: {}}}")
    assert [built.name for built in network.layers[1:]] == ["classifier", "classifier_activation"]


def test_builders_serve_without_a_config():
    factory = LayerFactory(seed=0, dtype="float32")
    pixels = keras.Input((8, 8, 3))
    x = nested_blocks.branches(
        pixels,
        factory=factory,
        name="fork",
        branches=[
            lambda x, path: factory.apply(x, "Conv2D", f"{path}/wide", filters=2, kernel_size=1),
            lambda x, path: x,
        ],
        merge=keras.layers.Concatenate(),
    )
    assert x.shape == (None, 8, 8, 5)
    assert factory.called[0].path == "fork/branch_1/wide"


@pytest.mark.parametrize(
    "arguments",
    [
        {"convolution": "Conv2D", "filters": None, "groups": 1, "depth_multiplier": 1},
        {"convolution": "Conv2D", "filters": 2, "groups": 1, "depth_multiplier": 2},
        {"convolution": "SeparableConv2D", "filters": 2, "groups": 2, "depth_multiplier": 1},
        {"convolution": "DepthwiseConv2D", "filters": 2, "groups": 1, "depth_multiplier": 1},
    ],
)
def test_arguments_of_another_convolution_are_refused(arguments, snapshot):
    settings = dict.fromkeys(
        (
            "bias_initializer",
            "kernel_initializer",
            "bias_regularizer",
            "kernel_regularizer",
            "bias_constraint",
            "kernel_constraint",
            "activation",
        )
    )
    with pytest.raises(LayerError) as raised:
        blocks.conv_block(
            keras.Input((8, 8, 4)),
            factory=LayerFactory(seed=0, dtype="float32"),
            name="block",
            kernel_size=3,
            strides=1,
            padding="same",
            dilation_rate=1,
            use_bias=True,
            batch_norm="none",
            dropout=0.0,
            spatial_dropout=0.0,
            **settings,
            **arguments,
        )
    assert str(raised.value) == snapshot
