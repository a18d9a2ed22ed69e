"""Cached features are the model's own, computed once, and whole or not there at all."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.images import ImageStore, open_images
from cnnrun.errors import StorageError
from cnnrun.features.bottleneck import FeatureStore, cached_features

ROWS = np.array([7, 0, 3, 5, 1])
IMAGES = {"fingerprint": "abc", "interpolation": "bilinear"}

Cached = Callable[..., FeatureStore]


@pytest.fixture
def store(make_images, tmp_path: Path) -> Iterator[ImageStore]:
    """Ten images of 8x8x3."""
    folder = make_images("photos", {"a": 5, "b": 5}, mode="RGB")
    opened = open_images(
        manifest_from_directory(folder, classes=None, partial=False),
        np.arange(10),
        Decoding((8, 8), "rgb", "bilinear", keep_aspect=False),
        memory_bytes=2**20,
        on_bad_image="error",
        cache_folder=tmp_path,
    )
    yield opened
    opened.close()


@pytest.fixture
def model(learned) -> Any:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(layers.Rescaling(1 / 255)(inputs))
    x = layers.ReLU(name="features")(layers.BatchNormalization()(x))
    return learned(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))


@pytest.fixture
def cached(store: ImageStore, model: Any, tmp_path: Path) -> Cached:
    """`cached_features` of the layer `features`; keyword arguments replace others."""

    def call(**changed: Any) -> FeatureStore:
        arguments = {
            "output": "features",
            "store": store,
            "rows": ROWS,
            "images": IMAGES,
            "folder": tmp_path / "cache",
            "batch_size": 2,
            "progress": lambda done: None,
        } | changed
        return cached_features(arguments.pop("model", model), arguments.pop("output"), **arguments)

    return call


def test_they_are_what_the_model_gives_by_row(cached: Cached, model: Any, store) -> None:
    rows = np.array([3, 7, 1, 3])
    features = cached().read(rows)
    part = keras.Model(model.inputs[0], model.get_layer("features").output)
    np.testing.assert_allclose(
        features, part(store.read(rows), training=False), rtol=1e-4, atol=1e-6
    )
    assert features.dtype == np.float32


def test_they_are_computed_once(cached: Cached) -> None:
    done: list[int] = []
    first = cached(progress=done.append)
    assert (first.from_cache, done) == (False, [0, 2, 4, 5])
    again = cached(progress=done.append, batch_size=3)
    assert (again.from_cache, again.file, done) == (True, first.file, [0, 2, 4, 5])
    assert np.array_equal(again.read(ROWS), first.read(ROWS))
    assert [file.name for file in first.file.parent.iterdir()] == [first.file.name]


def test_whatever_changes_them_has_a_file_of_its_own(cached: Cached, model: Any) -> None:
    files = [cached().file]
    files.append(cached(rows=ROWS[::-1]).file)
    files.append(cached(images={**IMAGES, "fingerprint": "abd"}).file)
    files.append(cached(output="conv").file)
    files.append(cached(output=layers.ReLU(max_value=1)(model.get_layer("conv").output)).file)
    kernel, bias = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([kernel, bias + 1])
    files.append(cached().file)
    assert len(set(files)) == len(files)


def test_a_row_that_was_not_asked_for(cached: Cached) -> None:
    features = cached()
    with pytest.raises(KeyError, match="row 2"):
        features.read(np.array([0, 2]))


def test_a_damaged_file_is_made_again(cached: Cached) -> None:
    file = cached().file
    whole = file.read_bytes()
    file.write_bytes(whole[:-8])
    assert not cached().from_cache
    assert file.read_bytes() == whole


def test_what_fails_half_way_leaves_nothing(cached: Cached, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(progress=stop)
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_room(cached: Cached, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, snapshot) -> None:
    # What a disk with 100 bytes left answers.
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    with pytest.raises(StorageError) as refused:
        cached()
    assert str(refused.value).replace(str(tmp_path), "<here>") == snapshot
