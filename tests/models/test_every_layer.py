"""Every layer of Keras that takes one tensor, from a config and back from a file.

Oracle: Keras itself, which is asked to make, call, save and load each.
"""

import json

import keras
import numpy as np
import pytest

from cnnrun.config.pixel_layer_rules import pixel_layers
from cnnrun.models.keras_table import TABLE_FILE
from cnnrun.models.penalties import plain_model

TABLE = json.loads(TABLE_FILE.read_text())["layers"]
pytestmark = pytest.mark.filterwarnings(
    # h5py asks Keras's variables for their array in NumPy 1's way.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
SINGLE = sorted(
    name
    for name, entry in TABLE.items()
    # MaxPool2D and its like are second names of one class.
    if entry["inputs"] == "one" and getattr(keras.layers, name).__name__ == name
)

ARGUMENTS = {
    "Activation": "{activation: gelu}",
    "AdaptiveAveragePooling1D": "{output_size: 3}",
    "AdaptiveAveragePooling2D": "{output_size: [2, 3]}",
    "AdaptiveAveragePooling3D": "{output_size: 2}",
    "AdaptiveMaxPooling1D": "{output_size: 3}",
    "AdaptiveMaxPooling2D": "{output_size: 2}",
    "AdaptiveMaxPooling3D": "{output_size: 2}",
    "Bidirectional": "{layer: {LSTM: {units: 3}}}",
    "CategoryEncoding": "{num_tokens: 9}",
    "Discretization": "{bin_boundaries: [0.1, 0.5]}",
    "EinsumDense": '{equation: "abcd,de->abce", output_shape: [8, 8, 5], bias_axes: e}',
    "Embedding": "{input_dim: 256, output_dim: 4}",
    "GroupNormalization": "{groups: 3}",
    "Normalization": "{mean: [0.4, 0.5, 0.6], variance: [1, 2, 3]}",
    "Permute": "{dims: [3, 1, 2]}",
    "RandomErasing": "{scale: [0.02, 0.3], value_range: [0, 1]}",
    "RandomPosterization": "{factor: 4, value_range: [0, 1]}",
    "ReversibleEmbedding": "{input_dim: 256, output_dim: 4}",
    "Rescaling": "{scale: [1, 2, 3], offset: -1}",
    "Reshape": "{target_shape: [-1, 3]}",
    "SpectralNormalization": "{layer: {Conv2D: {filters: 4, kernel_size: 3}}}",
    "TimeDistributed": "{layer: {Dense: {units: 4}}}",
    "MelSpectrogram": "{fft_length: 16, sequence_stride: 4, num_mel_bins: 4}",
    "STFTSpectrogram": "{frame_length: 8, expand_dims: true}",
}
"""Arguments that suit a small image, where those by name below do not."""

BY_NAME = {
    "axes": "1",
    "factor": "0.3",
    "filters": "4",
    "height": "6",
    "height_factor": "0.2",
    "kernel_size": "2",
    "n": "2",
    "num_ops": "1",
    "pool_size": "2",
    "rate": "0.3",
    "scale": "2.0",
    "stddev": "0.3",
    "units": "4",
    "width": "6",
    "width_factor": "0.2",
}

PREPARE = {
    2: "- Flatten\n",
    3: "- Reshape: {target_shape: [-1, 3]}\n",
    4: "",
    5: "- Reshape: {target_shape: [4, 4, 4, 3]}\n",
    6: "- Reshape: {target_shape: [2, 2, 4, 4, 3]}\n",
}
"""Lines that bring an image to the rank that a layer takes."""

FLATTENED = {"CategoryEncoding", "MelSpectrogram"}


def lines_of(kind):
    arguments = ARGUMENTS.get(kind)
    if arguments is None:
        required = [one["name"] for one in TABLE[kind]["arguments"] if one["required"]]
        given = [f"{name}: {BY_NAME[name]}" for name in required]
        if kind in pixel_layers():
            given.append("value_range: [0, 1]")
        arguments = "{" + ", ".join(given) + "}"
    rank = 2 if kind in FLATTENED else TABLE[kind]["rank"] or 4
    rank = 3 if kind in {"Bidirectional", "STFTSpectrogram"} else rank
    return f"{PREPARE[rank]}- {kind}: {arguments}\n"


@pytest.mark.parametrize("kind", SINGLE)
def test_it_is_made_called_saved_and_loaded(kind, build, tmp_path):
    network = build(lines_of(kind))
    built = network.layers[-1]
    assert type(built.layer) is getattr(keras.layers, kind)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)
    expected = np.asarray(network.model(pixels, training=False))
    plain_model(network.model).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(loaded(pixels, training=False)), expected)


@pytest.mark.parametrize("kind", SINGLE)
def test_its_weights_depend_on_the_seed_alone(kind, build):
    first, again = build(lines_of(kind)), build(lines_of(kind))
    for one, other in zip(first.model.variables, again.model.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)
    assert [one.path for one in first.model.weights] == [one.path for one in again.model.weights]


@pytest.mark.parametrize("kind", SINGLE)
def test_it_takes_the_arguments_that_every_layer_takes(kind, build):
    lines = lines_of(kind)
    taken = {one["name"] for one in TABLE[kind]["arguments"]}
    extra = {
        "name": "mine",
        "trainable": "false",
        "activity_regularizer": "{L2: {l2: 0.1}}",
    }
    given = ", ".join(f"{key}: {value}" for key, value in extra.items() if key in taken)
    start, brace, end = lines.rpartition("}")
    separator = ", " if not start.endswith("{") else ""
    layer = build(f"{start}{separator}{given}{brace}{end}").layers[-1].layer
    assert layer.name == "mine"
    assert not layer.trainable or "trainable" not in taken
    assert "activity_regularizer" not in taken or layer.activity_regularizer is not None
