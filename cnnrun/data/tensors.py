"""Batches for TensorFlow, in an order that depends on nothing but seed, epoch and image.

Two ways lead to the same batches. Pixels that are few enough to stand in the graph are gathered
there, which keeps Python out of the loop (at 8x8 pixels Python costs as much as the training step);
all others are read by Python, a batch at a time, while the step before runs.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from cnnrun.data.images import ImageStore
from cnnrun.data.order import epoch_order

# tf.constant copies, so this much is held twice; beyond it a batch costs far more than its Python.
IN_GRAPH_BYTES = 64 * 2**20
BATCHES_AHEAD = 4


def training_batches(
    store: ImageStore,
    targets: np.ndarray,
    weights: np.ndarray | None,
    *,
    rows: np.ndarray,
    ids: np.ndarray,
    batch_size: int,
    seed: int,
    first_epoch: int,
) -> Any:
    """Batches of one epoch, shuffled anew each time that the dataset is iterated.

    Args:
        store: the decoded images.
        targets: what the loss compares with, a row for each image of the manifest.
        weights: sample weights, a row for each image of the manifest, or None.
        rows: rows of the manifest that are trained on, `(images,)`.
        ids: the manifest's ids of these rows, `(images,)`.
        batch_size: images a batch; the last one of an epoch may be smaller.
        seed: the run's seed.
        first_epoch: number, from 0, of the epoch that the first iteration yields; the second
            iteration yields the one after it.

    Returns:
        A tf.data.Dataset of `(images, targets)` or `(images, targets, weights)`, images being
        `(batch, height, width, channels)` in the store's dtype.
    """
    epochs = iter(range(first_epoch, 2**31))

    def shuffled_rows() -> np.ndarray:
        return rows[epoch_order(ids, seed=seed, epoch=next(epochs))]

    columns = (targets,) if weights is None else (targets, weights)
    return _batches(store, columns, shuffled_rows, images=len(rows), batch_size=batch_size)


def evaluation_batches(
    store: ImageStore, targets: np.ndarray, *, rows: np.ndarray, batch_size: int
) -> Any:
    """Batches of `(images, targets)` in the order of `rows`, the same at every iteration."""
    return _batches(store, (targets,), lambda: rows, images=len(rows), batch_size=batch_size)


def _batches(
    store: ImageStore,
    columns: tuple[np.ndarray, ...],
    order: Callable[[], np.ndarray],
    *,
    images: int,
    batch_size: int,
) -> Any:
    pixels = store.in_memory(IN_GRAPH_BYTES)
    if pixels is not None:
        dataset = _gathered_in_graph(pixels, columns, order, batch_size=batch_size)
    else:
        dataset = _read_by_python(store, columns, order, batch_size=batch_size)
    dataset = dataset.prefetch(BATCHES_AHEAD).with_options(_options())
    return dataset.apply(tf.data.experimental.assert_cardinality(math.ceil(images / batch_size)))


def _gathered_in_graph(
    pixels: np.ndarray,
    columns: tuple[np.ndarray, ...],
    order: Callable[[], np.ndarray],
    *,
    batch_size: int,
) -> Any:
    tables = tuple(tf.constant(table) for table in (pixels, *columns))

    def one_epoch() -> Iterator[np.ndarray]:
        yield order()

    orders = tf.data.Dataset.from_generator(
        one_epoch, output_signature=tf.TensorSpec((None,), tf.int64)
    )
    batches = orders.unbatch().batch(batch_size)
    return batches.map(lambda rows: tuple(tf.gather(table, rows) for table in tables))


def _read_by_python(
    store: ImageStore,
    columns: tuple[np.ndarray, ...],
    order: Callable[[], np.ndarray],
    *,
    batch_size: int,
) -> Any:
    def one_epoch() -> Iterator[tuple[np.ndarray, ...]]:
        shuffled = order()
        for start in range(0, len(shuffled), batch_size):
            rows = shuffled[start : start + batch_size]
            yield (store.read(rows), *(column[rows] for column in columns))

    signature = (
        tf.TensorSpec((None, *store.shape), store.dtype),
        *(tf.TensorSpec((None, *column.shape[1:]), column.dtype) for column in columns),
    )
    return tf.data.Dataset.from_generator(one_epoch, output_signature=signature)


def _options() -> Any:
    options = tf.data.Options()
    # The autotuner makes every iterator's end wait for its thread, up to a second an epoch.
    options.autotune.enabled = False
    options.deterministic = True
    return options
