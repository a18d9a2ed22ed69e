"""Loading models from files: what is loaded, and what is refused with which words."""

import json
import zipfile

import keras
import numpy as np
import pytest

from cnnrun.errors import ModelFileError
from cnnrun.models.saved import load_model

pytestmark = pytest.mark.filterwarnings(
    # h5py asks Keras's variables for their array in NumPy 1's way.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)


@pytest.fixture
def saved(tmp_path):
    """A small model in a file, compiled as after training."""
    pixels = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 3, kernel_regularizer="l2", dtype="mixed_bfloat16")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save(tmp_path / "model.keras")
    return tmp_path / "model.keras", model


@pytest.fixture
def message(tmp_path):
    """What a user reads when the file is loaded, the same on every machine."""

    def told(path):
        with pytest.raises(ModelFileError) as raised:
            load_model(path)
        return str(raised.value).replace(f"{tmp_path}/", "")

    return told


def with_member(path, name, change):
    """The file with one of its members changed; None takes it away."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in members.items():
            if content is not None:
                archive.writestr(each, content)
    return path


def test_a_saved_model_comes_back(saved):
    path, model = saved
    pixels = np.ones((2, 4, 4, 1), np.float32)
    np.testing.assert_array_equal(load_model(path)(pixels), model(pixels))


def test_operations_of_keras_come_back(tmp_path):
    pixels = keras.Input((4,))
    model = keras.Model(pixels, keras.ops.relu(pixels * 2 - 1))
    model.save(tmp_path / "model.keras")
    features = np.arange(4, dtype=np.float32)[np.newaxis]
    np.testing.assert_array_equal(load_model(tmp_path / "model.keras")(features), model(features))


def test_a_missing_file(message, tmp_path, snapshot):
    assert message(tmp_path / "model.keras") == snapshot


def test_a_folder(message, tmp_path, snapshot):
    (tmp_path / "run").mkdir()
    assert message(tmp_path / "run") == snapshot


def test_something_else(message, tmp_path, snapshot):
    (tmp_path / "notes.txt").write_text("not a model")
    assert message(tmp_path / "notes.txt") == snapshot


def test_hdf5(message, saved, tmp_path, snapshot):
    with zipfile.ZipFile(saved[0]) as archive:
        (tmp_path / "model.h5").write_bytes(archive.read("model.weights.h5"))
    assert message(tmp_path / "model.h5") == snapshot


def test_another_zip_archive(message, tmp_path, snapshot):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("cat.png", b"")
    assert message(tmp_path / "photos.zip") == snapshot


def test_a_file_that_was_cut_off(message, saved, snapshot):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:-3000])
    assert message(path) == snapshot


def test_a_file_with_flipped_bits(message, saved, snapshot):
    path, _ = saved
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(50 * [255])
    path.write_bytes(content)
    assert message(path) == snapshot


def test_weights_that_are_no_weights(message, saved, snapshot):
    assert message(with_member(saved[0], "model.weights.h5", lambda _: b"none")) == snapshot


def test_a_description_that_is_no_json(message, saved, snapshot):
    assert message(with_member(saved[0], "config.json", lambda text: text[:14])) == snapshot


def test_a_layer_of_a_later_keras(message, saved, snapshot):
    def renamed(text):
        return text.replace(b'"class_name": "Flatten"', b'"class_name": "Flattest"')

    assert message(with_member(saved[0], "config.json", renamed)) == snapshot


def test_a_lambda_layer(message, tmp_path, snapshot):
    pixels = keras.Input((4,))
    model = keras.Model(pixels, keras.layers.Lambda(lambda x: x * 2)(pixels))
    model.save(tmp_path / "model.keras")
    assert message(tmp_path / "model.keras") == snapshot


@pytest.mark.parametrize(
    "planted",
    [
        {"module": "os", "class_name": "system", "config": "true"},
        {"module": "keras.utils", "class_name": "get_file", "config": {}},
        {"module": None, "class_name": "Mine", "config": {}, "registered_name": "own>Mine"},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/x"}},
    ],
    ids=["os", "a download", "a registered class", "a foreign model"],
)
def test_code_from_elsewhere(message, saved, planted, snapshot):
    """Not even the import is reached."""

    def poisoned(text):
        config = json.loads(text)
        config["config"]["layers"].append(planted)
        return json.dumps(config)

    assert message(with_member(saved[0], "config.json", poisoned)) == snapshot


def test_code_in_the_compilation(message, saved, snapshot):
    def poisoned(text):
        config = json.loads(text)
        config["compile_config"]["loss"] = {"module": "os", "class_name": "system", "config": {}}
        return json.dumps(config)

    assert message(with_member(saved[0], "config.json", poisoned)) == snapshot
