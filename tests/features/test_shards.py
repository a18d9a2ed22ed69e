"""Features of shares, merged. Oracle: those that one process computes of all images."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from syrupy.assertion import SnapshotAssertion

from cnnrun.data.decoding import Decoding
from cnnrun.errors import DataError, FeaturesError, InputError
from cnnrun.features import extract as extracting
from cnnrun.features.extract import Wanted, extract_features
from cnnrun.features.extraction import Extraction
from cnnrun.features.inference import fast_inference
from cnnrun.features.shards import images_of_share, merge_shards, refuse_merged, shard_folder
from cnnrun.features.sources import list_images
from cnnrun.runs.events import silent
from cnnrun.runs.work_share import WorkShare, share_of

WANTED = Wanted(
    title="a network",
    layers=("conv", "dense"),
    pooling="avg",
    precision="float32",
    decoding=Decoding((8, 8), "rgb", "bilinear", keep_aspect=False),
)
OUT = Path("features")


@pytest.fixture(scope="module")
def model() -> Any:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(layers.Rescaling(1 / 255)(inputs))
    x = layers.Dense(2, name="dense")(layers.Flatten()(x))
    return keras.Model(inputs, x)


@pytest.fixture
def photos(make_images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fifteen colour images of two classes in `photos`, below the current folder."""
    monkeypatch.chdir(tmp_path)
    make_images("photos", {"cat": 7, "dog": 8}, mode="RGB")
    return Path("photos")


Extract = Callable[..., Extraction]


@pytest.fixture
def extract(photos: Path, model: Any) -> Extract:
    """Extracts a share of the images of `photos`, or all of them into `whole`."""

    def call(share: str | None = None, **changed: Any) -> Extraction:
        images, out = list_images([photos]), Path("whole")
        together = len(images.listed)
        if share is not None:
            part = WorkShare(*map(int, share.split("/")))
            images, out = images_of_share(images, part), shard_folder(OUT, part)
        options: dict[str, Any] = {
            "model": model,
            "wanted": WANTED,
            "batch_size": 4,
            "resume": False,
            "on_bad_image": "skip",
        }
        return extract_features(
            images=images,
            out=out,
            listener=silent,
            together=None if share is None else together,
            **(options | changed),
        )

    return call


def merge() -> Extraction:
    return merge_shards(list_images([Path("photos")]), out=OUT, listener=silent)


def description(folder: Path) -> dict[str, Any]:
    """features.json, but for how long it took."""
    described = json.loads((folder / "features.json").read_text())
    return {key: value for key, value in described.items() if key != "seconds"}


def assert_same_folders() -> None:
    for name in ("manifest.csv", "conv.npy", "dense.npy"):
        assert (OUT / name).read_bytes() == (Path("whole") / name).read_bytes(), name
    assert description(OUT) == description(Path("whole"))
    assert not (OUT / "shards").exists()


@pytest.mark.parametrize("total", [1, 3, 16], ids=["one", "three", "more than images"])
def test_merged_shares_are_what_one_process_computes(total: int, extract: Extract) -> None:
    """Byte for byte, a broken image among them that all skip."""
    Path("photos/dog/3.png").write_bytes(b"no image")
    Path("photos/dog/broken.png").write_bytes(b"no image")
    for number in range(1, total + 1):
        extract(f"{number}/{total}")
    extraction = merge()
    extract()
    assert extraction.computed == 0
    assert [name for name, _ in extraction.skipped] == [
        each["file"] for each in description(Path("whole"))["skipped"]
    ]
    assert extraction.skipped
    assert_same_folders()
    assert np.array_equal(np.load(OUT / "dense.npy"), np.load("whole/dense.npy"))


def test_shares_are_computed_in_batches_of_the_sizes_of_one_process(
    extract: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On which last digits depend: of 15 images by 4, three batches of 4 and one of 3."""
    sizes: list[int] = []

    def watched(*arguments: Any, **options: Any) -> Callable[..., Any]:
        infer = fast_inference(*arguments, **options)

        def call(pixels: Any) -> Any:
            sizes.append(len(pixels))
            return infer(pixels)

        return call

    monkeypatch.setattr(extracting, "fast_inference", watched)
    extract()
    assert sorted(sizes) == [3, 4, 4, 4]
    sizes.clear()
    for number in range(1, 6):
        extract(f"{number}/5")
    assert set(sizes) == {3, 4}
    names = [image.name for image in list_images([Path("photos")]).listed]
    last = {share_of(name, total=5) for name in names[12:]}
    assert sizes.count(3) == len(last)


def test_each_image_is_of_one_share_whatever_others_there_are(photos: Path) -> None:
    images = list_images([photos])
    shares = [WorkShare(number, 4) for number in (1, 2, 3, 4)]
    names = [image.name for share in shares for image in images_of_share(images, share).listed]
    assert sorted(names) == sorted(image.name for image in images.listed)
    (photos / "cat" / "0.png").unlink(missing_ok=True)
    fewer = list_images([photos])
    for share in shares:
        before = {image.name for image in images_of_share(images, share).listed}
        assert {image.name for image in images_of_share(fewer, share).listed} <= before


def test_a_merge_that_was_cut_short_is_gone_on_with(
    extract: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        extract(f"{number}/2")
    from cnnrun.features import shards

    monkeypatch.setattr(shards, "_AT_ONCE_BYTES", 1)

    def stopped(event: object) -> None:
        stopped.count += 1  # type: ignore[attr-defined]
        if stopped.count > 5:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    stopped.count = 0  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        merge_shards(list_images([Path("photos")]), out=OUT, listener=stopped)
    assert (OUT / "shards").exists()
    merge()
    extract()
    assert_same_folders()


def test_what_cannot_be_merged(extract: Extract, model: Any, snapshot: SnapshotAssertion) -> None:
    def refusal() -> str:
        with pytest.raises(InputError) as raised:
            merge()
        return str(raised.value)

    assert refusal() == snapshot(name="no shares")
    extract("1/3")
    extract("3/3")
    assert refusal() == snapshot(name="one is absent")
    extract("2/3", wanted=Wanted(**(vars(WANTED) | {"pooling": "max"})))
    assert refusal() == snapshot(name="one of another pooling")
    extract("1/2")
    assert refusal() == snapshot(name="two divisions")


def test_shares_that_are_not_whole(extract: Extract, snapshot: SnapshotAssertion) -> None:
    extract("1/1")
    place = OUT / "shards" / "1-of-1"
    described = json.loads((place / "features.json").read_text())
    (place / "features.json").write_text(json.dumps(described | {"complete": False}))
    with pytest.raises(FeaturesError) as raised:
        merge()
    assert str(raised.value) == snapshot(name="cut short")
    (place / "features.json").write_text(json.dumps(described))
    Path("photos/dog/new.png").write_bytes(Path("photos/dog").glob("*.png").__next__().read_bytes())
    with pytest.raises(FeaturesError) as raised:
        merge()
    assert str(raised.value) == snapshot(name="a new image")
    extract("1/1", resume=True)
    merge()
    with pytest.raises(FeaturesError) as raised:
        refuse_merged(OUT)
    assert str(raised.value) == snapshot(name="merged already")


def test_nothing_but_broken_images(extract: Extract, photos: Path) -> None:
    for path in photos.rglob("*.png"):
        path.write_bytes(b"no image")
    extract("1/1")
    with pytest.raises(DataError, match="there must be an image that can be decoded whole"):
        merge()
