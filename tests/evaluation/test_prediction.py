"""Predictions. Oracles: what a run wrote down, and ten lines of Keras for ImageNet's networks."""

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.sections import Config
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.errors import DataError, DownloadError, ModelFileError
from cnnrun.evaluation import prediction
from cnnrun.evaluation.prediction import (
    Classifier,
    Prediction,
    Skipped,
    application_classifier,
    predict,
    run_classifier,
)
from cnnrun.models import imagenet_classes as imagenet
from cnnrun.runs.folder import RunFolder

MakeConfig = Callable[..., Config]


@pytest.fixture
def run(make_trained: Callable[..., RunFolder]) -> RunFolder:
    return make_trained(train={"epochs": 1, "batch_size": 8})


def predicted(classifier: Classifier, images: Sequence[Path], *, top: int) -> list[Prediction]:
    found = list(predict(classifier, images, top=top, on_bad_image="error"))
    assert all(isinstance(each, Prediction) for each in found)
    return [each for each in found if isinstance(each, Prediction)]


def test_a_run_on_arrays_of_any_size_predicts_no_files(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """Only the files that are looked at before the network is loaded are there."""
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, x_train=np.zeros((4, 6, 6, 1), np.uint8), y_train=np.arange(4) % 2)
    found = RunFolder(tmp_path / "run")
    found.path.mkdir()
    found.resolved_yaml.write_text(
        "data: {arrays: ../arrays.npz}\n"
        "model: {layers: [GlobalAveragePooling2D, classifier]}\n"
        "train: {epochs: 1}\n"
    )
    found.classes_json.write_text('["a", "b"]')
    found.model_keras.write_bytes(b"")
    with pytest.raises(DataError) as refusal:
        run_classifier(found)
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot


def test_predictions_are_those_of_predictions_csv(run: RunFolder, image_folder: Path) -> None:
    with run.predictions_csv.open() as file:
        rows = list(csv.DictReader(file))
    images = [image_folder / row["path"] for row in rows]
    assert images
    for row, found in zip(rows, predicted(run_classifier(run), images, top=3), strict=True):
        assert found.image == image_folder / row["path"]
        assert found.classes[0].name == row["prediction"]
        for each, probability in zip(found.classes, found.probabilities, strict=True):
            assert float(row[f"probability of {each.name}"]) == pytest.approx(probability, rel=1e-4)
        assert sum(found.probabilities) == pytest.approx(1)
        assert list(found.probabilities) == sorted(found.probabilities, reverse=True)


def test_many_images_are_predicted_as_few(
    run: RunFolder, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, classifier = sorted(image_folder.rglob("*.png")), run_classifier(run)
    few = predicted(classifier, images, top=3)
    monkeypatch.setattr(prediction, "FROZEN_FROM", len(images))
    for one, other in zip(predicted(classifier, images, top=3), few, strict=True):
        assert one.image == other.image
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-4)


def test_an_image_that_cannot_be_read_ends_the_work_after_those_before_it(
    run: RunFolder, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    good = sorted(image_folder.rglob("*.png"))[:3]
    images = [*good, tmp_path / "broken.png", *good]
    found = predict(run_classifier(run), images, top=1, on_bad_image="error")
    assert [next(found).image for _ in good] == good
    with pytest.raises(DataError) as raised:
        next(found)
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot


def test_images_that_cannot_be_read_are_left_out_on_request(
    run: RunFolder, image_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    good = sorted(image_folder.rglob("*.png"))[:20]
    images = [tmp_path / "broken.png", *good[:9], tmp_path / "broken.png", *good[9:]]
    found = list(predict(run_classifier(run), images, top=1, on_bad_image="skip"))
    assert [each.image for each in found] == images
    assert [index for index, each in enumerate(found) if isinstance(each, Skipped)] == [0, 10]
    alone = predicted(run_classifier(run), good, top=1)
    kept = [each for each in found if isinstance(each, Prediction)]
    assert [each.classes for each in kept] == [each.classes for each in alone]


def test_images_none_of_which_can_be_read(
    run: RunFolder, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError) as raised:
        list(
            predict(run_classifier(run), [tmp_path / "broken.png"] * 2, top=1, on_bad_image="skip")
        )
    assert str(raised.value) == snapshot


@pytest.mark.usefixtures("mobilenet_weights")
def test_a_network_by_name_predicts_what_keras_does(photographs: Path) -> None:
    images = [photographs / "cat.jpg", photographs / "coffee.jpg"]
    pixels = np.stack([decode(image) for image in images]).astype(np.float32)
    model = keras.applications.MobileNet(weights="imagenet")
    raw = model.predict(keras.applications.mobilenet.preprocess_input(pixels), verbose=0)
    expected = keras.applications.mobilenet.decode_predictions(raw, top=5)

    classifier = application_classifier("MobileNet", weights="imagenet", image_size=(224, 224))

    for found, decoded in zip(predicted(classifier, images, top=5), expected, strict=True):
        assert [(each.wnid, each.name) for each in found.classes] == [
            (wnid, name) for wnid, name, _ in decoded
        ]
        np.testing.assert_allclose(
            found.probabilities, [probability for *_, probability in decoded], rtol=1e-3
        )


def decode(image: Path) -> np.ndarray:
    return decode_image(
        image,
        Decoding((224, 224), "rgb", "bilinear", keep_aspect=False),
    )


def test_imagenets_classes_are_those_of_decode_predictions(mobilenet_weights: Path) -> None:
    index = mobilenet_weights.with_name("imagenet_class_index.json")
    assert index.exists()
    decoded = keras.applications.imagenet_utils.decode_predictions(np.eye(1000), top=1)
    assert [(each.wnid, each.name) for each in imagenet.imagenet_classes()] == [
        (wnid, name) for ((wnid, name, _),) in decoded
    ]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of Keras's."""
    monkeypatch.setattr(imagenet, "keras_home", lambda: str(tmp_path))
    return tmp_path / "models"


def test_without_a_network_it_says_what_to_put_where(
    cache: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    def fail(name: str, origin: str, **_: object) -> str:
        raise OSError(f"URL fetch failure on {origin}: None -- [Errno -2] Name not known")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(DownloadError) as raised:
        imagenet.imagenet_classes()
    assert str(raised.value).replace(str(cache), "CACHE") == snapshot


def test_the_names_are_downloaded_once(
    cache: Path,
    mobilenet_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = []

    def fetch(name: str, origin: str, *, cache_dir: Path, cache_subdir: str) -> str:
        print("Downloading data")  # noqa: T201 as Keras does
        calls.append(origin)
        index = mobilenet_weights.with_name("imagenet_class_index.json")
        return str(shutil.copy(index, cache_dir / cache_subdir / name))

    monkeypatch.setattr(keras.utils, "get_file", fetch)
    assert imagenet.imagenet_classes() == imagenet.imagenet_classes()
    assert len(calls) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "downloading the names of ImageNet's classes" in printed.err


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"0": ["n01440764", "tench"]})])
def test_a_damaged_list_of_names(content: str, cache: Path, snapshot: SnapshotAssertion) -> None:
    cache.mkdir()
    (cache / "imagenet_class_index.json").write_text(content)
    with pytest.raises(ModelFileError) as raised:
        imagenet.imagenet_classes()
    assert str(raised.value).replace(str(cache), "CACHE") == snapshot
