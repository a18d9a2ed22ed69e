"""Predictions of shares, merged. Oracle: the file of one process, byte for byte."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.targets import Output
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.errors import InputError
from cnnrun.evaluation.predict_to_file import Wanted, Written, predict_to_file
from cnnrun.evaluation.prediction import Classifier, NamedClass
from cnnrun.evaluation.prediction_file import description_of
from cnnrun.evaluation.prediction_shards import (
    images_of_share,
    merge_predictions,
    shard_file,
    shards_of,
)
from cnnrun.runs.events import silent
from cnnrun.runs.work_share import WorkShare

DECODING = Decoding((6, 6), "rgb", "bilinear", keep_aspect=False)
ALL = Path("all.csv")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """A network with random weights, four images at a time."""
    pixels = keras.Input((6, 6, 3))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, keras.layers.Dense(3, activation="softmax")(flat))
    return Classifier(
        model=model,
        output=Output(3, "probabilities"),
        classes=tuple(map(NamedClass, ("cat", "dog", "owl"))),
        decode=lambda image: decode_image(image, decoding=DECODING),
        decoding=DECODING,
        batch_size=4,
        is_float32=True,
        notes=(),
    )


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    """18 images below the current folder, one of which is broken."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    files = [Path("photos") / f"{number:02}.png" for number in range(18)]
    Path("photos").mkdir()
    for file in files:
        Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).save(file)
    files[5].write_bytes(b"no image")
    return tuple(files)


Predict = Callable[..., Written]


@pytest.fixture
def predicted(classifier: Classifier, images: tuple[Path, ...]) -> Predict:
    """Predicts a share into its file, or all into `whole.csv`."""

    def call(share: str | None = None, *, resume: bool = False, **changed: object) -> Written:
        wanted = Wanted("a network", None, images, {}, None, top=2, on_bad_image="skip")
        file = Path("whole.csv")
        if share is not None:
            part = WorkShare(*map(int, share.split("/")))
            names = tuple(images_of_share(images, part, batch_size=classifier.batch_size))
            wanted = replace(wanted, images=names, together=len(images))
            file = shard_file(ALL, part)
            file.parent.mkdir(exist_ok=True)
        wanted = replace(wanted, **changed)
        return predict_to_file(classifier, wanted, file, resume=resume, listener=silent)

    return call


@pytest.mark.parametrize("total", [1, 3, 7], ids=["one", "three", "more than batches"])
def test_merged_shares_are_what_one_process_predicts(
    total: int, predicted: Predict, images: tuple[Path, ...]
) -> None:
    for number in range(1, total + 1):
        predicted(f"{number}/{total}")
    assert merge_predictions(images, ALL) == 1
    predicted()
    assert ALL.read_bytes() == Path("whole.csv").read_bytes()
    one, other = (json.loads(description_of(path).read_text()) for path in (ALL, Path("whole.csv")))
    assert one == other
    assert not shards_of(ALL).exists()


def test_a_share_of_broken_images_alone_is_whole(
    predicted: Predict, images: tuple[Path, ...]
) -> None:
    for image in images[:4]:
        image.write_bytes(b"no image")
    assert predicted("1/5").skipped == 4


def test_what_cannot_be_merged(
    predicted: Predict, images: tuple[Path, ...], snapshot: SnapshotAssertion
) -> None:
    def refusal() -> str:
        with pytest.raises(InputError) as raised:
            merge_predictions(images, ALL)
        return str(raised.value)

    assert refusal() == snapshot(name="no shares")
    predicted("1/2")
    assert refusal() == snapshot(name="one is absent")
    predicted("2/2", top=1)
    assert refusal() == snapshot(name="other settings")
    for path in shards_of(ALL).glob("2-of-2*"):
        path.unlink()
    predicted("2/2")
    second = shard_file(ALL, WorkShare(2, 2))
    lines = second.read_bytes().splitlines(keepends=True)
    second.write_bytes(b"".join(lines[:-1]))
    assert refusal() == snapshot(name="cut short")
    predicted("2/2", resume=True)
    assert second.read_bytes() == b"".join(lines)
    description_of(shard_file(ALL, WorkShare(1, 2))).write_text("{")
    assert refusal() == snapshot(name="damaged")
