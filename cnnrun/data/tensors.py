"""Batches for TensorFlow, in an order that depends on nothing but seed, epoch and image.

Two ways lead to the same batches. Pixels that are few enough to stand in the graph are gathered
there, which keeps Python out of the loop (at 8x8 pixels Python costs as much as the training step);
all others are read by Python, a batch at a time, while the step before runs.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.data.images import ImageStore
from cnnrun.data.order import epoch_order

Array = NDArray[Any]
Rows = NDArray[np.int64]
ReadRows = Callable[[Any], tuple[Any, ...]]

# tf.constant copies, so this much is held twice; beyond it a batch costs far more than its Python.
IN_GRAPH_BYTES = 64 * 2**20
BATCHES_AHEAD = 4


def training_batches(
    store: ImageStore,
    targets: Array,
    weights: Array | None,
    *,
    rows: Rows,
    ids: NDArray[np.uint64],
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

    def shuffled_rows() -> Rows:
        return rows[epoch_order(ids, seed=seed, epoch=next(epochs))]

    columns = (targets,) if weights is None else (targets, weights)
    return _batches(store, columns, shuffled_rows, images=len(rows), batch_size=batch_size)


def evaluation_batches(store: ImageStore, targets: Array, *, rows: Rows, batch_size: int) -> Any:
    """Batches of `(images, targets)` in the order of `rows`, the same at every iteration."""
    return _batches(store, (targets,), lambda: rows, images=len(rows), batch_size=batch_size)


def _batches(
    store: ImageStore,
    columns: tuple[Array, ...],
    order: Callable[[], Rows],
    *,
    images: int,
    batch_size: int,
) -> Any:
    # Not `from_generator`, which changes how the whole process gives memory back.
    orders = tf.data.Dataset.range(1).map(lambda _: tf.numpy_function(order, [], tf.int64))
    rows = orders.unbatch().map(lambda row: tf.ensure_shape(row, ())).batch(batch_size)
    batches = rows.map(_read_in_graph(store, columns) or _read_by_python(store, columns))
    batches = batches.prefetch(BATCHES_AHEAD).with_options(_options())
    return batches.apply(tf.data.experimental.assert_cardinality(math.ceil(images / batch_size)))


def _read_in_graph(store: ImageStore, columns: tuple[Array, ...]) -> ReadRows | None:
    pixels = store.in_memory(IN_GRAPH_BYTES)
    if pixels is None:
        return None
    tables = tuple(tf.constant(table) for table in (pixels, *columns))
    return lambda rows: tuple(tf.gather(table, rows) for table in tables)


def _read_by_python(store: ImageStore, columns: tuple[Array, ...]) -> ReadRows:
    tables = tuple(tf.constant(table) for table in columns)

    def read(rows: Any) -> tuple[Any, ...]:
        pixels = tf.numpy_function(store.read, [rows], store.dtype)
        pixels = tf.ensure_shape(pixels, (None, *store.shape))
        return (pixels, *(tf.gather(table, rows) for table in tables))

    return read


def _options() -> Any:
    options = tf.data.Options()
    # The autotuner makes every iterator's end wait for its thread, up to a second an epoch.
    options.autotune.enabled = False
    options.deterministic = True
    return options
