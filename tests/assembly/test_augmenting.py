"""Augmentation within a training; the oracle is the engine applied to the documented draws."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnrun.assembly.augmenting import augment_of
from cnnrun.assembly.preparing import Prepared, prepare
from cnnrun.augment import fast_engine
from cnnrun.augment.draws import draw
from cnnrun.config.augment_section import AugmentSpec
from cnnrun.config.sections import Config
from cnnrun.data.order import epoch_order
from cnnrun.data.tensors import Feed
from cnnrun.runs.events import silent
from cnnrun.runs.metrics import read_epochs
from cnnrun.training.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]

ALL = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "zoom_range": 0.2,
    "horizontal_flip": True,
    "channel_shift_range": 30,
    "fill_mode": "constant",
}


def prepared_of(config: Config, tmp_path: Path) -> Prepared:
    return prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)


def epoch_of(feed: Feed, prepared: Prepared, *, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    rows = prepared.splits.train
    batches = feed.training(rows, prepared.manifest.ids[rows], seed=0, first_epoch=epoch)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


@pytest.mark.parametrize("batch_size", [1, 8, 1000])
def test_batches_are_the_drawn_images_whatever_their_size(
    batch_size: int, make_config: MakeConfig, tmp_path: Path
) -> None:
    prepared = prepared_of(make_config(augment=ALL), tmp_path)
    feed = replace(prepared.feed, batch_size=batch_size)
    manifest, rows = prepared.manifest, prepared.splits.train
    for epoch in (0, 4):
        order = rows[epoch_order(manifest.ids[rows], seed=0, epoch=epoch)]
        draws = draw(
            manifest.ids[order],
            seed=0,
            epoch=epoch,
            image_size=(6, 6),
            rotation_range=20,
            width_shift_range=0.2,
            height_shift_range=0.2,
            shear_range=0.0,
            zoom_range=0.2,
            horizontal_flip=True,
            vertical_flip=False,
            brightness_range=None,
            channel_shift_range=30,
        )
        expected = fast_engine.apply(
            feed.store.read(order),
            draws,
            fill_mode="constant",
            cval=0.0,
            interpolation_order=1,
            threads=1,
        )
        images, labels = epoch_of(feed, prepared, epoch=epoch)
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, manifest.labels[order])


def test_validation_images_are_never_augmented(make_config: MakeConfig, tmp_path: Path) -> None:
    prepared = prepared_of(make_config(augment=ALL), tmp_path)
    rows = prepared.splits.validation
    images = np.concatenate(
        [images for images, _ in prepared.feed.evaluation(rows).as_numpy_iterator()]
    )
    np.testing.assert_array_equal(images, prepared.feed.store.read(rows))


def test_an_option_moves_neither_the_order_nor_other_draws(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    flipped = prepared_of(make_config(augment={"horizontal_flip": True}), tmp_path)
    also_up = prepared_of(
        make_config(augment={"horizontal_flip": True, "vertical_flip": True}), tmp_path
    )
    one, labels = epoch_of(flipped.feed, flipped, epoch=1)
    other, same_labels = epoch_of(also_up.feed, also_up, epoch=1)
    np.testing.assert_array_equal(labels, same_labels)
    upside_down = [
        np.array_equal(image, same[::-1]) and not np.array_equal(image, same)
        for image, same in zip(one, other, strict=True)
    ]
    unmoved = [np.array_equal(image, same) for image, same in zip(one, other, strict=True)]
    assert sum(upside_down) + sum(unmoved) == len(one)
    assert 5 < sum(upside_down) < len(one) - 5


def test_both_engines_train_to_nearly_the_same(make_config: MakeConfig, tmp_path: Path) -> None:
    losses = []
    for engine in ("fast", "keras"):
        config = make_config(engine, augment=ALL | {"engine": engine})
        run = train(config, experiments=tmp_path, into=tmp_path / engine, listener=silent)
        losses.append([row.values["loss"] for row in read_epochs(run)])
    np.testing.assert_allclose(*losses, rtol=1e-4)


@pytest.mark.parametrize(
    ("section", "augments"),
    [({}, False), ({"fill_mode": "wrap", "engine": "keras"}, False), ({"zoom_range": 0.1}, True)],
)
def test_only_what_moves_pixels_goes_through_the_engine(
    section: dict[str, Any], augments: bool, make_config: MakeConfig
) -> None:
    spec: AugmentSpec = make_config(augment=section).augment
    found = augment_of(
        spec,
        locate=lambda rows: (np.zeros((3, 4, 4, 1), np.uint8), rows),
        ids=np.arange(3, dtype=np.uint64),
        training=np.arange(3),
        seed=0,
        image_shape=(4, 4, 1),
        threads=1,
    )
    assert (found is not None) == augments
