"""An extraction's arrays hold what the network makes of each image of its manifest."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from cnnrun.data import content_hashes
from cnnrun.data.decoding import Decoding
from cnnrun.data.file_states import AT_REST_NS
from cnnrun.errors import DataError, FeaturesError, InterruptedRunError
from cnnrun.features import extract
from cnnrun.features.extract import Wanted, extract_features
from cnnrun.features.extraction import Extraction
from cnnrun.features.sources import list_images
from cnnrun.runs.events import ExtractionBegins, ExtractionEvent, ImagesExtracted, Note

WANTED = Wanted(
    title="a network",
    layers=("relu", "dense"),
    pooling="avg",
    precision="float32",
    decoding=Decoding((8, 8), "rgb", "bilinear", keep_aspect=False),
)

Extract = Callable[..., Extraction]


@dataclass
class Told:
    """A listener that remembers."""

    finished: int = 0
    advanced: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __call__(self, event: ExtractionEvent) -> None:
        match event:
            case ExtractionBegins():
                self.finished = event.finished
            case ImagesExtracted():
                self.advanced.append(event.images)
            case Note():
                self.notes.append(event.text)


@pytest.fixture(scope="module")
def model() -> Any:
    """A small network whose weights are positive, so that no sum cancels out in bfloat16."""
    positive = keras.initializers.RandomUniform(0.1, 0.5, seed=1)
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv", kernel_initializer=positive)(
        layers.Rescaling(1 / 255)(inputs)
    )
    x = layers.ReLU(name="relu")(layers.BatchNormalization()(x))
    x = layers.Dense(2, name="dense", kernel_initializer=positive)(layers.Flatten()(x))
    return keras.Model(inputs, x)


@pytest.fixture
def photos(make_images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten colour images of two classes in `photos`, below the current folder."""
    monkeypatch.chdir(tmp_path)
    make_images("photos", {"cat": 4, "dog": 6}, mode="RGB")
    return Path("photos")


@pytest.fixture
def extracted(photos: Path, model: Any) -> Extract:
    """`extract_features` of `photos` into `features`; keyword arguments replace others."""

    def call(**changed: Any) -> Extraction:
        options: dict[str, Any] = {
            "model": model,
            "images": list_images([photos]),
            "wanted": WANTED,
            "out": Path("features"),
            "batch_size": 4,
            "resume": False,
            "on_bad_image": "error",
            "listener": Told(),
        } | changed
        return extract_features(
            options.pop("model"), options.pop("images"), options.pop("wanted"), **options
        )

    return call


def check(model: Any, files: int, *, out: Path = Path("features")) -> None:
    """Every row of the manifest has the features that the model itself gives for its file."""
    lines = (out / "manifest.csv").read_text().splitlines()
    assert lines[0] == "row,file,label,content_hash"
    rows = [line.split(",") for line in lines[1:]]
    assert [int(row) for row, *_ in rows] == list(range(files))
    names = [file for _, file, _, _ in rows]
    assert [label for _, _, label, _ in rows] == [name.split("/")[0] for name in names]
    pixels = [np.asarray(Image.open(f"photos/{name}").convert("RGB"), np.float32) for name in names]
    part = keras.Model(model.inputs[0], [model.get_layer(name).output for name in WANTED.layers])
    whole, dense = part(np.stack(pixels), training=False)
    for layer, expected in (("relu", np.mean(whole, axis=(1, 2))), ("dense", dense)):
        found = np.load(out / f"{layer}.npy", mmap_mode="r")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_every_row_has_the_features_of_its_file(extracted: Extract, model: Any) -> None:
    told = Told()
    extraction = extracted(listener=told)
    check(model, 10)
    assert (extraction.computed, extraction.shapes) == (10, {"relu": (4,), "dense": (2,)})
    assert (told.finished, told.advanced, told.notes) == (0, [4, 4, 2], [])


def test_what_made_them(extracted: Extract, snapshot) -> None:
    extracted()
    description = json.loads(Path("features/features.json").read_text())
    assert description.pop("packages")["keras"] == keras.__version__
    assert len(description.pop("weights_hash")) == 32
    assert description.pop("seconds") > 0
    assert description == snapshot


@pytest.mark.parametrize(
    ("pooling", "shape"),
    [("max", (4,)), ("avg", (4,)), ("flatten", (6 * 6 * 4,)), ("none", (6, 6, 4))],
)
def test_pooling(pooling: Any, shape: tuple[int, ...], extracted: Extract, model: Any) -> None:
    extracted(wanted=replace(WANTED, pooling=pooling))
    found = np.load("features/relu.npy")
    assert found.shape == (10, *shape)
    pixels = np.asarray(Image.open("photos/cat/0000.png"), np.float32)[np.newaxis]
    whole = keras.Model(model.inputs[0], model.get_layer("relu").output)(pixels)[0].numpy()
    expected = {
        "max": whole.max(axis=(0, 1)),
        "avg": whole.mean(axis=(0, 1)),
        "flatten": whole.reshape(-1),
        "none": whole,
    }
    np.testing.assert_allclose(found[0], expected[pooling], rtol=1e-4, atol=1e-5)


def test_only_what_is_new_or_changed_is_computed(extracted: Extract, model: Any) -> None:
    extracted()
    Image.new("RGB", (8, 8), "red").save("photos/dog/0007.png")
    Image.new("RGB", (8, 8), "blue").save("photos/cat/0001.png")
    Path("photos/cat/0003.png").unlink()
    told = Told()
    again = extracted(images=list_images([Path("photos")]), resume=True, listener=told)
    assert (again.computed, told.finished) == (2, 8)
    check(model, 10)


def test_files_that_have_not_changed_are_not_read_again(
    extracted: Extract, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: which files are opened to be hashed, once all have lain there for a while."""
    later = time.time_ns() + 10 * AT_REST_NS
    monkeypatch.setattr(content_hashes.time, "time_ns", lambda: later)
    read: list[str] = []
    look = content_hashes._look
    monkeypatch.setattr(content_hashes, "_look", lambda file: read.append(file.name) or look(file))
    extracted()
    assert len(read) == 10
    del read[:]
    assert extracted(resume=True).computed == 0
    assert read == []
    Image.new("RGB", (8, 8), "red").save("photos/dog/0003.png")
    assert extracted(resume=True).computed == 1
    assert set(read) == {"0003.png"}
    check(model, 10)
    assert not list(Path("photos").rglob("*.npy"))


def test_nothing_to_do(extracted: Extract, model: Any) -> None:
    extracted()
    before = Path("features/relu.npy").read_bytes()
    assert extracted(resume=True).computed == 0
    assert Path("features/relu.npy").read_bytes() == before
    check(model, 10)


def test_ctrl_c_keeps_what_was_finished(extracted: Extract, model: Any, snapshot) -> None:
    class Impatient(Told):
        def __call__(self, event: ExtractionEvent) -> None:
            super().__call__(event)
            if len(self.advanced) == 2:
                raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError) as interrupted:
        extracted(listener=Impatient())
    assert str(interrupted.value) == snapshot
    check(model, 8)
    assert json.loads(Path("features/features.json").read_text())["complete"] is False
    assert extracted(resume=True).computed == 2
    check(model, 10)


def test_a_bad_image_in_the_middle(extracted: Extract, model: Any, snapshot) -> None:
    damaged = Path("photos/dog/0002.png")
    damaged.write_bytes(damaged.read_bytes()[:60])
    with pytest.raises(DataError) as refused:
        extracted()
    assert str(refused.value) == snapshot
    check(model, 7)
    extraction = extracted(resume=True, on_bad_image="skip")
    assert [name for name, _ in extraction.skipped] == ["dog/0002.png"]
    assert "dog/0002.png" not in Path("features/manifest.csv").read_text()
    check(model, 9)


def test_a_bad_image_in_an_extraction_that_is_done_at_once(extracted: Extract, model: Any) -> None:
    Path("photos/dog/0002.png").write_bytes(b"")

    extraction = extracted(on_bad_image="skip")

    assert [name for name, _ in extraction.skipped] == ["dog/0002.png"]
    check(model, 9)


def test_no_image_that_can_be_read(extracted: Extract, photos: Path, snapshot) -> None:
    for file in photos.glob("*/*.png"):
        file.write_bytes(b"")
    with pytest.raises(DataError) as refused:
        extracted(on_bad_image="skip")
    assert str(refused.value) == snapshot


def test_images_that_come_in_almost_black_are_told_of(
    photos: Path, extracted: Extract, model: Any, snapshot
) -> None:
    for file in photos.rglob("*.png"):
        with Image.open(file) as image:
            dark = image.point(lambda value: value // 16)
        dark.save(file)
    told = Told()

    extracted(listener=told)

    assert told.notes == snapshot
    given = replace(WANTED, decoding=replace(WANTED.decoding, value_range=(0, 15)))
    told = Told()
    extracted(listener=told, wanted=given, out=Path("given"))
    assert told.notes == []


def test_grey_images_are_told_of(extracted: Extract, model: Any, snapshot) -> None:
    Image.new("L", (8, 8), 77).save("photos/cat/0001.png")
    told = Told()
    extracted(listener=told)
    assert told.notes == snapshot
    check(model, 10)


@pytest.mark.parametrize(
    "changed",
    [
        {"layers": ("relu",)},
        {"pooling": "max"},
        {"precision": "bfloat16"},
        {"decoding": replace(WANTED.decoding, interpolation="nearest")},
        {"decoding": replace(WANTED.decoding, shrink_on_load=True)},
        {"decoding": replace(WANTED.decoding, value_range=(0, 15))},
    ],
    ids=("layers", "pooling", "precision", "decoding", "shrink_on_load", "value_range"),
)
def test_another_extraction_is_not_gone_on_with(
    changed: dict[str, Any], extracted: Extract, snapshot
) -> None:
    extracted()
    with pytest.raises(FeaturesError) as refused:
        extracted(wanted=replace(WANTED, **changed), resume=True)
    assert str(refused.value) == snapshot


def test_other_weights_are_not_gone_on_with(extracted: Extract, model: Any) -> None:
    extracted()
    other = keras.models.clone_model(model)
    other.set_weights([weight + 0.25 for weight in model.get_weights()])
    with pytest.raises(FeaturesError, match="the network and its weights"):
        extracted(model=other, resume=True)


def test_a_damaged_description(extracted: Extract, snapshot) -> None:
    extracted()
    Path("features/features.json").write_text("{")
    with pytest.raises(FeaturesError) as refused:
        extracted(resume=True)
    assert str(refused.value) == snapshot


@pytest.mark.parametrize("name", ["rleu", "predictions"])
def test_a_layer_that_there_is_not(name: str, extracted: Extract, snapshot) -> None:
    with pytest.raises(FeaturesError) as refused:
        extracted(wanted=replace(WANTED, layers=(name,)))
    assert str(refused.value) == snapshot
    assert not Path("features").exists()


def test_bfloat16_says_how_far_it_is_off(extracted: Extract) -> None:
    told = Told()
    extraction = extracted(wanted=replace(WANTED, precision="bfloat16"), listener=told)
    assert 0 < extraction.errors["dense"] < 0.01
    assert f"bfloat16 changes dense by up to {extraction.errors['dense']:.2%}" in told.notes[1]


def test_bfloat16_that_is_too_far_off(extracted: Extract, snapshot) -> None:
    inputs = keras.Input((8, 8, 3))
    dense = layers.Dense(1, use_bias=False, name="difference")
    # Numbers whose difference is below what bfloat16 tells apart.
    x = dense(layers.Flatten()(layers.Concatenate()([inputs + 10_000.0, -inputs - 9_999.0])))
    dense.set_weights([np.ones_like(dense.kernel)])
    with pytest.raises(FeaturesError) as refused:
        extracted(
            model=keras.Model(inputs, x),
            wanted=replace(WANTED, layers=("difference",), precision="bfloat16"),
        )
    message, _, rest = str(refused.value).partition("received ")
    assert (message, rest.partition(" in ")[2]) == snapshot


def test_images_larger_than_one_commit(extracted: Extract, monkeypatch, model: Any) -> None:
    monkeypatch.setattr("cnnrun.features.writer.COMMIT_S", 0)
    extracted(batch_size=3)
    check(model, 10)


def test_no_more_than_some_batches_are_decoded_ahead(
    extracted: Extract, make_images, monkeypatch
) -> None:
    make_images("more", {"a": 300, "b": 300}, mode="RGB")
    told, ahead = Told(), []
    attempt = extract._attempt

    def counted(*arguments: Any) -> Any:
        counted.decoded += 1
        ahead.append(counted.decoded - sum(told.advanced))
        return attempt(*arguments)

    counted.decoded = 0
    monkeypatch.setattr(extract, "_attempt", counted)
    extracted(images=list_images([Path("more")]), listener=told)
    assert max(ahead) < 200
