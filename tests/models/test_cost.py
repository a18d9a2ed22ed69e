"""Parameters, multiply-adds and receptive fields against published and counted figures."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnrun.config.load import load_config
from cnnrun.models.cost import multiply_adds, network_costs
from cnnrun.models.network import build_network

from .conftest import RESCALED

CONFIGS = Path(__file__).parents[2] / "configs"

PUBLISHED = {
    # name: parameters, and multiply-adds of one image counted by hand from the papers' tables
    "lenet5": (
        61_706,
        28 * 28 * 6 * 25 + 10 * 10 * 16 * 25 * 6 + 400 * 120 + 120 * 84 + 84 * 10,
    ),
    "keras_convnet": (34_826, 26 * 26 * 32 * 9 + 11 * 11 * 64 * 9 * 32 + 1600 * 10),
    "fashion_mnist": (83_466, 28 * 28 * 32 * 25 + 14 * 14 * 64 * 25 * 32 + 7 * 7 * 64 * 10),
    "fashion_mnist_residual": (
        464_810,
        28 * 28 * (32 * 9 + 64 * 9 * 32)
        + 14 * 14 * (2 * 64 * 9 * 64 + 128 * 9 * 64)
        + 7 * 7 * 2 * 128 * 9 * 128
        + 128 * 10,
    ),
    "tensorflow_cifar": (
        122_570,
        30 * 30 * 32 * 27 + 13 * 13 * 64 * 288 + 4 * 4 * 64 * 576 + 1024 * 64 + 64 * 10,
    ),
    "resnet20_cifar": (274_042, 40_813_184),
}


def network_of(name, **changes):
    config = load_config(CONFIGS / f"{name}.yaml")
    classes = config.data.classes
    channels = 1 if config.data.color_mode == "grayscale" else 3
    return build_network(
        config.model,
        input_shape=(*config.data.image_size, channels),
        classes=classes if isinstance(classes, int) else len(classes),
        preprocessing=RESCALED,
        seed=config.seed,
        precision=config.train.precision,
        **changes,
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_their_published_size(name):
    costs = network_costs(network_of(name))
    assert (costs.parameters, costs.multiply_adds) == PUBLISHED[name]


@pytest.mark.slow
def test_vgg16_is_that_of_its_paper():
    """Oracle: keras.applications for parameters; Araujo et al. 2019 for the receptive field."""
    network = network_of("vgg16")
    costs = network_costs(network)
    assert costs.parameters == 138_357_544
    assert costs.multiply_adds == 15_470_264_320
    fields = {row.name: row.receptive_field for row in costs.layers}
    assert fields["repeat_5_3_conv_block_1_conv"] == (196, 196)
    assert fields["pool5"] == (212, 212)
    assert fields["fc1_dense"] == (224, 224)


def test_resnet20_learns_as_many_parameters_as_its_paper_says():
    """He et al. 2016, table 6: 0.27 M; batch norm's moving statistics are not learned."""
    costs = network_costs(network_of("resnet20_cifar"))
    assert costs.trainable_parameters == 272_474


ONE_LAYER = {
    "- Conv2D: {filters: 6, kernel_size: [3, 5], strides: 2, groups: 3}": 3 * 2 * 6 * 15 * 1,
    "- SeparableConv2D: {filters: 6, kernel_size: 3, depth_multiplier: 2}": 36 * (9 * 6 + 6 * 6),
    "- DepthwiseConv2D: {kernel_size: 3, depth_multiplier: 2}": 36 * 9 * 6,
    "- Conv2DTranspose: {filters: 6, kernel_size: 3, strides: 2}": 64 * 9 * 3 * 6,
    "- Dense: {units: 7}": 64 * 3 * 7,
    '- EinsumDense: {equation: "abcd,de->abce", output_shape: [8, 8, 5]}': 64 * 3 * 5,
    "- Reshape: {target_shape: [16, 12]}\n- Conv1D: {filters: 5, kernel_size: 3}": 14 * 36 * 5,
    "- Reshape: {target_shape: [16, 12]}\n- LSTM: {units: 5}": 16 * 4 * 5 * (12 + 5),
    "- Reshape: {target_shape: [16, 12]}\n- Bidirectional: {layer: {GRU: {units: 5}}}": 2
    * (16 * 3 * 5 * (12 + 5)),
    "- TimeDistributed: {layer: {Dense: {units: 7}}}": 64 * 3 * 7,
    "- SpectralNormalization: {layer: {Dense: {units: 7}}}": 64 * 3 * 7,
    "- Reshape: {target_shape: [2, 4, 8, 3]}\n- ConvLSTM2D: {filters: 2, kernel_size: 3, "
    "padding: same}": 2 * 32 * 9 * 4 * 2 * (3 + 2),
    "- MaxPooling2D": 0,
    "- BatchNormalization": 0,
}


@pytest.mark.parametrize("lines", ONE_LAYER)
def test_multiply_adds_of_one_layer(build, lines):
    assert network_costs(build(lines)).multiply_adds == ONE_LAYER[lines]


@pytest.mark.parametrize("name", ["keras_convnet", "tensorflow_cifar"])
def test_multiply_adds_are_half_of_the_operations_that_tensorflow_counts(name):
    """Oracle: TensorFlow's profiler, whose count has the biases and the activations too."""
    network = network_of(name)
    model = network.model
    signature = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = tf.function(model).get_concrete_function(signature).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    counted = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
    assert network_costs(network).multiply_adds == pytest.approx(counted / 2, rel=0.05)


def test_rows_say_what_each_layer_is_and_where_it_stands(build, snapshot):
    lines = """
    - conv_block: {filters: 4, kernel_size: 3, batch_norm: before_activation, strides: 2}
    - GlobalMaxPooling2D
    - classifier: {use_bias: false}
    """
    assert network_costs(build(lines)).layers == snapshot


FIELDS = {
    "- Conv2D: {filters: 2, kernel_size: 3}": (3, 3),
    "- Conv2D: {filters: 2, kernel_size: [1, 3], padding: same}": (1, 3),
    "- Conv2D: {filters: 2, kernel_size: 3, dilation_rate: 3}": (7, 7),
    "- MaxPooling2D\n- Conv2D: {filters: 2, kernel_size: 3}": (6, 6),
    "- ZeroPadding2D\n- AveragePooling2D: {pool_size: 3, strides: 2}\n- Conv2D: {filters: 2, "
    "kernel_size: 2}": (5, 5),
    "- Cropping2D: {cropping: [[1, 2], [0, 0]]}\n- DepthwiseConv2D: {kernel_size: 3}": (3, 3),
    # An even "same" window is not centred: the union of branches is wider than either.
    "- branches:\n    branches: [[Conv2D: {filters: 2, kernel_size: 4, padding: same}], "
    "[ZeroPadding2D: {padding: [[2, 0], [2, 0]]}, Cropping2D: {cropping: [[0, 2], [0, 2]]}]]": (
        5,
        5,
    ),
    "- residual:\n    layers: [conv_block: {filters: 3, kernel_size: 3, strides: 2}, "
    "conv_block: {filters: 3, kernel_size: 3}]": (7, 7),
    "- BatchNormalization\n- SpatialDropout2D: {rate: 0.1}\n- Softmax": (1, 1),
    "- Permute: {dims: [3, 1, 2]}\n- Permute: {dims: [2, 3, 1]}\n- SeparableConv2D: {filters: 2, "
    "kernel_size: 3}": (3, 3),
}


def field_of(network):
    return network_costs(network).layers[-1].receptive_field


@pytest.mark.parametrize("lines", FIELDS)
def test_receptive_fields_are_what_gradients_reach(build, lines):
    """Oracle: the pixels that have a gradient for an output in the middle, in a larger image."""
    network = build(lines, shape=(24, 24, 3))
    assert field_of(network) == FIELDS[lines]
    assert measured_field(network.model) == FIELDS[lines]


def measured_field(model):
    for weight in model.trainable_weights:
        weight.assign(np.abs(weight.numpy()) + 0.1)
    # Over several images, another pixel wins in each max pooling window.
    pixels = tf.constant(np.random.default_rng(0).uniform(0, 255, (64, 24, 24, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        outputs = model(pixels)
        middle = outputs[:, outputs.shape[1] // 2, outputs.shape[2] // 2]
    reached = np.abs(tape.gradient(middle, pixels)).sum(axis=(0, 3)) > 0
    rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
    return (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("- GlobalAveragePooling2D\n- Dense: {units: 2}", (8, 8)),
        ("- Conv2D: {filters: 2, kernel_size: 3}\n- Flatten\n- Dense: {units: 2}", (8, 8)),
        ("- GroupNormalization: {groups: 3}\n- Conv2D: {filters: 2, kernel_size: 1}", (8, 8)),
        ("- LayerNormalization: {axis: [1, 2, 3]}", None),
        ("- UpSampling2D", None),
        ("- Permute: {dims: [2, 1, 3]}", None),
        ("- branches: {branches: [[Identity], [UpSampling2D, MaxPooling2D]], merge: Add}", None),
        (
            "- branches: {branches: [[Identity], [GlobalMaxPooling2D: {keepdims: true}]],"
            " merge: Multiply}",
            (8, 8),
        ),
        ("- branches: {branches: [[Identity], [Identity]], merge: {Concatenate: {axis: 1}}}", None),
        (
            "- branches: {branches: [[Conv2D: {filters: 1, kernel_size: 2, strides: 2}],"
            " [Cropping2D: {cropping: 2}]], merge: Concatenate}",
            None,
        ),
    ],
)
def test_where_no_size_holds_for_every_output(build, lines, expected):
    assert field_of(build(lines)) == expected


def test_a_layer_without_a_count_costs_nothing():
    layer = keras.layers.ReLU()
    assert multiply_adds(layer, (None, 8, 8, 3), (None, 8, 8, 3)) == 0
