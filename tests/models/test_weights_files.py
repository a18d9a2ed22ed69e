"""Files of weights: whole and fitting, or refused with the first layer that differs."""

import shutil
import urllib.error
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from cnnrun.errors import DownloadError, ModelFileError
from cnnrun.models import weights_files
from cnnrun.models.weights_files import imagenet_files, load_weights_file

FORMATS = ("model.weights.h5", "model.h5", "model.keras")


def network(name="MobileNet", **arguments):
    arguments = {"include_top": False, "alpha": 0.25, **arguments}
    return getattr(keras.applications, name)(
        weights=None, input_shape=(32, 32, 3), name="network", **arguments
    )


def write(model, path):
    model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    return path


@pytest.fixture(scope="module")
def donor():
    model = network()
    for number, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, 1 + number % 7))
    return model


@pytest.fixture(scope="module")
def files(donor, tmp_path_factory):
    """The same weights in every format."""
    folder = tmp_path_factory.mktemp("weights")
    return {name: write(donor, folder / name) for name in FORMATS}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_of_keras_is_loaded(donor, files, form):
    model = network()
    load_weights_file(model, files[form], title="MobileNet")
    for loaded, expected in zip(model.weights, donor.weights, strict=True):
        np.testing.assert_array_equal(loaded, expected)


def test_layers_within_layers_and_statistics_of_normalization_are_loaded(tmp_path):
    """Oracle: Keras's own load_weights."""
    inner = [keras.layers.Conv2D(2, 1), keras.layers.BatchNormalization()]
    outer = [keras.Input((4, 4, 3)), keras.layers.Normalization(), keras.Sequential(inner)]
    model = keras.Sequential(outer)
    for number, weight in enumerate(model.weights):
        weight.assign(np.full(weight.shape, 1 + number))
    model.save_weights(tmp_path / "model.weights.h5")
    ours, theirs = keras.models.clone_model(model), keras.models.clone_model(model)
    load_weights_file(ours, tmp_path / "model.weights.h5", title="it")
    theirs.load_weights(tmp_path / "model.weights.h5")
    pixels = np.random.default_rng(0).uniform(size=(1, 4, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(ours(pixels), theirs(pixels))


@pytest.fixture(scope="module")
def others():
    """Networks that are not the donor."""
    plain = [keras.Input((8, 8, 3)), keras.layers.Conv2D(8, 3, use_bias=False), keras.layers.ReLU()]
    return {
        "wider": network(alpha=0.5),
        "with a top": network(include_top=True, classes=3),
        "shorter": keras.Sequential([*plain, keras.layers.Dense(4, name="dense")]),
    }


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("other", ["wider", "with a top", "shorter"])
def test_the_first_layer_that_differs_is_named(files, others, form, other, snapshot):
    with pytest.raises(ModelFileError) as refusal:
        load_weights_file(others[other], files[form], title="MobileNet")
    assert told(refusal, files[form]) == snapshot


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("damage", ["cut off", "nothing", "text"])
def test_a_damaged_file_is_named(donor, files, tmp_path, form, damage, snapshot):
    path = tmp_path / form
    content = files[form].read_bytes()
    path.write_bytes({"cut off": content[:5000], "nothing": b"", "text": b"weights"}[damage])
    with pytest.raises(ModelFileError) as refusal:
        load_weights_file(donor, path, title="MobileNet")
    assert told(refusal, path).split(": ")[:2] == snapshot


def test_no_file_and_a_folder_are_refused(donor, tmp_path, snapshot):
    refusals = []
    for path in (tmp_path / "none.h5", tmp_path):
        with pytest.raises(ModelFileError) as refusal:
            load_weights_file(donor, path, title="MobileNet")
        refusals.append(told(refusal, path))
    assert refusals == snapshot


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of Keras's."""
    monkeypatch.setattr(weights_files, "keras_home", lambda: str(tmp_path / "keras"))
    return tmp_path / "keras" / "models"


def fetch(name="MobileNet", **arguments):
    """What a constructor does for ImageNet's weights."""
    with imagenet_files(name) as asked:
        try:
            return getattr(keras.applications, name)(include_top=False, **arguments)
        except (ValueError, OSError) as error:
            asked.refuse_damage(error)
            raise


def test_weights_are_downloaded_once_and_that_is_said(cache, files, monkeypatch, capsys, snapshot):
    """With Keras's own download, but for the network between."""
    fetched = []

    def urlretrieve(url, target, _progress):
        fetched.append(url)
        shutil.copy(files["model.h5"], target)

    monkeypatch.setattr(file_utils, "urlretrieve", urlretrieve)
    for _ in range(2):
        fetch(alpha=0.25, input_shape=(224, 224, 3))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.replace(str(cache), "<cache>") == snapshot
    assert fetched == [url_of("mobilenet_2_5_224_tf_no_top.h5")]
    assert (cache / "mobilenet_2_5_224_tf_no_top.h5").exists()


@pytest.mark.parametrize(
    "failure",
    [
        urllib.error.URLError(OSError(-2, "Name or service not known")),
        urllib.error.HTTPError("", 404, "Not Found", None, None),
    ],
    ids=["offline", "not there"],
)
def test_without_a_network_it_is_said_what_to_put_where(cache, failure, monkeypatch, snapshot):
    def urlretrieve(*_):
        raise failure

    monkeypatch.setattr(file_utils, "urlretrieve", urlretrieve)
    with pytest.raises(DownloadError) as refusal:
        fetch(alpha=0.25, input_shape=(224, 224, 3))
    assert told(refusal, cache) == snapshot
    assert not list(cache.glob("*.h5"))


def test_a_damaged_file_in_the_cache_is_named_and_kept(cache, files, snapshot):
    file = cache / "mobilenet_2_5_224_tf_no_top.h5"
    cache.mkdir(parents=True)
    file.write_bytes(files["model.h5"].read_bytes()[:5000])
    with pytest.raises(ModelFileError) as refusal:
        fetch(alpha=0.25, input_shape=(224, 224, 3))
    assert told(refusal, file).split("(")[0] == snapshot
    assert file.exists()


def test_a_file_in_the_cache_with_other_contents_is_named(cache, files, snapshot):
    """Keras has a checksum of MobileNetV3's file, and of MobileNet's nothing but its layers."""
    refusals = []
    cache.mkdir(parents=True)
    for name, file in {
        "MobileNetV3Small": "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "MobileNet": "mobilenet_5_0_224_tf_no_top.h5",
    }.items():
        shutil.copy(files["model.h5"], cache / file)
        arguments = {"alpha": 0.5} if name == "MobileNet" else {}
        with pytest.raises(ModelFileError) as refusal:
            fetch(name, input_shape=(224, 224, 3), **arguments)
        refusals.append(told(refusal, cache))
    assert refusals == snapshot


def test_what_the_constructor_itself_refuses_is_no_damage(cache):
    with pytest.raises(ValueError, match="alpha"):
        fetch(alpha=0.3, input_shape=(224, 224, 3))


def url_of(file):
    base = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
    return base + file


def told(refusal, path):
    """The message without what differs from test to test."""
    return str(refusal.value).replace(str(path), f"<{path.name}>")
