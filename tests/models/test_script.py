"""The Keras script of a network, run where there is nothing but Keras.

Oracle: the network itself, weight for weight and output for output.
"""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnrun.config.load import load_config
from cnnrun.models.network import build_network
from cnnrun.models.script import keras_script

from .conftest import RESCALED

CONFIGS = Path(__file__).parents[2] / "configs"

NETWORKS = {
    "a list": """
        - Conv2D: {filters: 4, kernel_size: [3, 3], strides: 2, activation: relu}
        - MaxPooling2D
        - Flatten
        - Dropout: {rate: 0.5, seed: 3}
        - Dense: {units: 3, activation: softmax}
    """,
    "residuals": """
        - conv_block: {filters: 4, kernel_size: 3, name: stem, batch_norm: before_activation}
        - residual:
            activation: relu
            layers:
              - conv_block: {filters: 8, kernel_size: 3, strides: 2}
              - conv_block: {filters: 8, kernel_size: 3, activation: none}
        - residual:
            layers: [conv_block: {filters: 8, kernel_size: 3}]
        - GlobalAveragePooling2D
        - classifier
    """,
    "branches in branches": """
        - branches:
            branches:
              - [Identity]
              - - conv_block: {filters: 3, kernel_size: 1}
                - branches:
                    branches: [[Identity], [AveragePooling2D: {pool_size: 3, strides: 1,
                      padding: same}]]
                    merge: {Concatenate: {axis: 3}}
              - [repeat: {times: 2, layers: [conv_block: {filters: 2, kernel_size: 3}]}]
        - Flatten
        - classifier: {activation: none}
    """,
    "activation layers": """
        - conv_block: {filters: 4, kernel_size: 3, activation: {PReLU: {shared_axes: [1, 2]}}}
        - conv_block: {filters: 4, kernel_size: 3, activation: {LeakyReLU: {negative_slope: 0.1}}}
        - PReLU: {alpha_initializer: {RandomNormal: {mean: 0.25}}}
        - Flatten
        - classifier
    """,
    "regularizers and constraints": """
        - conv_block:
            filters: 4
            kernel_size: 3
            convolution: SeparableConv2D
            kernel_regularizer: {L1L2: {l1: 0.1, l2: 0.2}}
            kernel_constraint: {MaxNorm: {max_value: 1, axis: [0, 1, 2]}}
            kernel_initializer: {VarianceScaling: {scale: 2, mode: fan_out}}
            bias_initializer: ones
        - ActivityRegularization: {l2: 0.1}
        - Flatten
        - dense_block: {units: 4, batch_norm: {position: after_activation, momentum: 0.9}}
        - classifier
    """,
    "layers in layers": """
        - SpectralNormalization: {layer: {Conv2D: {filters: 4, kernel_size: 3}}}
        - Reshape: {target_shape: [-1, 4]}
        - TimeDistributed: {layer: {Dense: {units: 4, name: inner, activation: tanh}}}
        - Bidirectional: {layer: {GRU: {units: 3, recurrent_initializer: he_normal}}}
        - classifier
    """,
    "names that are no variables": """
        - branches:
            name: "1x-2.a"
            branches: [[Identity], [Dense: {units: 3, name: class}], [Identity: {name: x}]]
            merge: Add
        - residual: {name: lambda, layers: [Identity: {name: for}]}
        - Flatten
        - classifier
    """,
}

COMPARE = """
import numpy as np
exec(open("network.py").read())
np.savez("weights.npz", *[weight.numpy() for weight in model.weights])
np.save("outputs.npy", np.asarray(model(np.load("pixels.npy"))))
open("names.txt", "w").write("\\n".join(weight.path for weight in model.weights))
"""


def assert_equal_in_another_process(network, folder):
    text = keras_script(network)
    (folder / "network.py").write_text(text)
    shape = network.model.input.shape[1:]
    pixels = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)
    np.save(folder / "pixels.npy", pixels)
    program = "import sys; sys.modules['cnnrun'] = None\n" + COMPARE
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, capture_output=True)
    weights = network.model.weights
    assert (folder / "names.txt").read_text().split("\n") == [weight.path for weight in weights]
    found = np.load(folder / "weights.npz")
    for number, weight in enumerate(weights):
        np.testing.assert_array_equal(found[f"arr_{number}"], weight.numpy(), err_msg=weight.path)
    np.testing.assert_array_equal(np.load(folder / "outputs.npy"), network.model(pixels))


@pytest.fixture(scope="module")
def run_here():
    """Runs scripts in this process, which spares the import of Keras for each."""

    def run(text):
        variables = {}
        exec(text, variables)  # noqa: S102 - a script is what is tested
        return variables["model"]

    return run


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("case", NETWORKS)
def test_the_script_makes_the_same_network(build, run_here, case, precision):
    network = build(NETWORKS[case], precision=precision)
    model = run_here(keras_script(network))
    assert [layer.name for layer in model.layers] == [one.name for one in network.model.layers]
    weights = zip(model.weights, network.model.weights, strict=True)
    for ours, theirs in weights:
        assert (ours.path, ours.dtype) == (theirs.path, theirs.dtype)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    for training in (False, True):
        ours, theirs = (one(pixels, training=training) for one in (model, network.model))
        np.testing.assert_array_equal(ours, theirs)
    assert [float(one) for one in model.losses] == [float(one) for one in network.model.losses]


def test_it_needs_nothing_but_keras(build, tmp_path):
    assert_equal_in_another_process(build(NETWORKS["residuals"]), tmp_path)


@pytest.mark.parametrize("case", NETWORKS)
def test_it_is_plain_to_read(build, case, snapshot):
    assert keras_script(build(NETWORKS[case])) == snapshot


@pytest.mark.parametrize("name", ["lenet5", "keras_convnet", "tensorflow_cifar", "resnet20_cifar"])
def test_the_published_networks_as_scripts(run_here, name):
    config = load_config(CONFIGS / f"{name}.yaml")
    channels = 1 if config.data.color_mode == "grayscale" else 3
    network = build_network(
        config.model,
        input_shape=(*config.data.image_size, channels),
        classes=10,
        preprocessing=RESCALED,
        seed=config.seed,
        precision=config.train.precision,
    )
    model = run_here(keras_script(network))
    for ours, theirs in zip(model.weights, network.model.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


ON_A_BACKBONE = """
    - residual: {layers: [conv_block: {filters: 128, kernel_size: 1}]}
    - GlobalAveragePooling2D
    - classifier
"""


def small_mobilenet(path):
    """Its weights in a file, unlike initial ones."""
    model = keras.applications.MobileNet(
        weights=None, include_top=False, alpha=0.25, input_shape=(32, 32, 3)
    )
    for number, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, 0.1 + number % 5 / 10))
    model.save_weights(path)
    return path


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("output_layer", [None, "conv_pw_6_relu"])
def test_a_backbone_is_made_by_keras_itself(build_on, run_here, tmp_path, output_layer, precision):
    network = build_on(
        ON_A_BACKBONE,
        weights=small_mobilenet(tmp_path / "own.weights.h5"),
        output_layer=output_layer,
        shape=(32, 32, 1),
        precision=precision,
        alpha=0.25,
    )
    model = run_here(keras_script(network))
    for ours, theirs in zip(model.weights, network.model.weights, strict=True):
        assert (ours.path, ours.dtype) == (theirs.path, theirs.dtype)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 1)).astype(np.float32)
    np.testing.assert_array_equal(model(pixels), network.model(pixels))
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    "given",
    [
        {"output_layer": "conv_pw_6_relu"},
        {"shape": (32, 32, 1), "precision": "mixed_bfloat16"},
        {"layers": "", "include_top": True, "classes": 1000},
    ],
    ids=lambda given: " ".join(given),
)
def test_a_backbone_is_plain_to_read(build_on, given, snapshot):
    assert keras_script(build_on(**{"layers": ON_A_BACKBONE, "alpha": 0.5, **given})) == snapshot
