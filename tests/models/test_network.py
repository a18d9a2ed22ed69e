"""Whole networks: what they take, what they are made of, what they refuse."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from cnnrun.errors import ConfigError
from cnnrun.models.penalties import plain_model

pytestmark = pytest.mark.filterwarnings(
    # h5py asks Keras's variables for their array in NumPy 1's way.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

EVERYTHING = """
- conv_block: {filters: 4, kernel_size: 3, name: stem, batch_norm: before_activation}
- residual:
    activation: relu
    layers:
      - conv_block: {filters: 8, kernel_size: 3, strides: 2}
      - conv_block: {filters: 8, kernel_size: 3, activation: {PReLU: {shared_axes: [1, 2]}}}
- branches:
    branches:
      - [conv_block: {filters: 4, kernel_size: 1}]
      - [MaxPooling2D: {pool_size: 2, strides: 1, padding: same}, SpatialDropout2D: {rate: 0.2}]
- repeat: {times: 2, layers: [conv_block: {filters: 6, kernel_size: 3}]}
- GlobalAveragePooling2D
- dense_block: {units: 5, dropout: 0.1}
- classifier
"""


def test_it_equals_the_same_network_in_plain_keras(build):
    """Oracle: the lines that a user of Keras would write, with the same seeds."""
    network = build(
        """
        - Conv2D: {filters: 4, kernel_size: [3, 3], activation: relu}
        - MaxPooling2D: {pool_size: 2}
        - Flatten
        - Dropout: {rate: 0.5}
        - Dense: {units: 3, activation: softmax}
        """
    )
    plain = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    plain.set_weights(network.model.get_weights())
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(network.model(pixels), plain(pixels))


def test_it_takes_raw_pixels_and_rescales_them_first(build):
    network = build("- Flatten\n- classifier")
    first = network.model.layers[1]
    assert network.model.input.dtype == "float32"
    assert (type(first).__name__, first.scale) == ("Rescaling", 1 / 255)
    assert [step.address for step in network.steps] == ["preprocess.rescale"]


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_precision_is_a_policy_of_each_layer_and_not_of_the_process(build, precision):
    network = build(EVERYTHING, precision=precision)
    policies = [layer.dtype_policy.name for layer in network.model.layers[1:]]
    assert policies == ["float32", *[precision] * (len(policies) - 2), "float32"]
    assert keras.config.dtype_policy().name == "float32"
    assert network.model.output.dtype == "float32"


@pytest.mark.parametrize("last", ["dense_block: {units: 3}", "Dense: {units: 3}", "Flatten"])
def test_the_last_entry_computes_in_float32(build, last):
    network = build(f"- Flatten\n- {last}", precision="mixed_bfloat16")
    assert network.model.output.dtype == "float32"


def test_a_dtype_of_the_config_is_kept(build):
    lines = "- Conv2D: {filters: 2, kernel_size: 1, dtype: float32}\n- Flatten\n- classifier"
    layer = build(lines, precision="mixed_bfloat16").model.get_layer("conv2d_1")
    assert layer.dtype_policy.name == "float32"


def test_every_layer_knows_the_line_it_comes_from(build, snapshot):
    network = build(EVERYTHING)
    lines = {built.path: built.spec.position.line for built in network.layers}
    assert lines == snapshot


def test_the_saved_model_loads_where_cnnrun_is_not_installed(build, tmp_path):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    np.save(tmp_path / "pixels.npy", pixels)
    networks = {name: build(EVERYTHING, precision=name) for name in ("float32", "mixed_bfloat16")}
    for name, network in networks.items():
        plain_model(network.model).save(tmp_path / f"{name}.keras")
    program = (
        "import sys; sys.modules['cnnrun'] = None\n"
        "import keras, numpy as np\n"
        "for name in ('float32', 'mixed_bfloat16'):\n"
        "    model = keras.saving.load_model(f'{name}.keras')\n"
        "    np.save(f'{name}.npy', np.asarray(model(np.load('pixels.npy'))))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    for name, network in networks.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), network.model(pixels))


BAD = {
    "a pool larger than its input": "- MaxPooling2D: {pool_size: 9}",
    "a window larger than its input": "- Conv2D: {filters: 2, kernel_size: 3, dilation_rate: 4}",
    "a block's window": "- conv_block: {filters: 2, kernel_size: 9, padding: valid}",
    "no image left for a convolution": "- Flatten\n- Conv2D: {filters: 2, kernel_size: 1}",
    "an image where rows are wanted": "- LSTM: {units: 3}",
    "an image where features are wanted": "- RepeatVector: {n: 3}",
    "cropped to nothing": "- Cropping2D: {cropping: 4}",
    "groups that do not divide the channels": "- Conv2D: {filters: 4, kernel_size: 1, groups: 2}",
    "groups of a normalization": "- GroupNormalization: {groups: 2}",
    "too many groups of a normalization": "- GroupNormalization",
    "a shape of another size": "- Reshape: {target_shape: [5, 5]}",
    "an axis that is not there": "- BatchNormalization: {axis: 7}",
    "axes that are not there": "- PReLU: {shared_axes: [1, 2, 9]}",
    "dimensions that are not there": "- Permute: {dims: [1, 2]}",
    "branches of different size": (
        "- branches:\n    branches: [[Identity], [MaxPooling2D: {pool_size: 2}]]"
    ),
    "branches of different size to add": (
        "- branches:\n    branches: [[Identity], [MaxPooling2D: {pool_size: 2}]]\n    merge: Add"
    ),
    "three branches to subtract": (
        "- branches:\n    branches: [[Identity], [Identity], [Identity]]\n    merge: Subtract"
    ),
    "an identity that changes shape": (
        "- residual:\n    shortcut: identity\n"
        "    layers: [conv_block: {filters: 4, kernel_size: 1}]"
    ),
    "a shortcut that no stride reaches": (
        "- residual:\n    layers: [Conv2D: {filters: 4, kernel_size: 3}]"
    ),
    "a residual around Flatten": "- residual:\n    layers: [Flatten]",
    "an image at the classifier": "- conv_block: {filters: 4, kernel_size: 3}",
    "channels first": "- Conv2D: {filters: 4, kernel_size: 1, data_format: channels_first}",
    "weights beyond all memory": "- Flatten\n- Dense: {units: 900000000000}",
    "an image beyond all memory": "- UpSampling2D: {size: 900000}",
    "one name for two layers": (
        "- Activation: {activation: relu, name: stem_conv}\n"
        "- conv_block: {filters: 4, kernel_size: 3, name: stem}"
    ),
    "the name of the input": "- Activation: {activation: relu, name: pixels}",
    "more than one tensor": (
        "- Reshape: {target_shape: [-1, 3]}\n- LSTM: {units: 3, return_state: true}"
    ),
    "deep inside": (
        "- repeat:\n    times: 2\n    layers:\n      - residual:\n          layers:\n"
        "            - branches:\n                branches:\n"
        "                  - [conv_block: {filters: 4, kernel_size: 3}]\n"
        "                  - [MaxPooling2D: {pool_size: 20}]"
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_only_a_build_finds_is_told_at_its_line(build, case, snapshot, tmp_path):
    with pytest.raises(ConfigError) as raised:
        build(f"{BAD[case]}\n- classifier")
    assert str(raised.value).replace(f"{tmp_path}/", "") == snapshot


def test_channels_first_works_after_a_permute(build):
    """Oracle: the same convolution with the channels last."""
    permuted = build(
        """
        - Permute: {dims: [3, 1, 2]}
        - Conv2D: {filters: 4, kernel_size: 3, strides: 2, name: conv, data_format: channels_first}
        - MaxPooling2D: {pool_size: 2, data_format: channels_first}
        - Permute: {dims: [2, 3, 1]}
        - Flatten
        - classifier
        """
    )
    plain = build(
        """
        - Conv2D: {filters: 4, kernel_size: 3, strides: 2, name: conv}
        - MaxPooling2D: {pool_size: 2}
        - Flatten
        - classifier
        """
    )
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(permuted.model(pixels), plain.model(pixels), rtol=1e-5)
