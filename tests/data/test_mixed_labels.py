"""Labels of mixed images. Oracles: plain numpy, label by label, and Keras's MixUp and losses."""

import keras
import numpy as np
import pytest

from cnnrun.config.values import KerasCall
from cnnrun.data.mixed_labels import mixed_label_matrix
from cnnrun.data.tensors import Feed
from cnnrun.models.losses import LabelLoss, loss_object

TARGETS = np.array(
    [[[1, 0, -1, 1], [0, 0, 1, 1]], [[-1, 1, 0, 1], [1, 1, 0, -1]]], dtype=np.float32
)
"""Two images of two parts, of four labels."""
SHARES = np.array([[0.75, 0.25], [1.0, 0.0]], np.float32)


def test_a_label_is_mixed_by_the_shares_and_unknown_where_it_is_of_a_part() -> None:
    labels, weights = mixed_label_matrix(TARGETS, SHARES, None)
    # Of the second image the other one has no share, so that what is unknown of it does not count.
    np.testing.assert_allclose(labels, [[0.75, 0, -1, 1], [-1, 1, 0, 1]])
    np.testing.assert_allclose(weights, 1)


def test_known_labels_are_mixed_as_keras_mixes_them() -> None:
    random = np.random.default_rng(0)
    labels = (random.random((6, 3)) < 0.4).astype(np.float32)
    layer = keras.layers.MixUp(alpha=0.4, seed=1)
    images = np.zeros((6, 4, 4, 1), np.float32)
    drawn = layer.get_random_transformation({"images": images, "labels": labels})
    of_first = np.asarray(drawn["mix_weight"]).reshape(6)
    partner = np.asarray(drawn["permutation_order"])
    expected = np.asarray(layer.transform_labels(labels, drawn))
    shares = np.stack([of_first, 1 - of_first], axis=1).astype(np.float32)
    found, _ = mixed_label_matrix(np.stack([labels, labels[partner]], axis=1), shares, None)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("weights", [None, [[0.5, 2, 1, 3], [1, 1, 4, 0]]])
def test_the_loss_of_a_mixed_image_is_that_of_its_parts(weights) -> None:
    random = np.random.default_rng(0)
    targets = (random.random((5, 2, 4)) < 0.5).astype(np.float32)
    first = random.random(5).astype(np.float32)
    shares = np.stack([first, 1 - first], axis=1)
    of_parts = None if weights is None else np.tile(np.float32(weights), (5, 1, 1))
    given = random.uniform(0.05, 0.95, (5, 4)).astype(np.float32)
    labels, mixed_weights = mixed_label_matrix(targets, shares, of_parts)
    loss = loss_object(KerasCall("losses", "BinaryCrossentropy"), by_label=True)
    assert isinstance(loss, LabelLoss)
    found = np.asarray(loss.call(labels, given)) * mixed_weights
    terms = -(targets * np.log(given[:, None]) + (1 - targets) * np.log(1 - given[:, None]))
    counted = 1 if of_parts is None else of_parts
    expected = (shares[:, :, None] * counted * terms).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=2e-4)
    if weights is None:
        keras_loss = keras.losses.BinaryCrossentropy()(labels, given)
        assert float(loss(labels, given)) == pytest.approx(float(keras_loss), rel=1e-6)


class Pixels:
    """Two images of one pixel each."""

    shape = (1, 1, 1)
    dtype = np.dtype(np.uint8)

    def read(self, rows: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), 1, 1, 1), np.uint8)

    def in_memory(self, at_most_bytes: int) -> np.ndarray:
        return self.read(np.arange(2))


@pytest.mark.parametrize("weights", [None, np.array([[1, 2, 1], [1, 1, 3]], np.float32)])
def test_training_batches_have_mixed_labels_and_their_weights(weights) -> None:
    labels = np.array([[1, 0, -1], [0, 0, 1]], np.float32)
    feed = Feed(
        Pixels(),
        labels,
        weights,
        batch_size=2,
        mixture=lambda rows, epoch: (
            np.stack([rows, 1 - rows], axis=1),
            np.full((len(rows), 2), [0.75, 0.25], np.float32),
        ),
        targets_are_labels=True,
    )
    rows = np.arange(2)
    ((_, *beside),) = feed.training(rows, rows.astype(np.uint64), seed=0, first_epoch=0)
    first = int(np.argmax(beside[0][:, 0]))  # batches have an order of their own
    np.testing.assert_allclose(beside[0][first], [0.75, 0, -1])
    np.testing.assert_allclose(beside[0][1 - first], [0.25, 0, -1])
    if weights is not None:
        np.testing.assert_allclose(beside[1][first], [1, 1.75, 1.5])
        np.testing.assert_allclose(beside[1][1 - first], [1, 1.25, 2.5])
