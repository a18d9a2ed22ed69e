"""Batches as tensors; the oracle is the store read in the documented order."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.images import ImageStore, open_images
from cnnrun.data.manifest import Manifest
from cnnrun.data.order import epoch_order
from cnnrun.data.tensors import Augment, Feed
from cnnrun.errors import DataError

IN_GRAPH, BY_PYTHON = 2**20, 0


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(11):
            pixels = generator.integers(0, 256, size=(4, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    return manifest_from_directory(tmp_path / "images", classes=None, partial=False)


def store_of(manifest: Manifest, tmp_path: Path, *, memory_bytes: int = 2**20) -> ImageStore:
    return open_images(
        manifest,
        np.arange(len(manifest)),
        Decoding((4, 5), "rgb", "bilinear", keep_aspect=False),
        memory_bytes=memory_bytes,
        on_bad_image="error",
        cache_folder=tmp_path,
    )


@pytest.mark.parametrize("in_graph_bytes", [IN_GRAPH, BY_PYTHON])
@pytest.mark.parametrize("batch_size", [4, 7, 100])
def test_training_batches_follow_the_order_of_their_epoch(
    in_graph_bytes: int, batch_size: int, manifest: Manifest, tmp_path: Path
) -> None:
    store = store_of(manifest, tmp_path)
    rows = np.arange(0, 22, 2)
    ids = manifest.ids[rows]
    weights = np.linspace(0, 1, 22, dtype=np.float32)
    feed = Feed(store, manifest.labels, weights, batch_size, in_graph_bytes=in_graph_bytes)
    dataset = feed.training(rows, ids, seed=3, first_epoch=5)
    assert int(dataset.cardinality()) == -(-11 // batch_size)
    for epoch in (5, 6):
        order = rows[epoch_order(ids, seed=3, epoch=epoch)]
        batches = [tuple(part.numpy() for part in batch) for batch in dataset]
        assert [len(labels) for _, labels, _ in batches[:-1]] == [batch_size] * (len(batches) - 1)
        for column, expected in enumerate(
            (store.read(order), manifest.labels[order], weights[order])
        ):
            together = np.concatenate([batch[column] for batch in batches])
            np.testing.assert_array_equal(together, expected)
            assert together.dtype == expected.dtype


@pytest.mark.parametrize("in_graph_bytes", [IN_GRAPH, BY_PYTHON])
@pytest.mark.parametrize("is_augmented", [False, True])
def test_the_images_of_an_epoch_are_those_of_its_training_batches(
    in_graph_bytes: int, is_augmented: bool, manifest: Manifest, tmp_path: Path
) -> None:
    store = store_of(manifest, tmp_path)
    rows = np.arange(0, 22, 2)
    ids = manifest.ids[rows]
    augment: Augment | None = None
    if is_augmented:
        augment = lambda rows, epoch: store.read(rows).astype(np.float32) + epoch  # noqa: E731
    feed = Feed(store, manifest.labels, None, 4, augment, in_graph_bytes=in_graph_bytes)
    training = [images for images, _ in feed.training(rows, ids, seed=3, first_epoch=5)]
    alone = list(feed.images_of_epoch(rows, ids, seed=3, epoch=5))
    assert [len(images) for images in alone] == [4, 4, 3]
    for images, expected in zip(alone, training, strict=True):
        np.testing.assert_array_equal(images.numpy(), expected.numpy())
        assert feed.image_spec.is_compatible_with(images)


@pytest.mark.parametrize("in_graph_bytes", [IN_GRAPH, BY_PYTHON])
def test_evaluation_batches_are_the_same_every_time(
    in_graph_bytes: int, manifest: Manifest, tmp_path: Path
) -> None:
    store = store_of(manifest, tmp_path)
    rows = np.array([3, 1, 20])
    dataset = Feed(store, manifest.labels, None, 2, in_graph_bytes=in_graph_bytes).evaluation(rows)
    for _ in range(2):
        images, labels = zip(*dataset.as_numpy_iterator(), strict=True)
        np.testing.assert_array_equal(np.concatenate(images), store.read(rows))
        np.testing.assert_array_equal(np.concatenate(labels), manifest.labels[rows])


def test_an_image_that_breaks_in_an_epoch_is_named(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No room in memory nor on the disk: every read decodes again.
    monkeypatch.setattr("cnnrun.data.pixel_memory.DISK_BYTES_LEFT_FREE", 2**60)
    store = store_of(manifest, tmp_path, memory_bytes=0)
    assert store.kept_in == "nothing"
    feed = Feed(store, manifest.labels, None, 4)
    dataset = feed.training(np.arange(22), manifest.ids, seed=0, first_epoch=0)
    manifest.file(7).write_bytes(b"no longer an image")
    with pytest.raises(DataError, match=manifest.paths[7]), feed.naming_failures():
        list(dataset)
