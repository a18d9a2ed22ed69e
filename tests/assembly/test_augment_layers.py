"""`augment.layers` within a training; the oracle of batches is the layers' documented draws."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.augmenting import augment_of
from cnnrun.assembly.measuring import class_numbers
from cnnrun.assembly.preparing import Prepared, prepare
from cnnrun.augment.layers.chain import FAST, links_of
from cnnrun.config.augment_section import AugmentSpec
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.data.order import epoch_order
from cnnrun.data.tensors import Feed
from cnnrun.errors import ConfigError
from cnnrun.runs.events import silent

MakeConfig = Callable[..., Config]

LAYERS: list[Any] = [
    {"ZeroPadding2D": {"padding": 1}},
    {"RandomCrop": {"height": 6, "width": 6}},
    {"RandAugment": {"factor": 0.3}},
    "RandomErasing",
    {"MixUp": {"alpha": 0.4}},
    {"RandomBrightness": {"factor": 0.1}},
    "CutMix",
]


def prepared_of(config: Config, tmp_path: Path) -> Prepared:
    return prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)


def epoch_of(feed: Feed, prepared: Prepared, *, epoch: int) -> list[np.ndarray]:
    """The images, labels and perhaps weights of an epoch."""
    rows = prepared.splits.train
    batches = feed.training(rows, prepared.manifest.ids[rows], seed=0, first_epoch=epoch)
    columns = zip(*batches.as_numpy_iterator(), strict=True)
    return [np.concatenate(column) for column in columns]


@pytest.fixture
def layered(make_config: MakeConfig, tmp_path: Path) -> Prepared:
    return prepared_of(make_config(augment={"zoom_range": 0.1, "layers": LAYERS}), tmp_path)


def test_neither_batch_size_nor_the_epoch_to_begin_with_change_a_bit(layered: Prepared) -> None:
    rows, manifest = layered.splits.train, layered.manifest
    whole = replace(layered.feed, batch_size=1000)
    images, labels = epoch_of(whole, layered, epoch=1)
    assert images.shape == (len(rows), 6, 6, 1)
    for batch_size in (1, 7):
        feed = replace(layered.feed, batch_size=batch_size)
        again, same_labels = epoch_of(feed, layered, epoch=1)
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(labels, same_labels)
    continued = layered.feed.training(rows, manifest.ids[rows], seed=0, first_epoch=0)
    list(continued.as_numpy_iterator())
    second = np.concatenate([batch[0] for batch in continued.as_numpy_iterator()])
    np.testing.assert_array_equal(images, second)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_bit(threads: int) -> None:
    """Oracle: each image by itself."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (20, 64, 64, 3), np.uint8)
    layers = (KerasCall("image_layers", "RandAugment"), KerasCall("image_layers", "MixUp"))
    augment = augment_of(
        AugmentSpec(layers=layers),
        locate=lambda rows: (pixels, rows),
        ids=np.arange(20, dtype=np.uint64),
        training=np.arange(20),
        seed=1,
        image_shape=(64, 64, 3),
        threads=threads,
    )
    assert augment is not None
    alone = np.concatenate([augment(np.array([row]), 3) for row in range(20)])
    np.testing.assert_array_equal(augment(np.arange(20), 3), alone)


def test_a_layer_before_or_behind_moves_no_draw_of_another(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    erasing, inverting = {"RandomErasing": {"fill_value": 7}}, {"RandomInvert": {"factor": [1, 1]}}
    alone = prepared_of(make_config("alone", augment={"layers": [erasing]}), tmp_path)
    behind = prepared_of(make_config("both", augment={"layers": [erasing, inverting]}), tmp_path)
    (one, _), (other, _) = (epoch_of(each.feed, each, epoch=0) for each in (alone, behind))
    np.testing.assert_array_equal(one, 255 - other)


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_partner_and_label_are_of_the_next_image_in_the_epochs_order(
    name: str, make_config: MakeConfig, tmp_path: Path
) -> None:
    """Oracle: the layer of Keras, its permutation told, on the whole epoch as one batch."""
    prepared = prepared_of(make_config(augment={"layers": [name]}), tmp_path)
    manifest, rows = prepared.manifest, prepared.splits.train
    order = rows[epoch_order(manifest.ids[rows], seed=0, epoch=2)]
    (link,) = links_of(prepared.config.augment.layers or (), (6, 6, 1))
    draws = link.draw(manifest.ids[order], seed=0, epoch=2)
    plain = prepared.feed.store.read(order).astype(np.float32)
    one_hot = np.eye(len(manifest.classes), dtype=np.float32)[manifest.labels[order]]
    told = {
        "mix_weight": draws["share"][:, None, None, None] if name == "CutMix" else draws["share"],
        "permutation_order": np.roll(np.arange(len(order)), -1),
    }

    images, labels = epoch_of(prepared.feed, prepared, epoch=2)

    assert prepared.config.train.loss is not None
    assert prepared.config.train.loss.name == "CategoricalCrossentropy"
    expected = getattr(keras.layers, name)().transform_labels(one_hot, told)
    np.testing.assert_allclose(labels, expected, atol=1e-6)
    np.testing.assert_array_equal(
        images, FAST.pair(link, plain.copy(), np.roll(plain, -1, axis=0), draws)
    )
    assert ((labels > 0).sum(axis=1) > 1).mean() > 0.2


def test_of_two_layers_that_mix_the_second_has_other_partners(layered: Prepared) -> None:
    assert layered.feed.mixture is not None
    rows = layered.splits.train
    order = rows[epoch_order(layered.manifest.ids[rows], seed=0, epoch=0)]
    parts, shares = layered.feed.mixture(order, 0)
    expected = np.stack([np.roll(order, -places) for places in (0, 1, 2, 3)], axis=1)
    np.testing.assert_array_equal(parts, expected)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)


def test_each_part_of_a_mixed_image_weighs_what_its_own_image_weighs(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    """Oracle: the sum over the parts of share x weight x cross-entropy with the part's class."""
    config = make_config(
        augment={"layers": ["MixUp"]},
        train={"batch_size": 8, "class_weight": "balanced"},
    )
    prepared = prepared_of(config, tmp_path)
    feed, rows = prepared.feed, prepared.splits.train
    assert feed.mixture is not None
    assert feed.weights is not None
    order = rows[epoch_order(prepared.manifest.ids[rows], seed=0, epoch=0)]
    parts, shares = feed.mixture(order, 0)
    _, labels, weights = epoch_of(feed, prepared, epoch=0)
    classes = len(prepared.manifest.classes)
    given = np.random.default_rng(0).dirichlet(np.ones(classes), len(order))

    entropies = -np.log(given[np.arange(len(order))[:, None], prepared.manifest.labels[parts]])
    expected = (shares * feed.weights[parts] * entropies).sum(axis=1)

    np.testing.assert_allclose(weights * -(labels * np.log(given)).sum(axis=1), expected, rtol=1e-5)


def test_validation_images_and_labels_stay_whole(layered: Prepared) -> None:
    rows = layered.splits.validation
    batches = layered.feed.evaluation(rows).as_numpy_iterator()
    images, labels = (np.concatenate(column) for column in zip(*batches, strict=True))
    np.testing.assert_array_equal(images, layered.feed.store.read(rows))
    np.testing.assert_array_equal(labels.argmax(axis=1), layered.manifest.labels[rows])
    assert set(np.unique(labels)) == {0.0, 1.0}


def test_the_class_of_a_mixed_label_is_that_of_the_larger_share() -> None:
    one_unit = tf.constant([[0.0], [0.3], [0.7], [1.0]])
    assert class_numbers(one_unit).numpy().tolist() == [0, 0, 1, 1]
    three = tf.constant([[0.2, 0.5, 0.3], [0.6, 0.0, 0.4]])
    assert class_numbers(three).numpy().tolist() == [1, 0]


def test_what_only_the_images_tell_is_refused_before_training(
    make_config: MakeConfig, snapshot: SnapshotAssertion
) -> None:
    layers = [{"RandomHue": {"factor": 0.2}}, {"RandomCrop": {"height": 5, "width": 6}}]
    with pytest.raises(ConfigError) as refused:
        augment_of(
            AugmentSpec(
                layers=tuple(KerasCall("image_layers", *each.popitem()) for each in layers)
            ),
            locate=lambda rows: (np.zeros((3, 6, 6, 1), np.uint8), rows),
            ids=np.arange(3, dtype=np.uint64),
            training=np.arange(3),
            seed=0,
            image_shape=(6, 6, 1),
            threads=1,
        )
    assert str(refused.value) == snapshot
