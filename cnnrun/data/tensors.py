"""Batches for TensorFlow, in an order that depends on nothing but seed, epoch and image.

Two ways lead to the same batches. Pixels that are few enough to stand in the graph are gathered
there, which keeps Python out of the loop (at 8x8 pixels Python costs as much as the training step);
all others are read by Python, a batch at a time, while the step before runs.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.data.images import ImageStore
from cnnrun.data.order import epoch_order
from cnnrun.errors import CnnrunError

Array = NDArray[Any]
Rows = NDArray[np.int64]

# tf.constant copies, so this much is held twice; beyond it a batch costs far more than its Python.
IN_GRAPH_BYTES = 64 * 2**20
BATCHES_AHEAD = 4


@dataclass(frozen=True, eq=False)
class Feed:
    """The images and labels of a manifest, batch by batch.

    Attributes:
        store: the decoded images.
        targets: what the loss compares with, a row for each image of the manifest.
        weights: sample weights for training, a row for each image of the manifest, or None.
        batch_size: images a batch; the last one of an epoch may be smaller.
        in_graph_bytes: up to how many bytes of pixels stand in the graph.
    """

    store: ImageStore
    targets: Array
    weights: Array | None
    batch_size: int
    in_graph_bytes: int = IN_GRAPH_BYTES
    _failures: list[CnnrunError] = field(default_factory=list)

    def training(self, rows: Rows, ids: NDArray[np.uint64], *, seed: int, first_epoch: int) -> Any:
        """Batches of one epoch, in a new order each time that the dataset is iterated.

        Args:
            rows: rows of the manifest, `(images,)`.
            ids: the manifest's ids of these rows, `(images,)`.
            seed: the run's seed.
            first_epoch: the epoch, from 0, that the first iteration yields; the second iteration
                yields the one after it.

        Returns:
            A tf.data.Dataset of `(images, targets)` or `(images, targets, weights)`, images being
            `(batch, height, width, channels)` in the store's dtype.
        """
        epochs = iter(range(first_epoch, 2**31))

        def shuffled_rows() -> Rows:
            return rows[epoch_order(ids, seed=seed, epoch=next(epochs))]

        columns = (self.targets,) if self.weights is None else (self.targets, self.weights)
        return self._batches(columns, shuffled_rows, images=len(rows))

    def evaluation(self, rows: Rows) -> Any:
        """Batches of `(images, targets)` in the order of `rows`, the same at every iteration."""
        return self._batches((self.targets,), lambda: rows, images=len(rows))

    @contextmanager
    def naming_failures(self) -> Iterator[None]:
        """Within the block, an image that breaks raises its own error instead of TensorFlow's.

        Raises:
            CnnrunError: what reading an image raised.
        """
        try:
            yield
        except tf.errors.OpError as error:
            if self._failures:
                raise self._failures[0] from error
            raise

    def _batches(
        self, columns: tuple[Array, ...], order: Callable[[], Rows], *, images: int
    ) -> Any:
        # Not `from_generator`, which changes how the whole process gives memory back.
        orders = tf.data.Dataset.range(1).map(lambda _: tf.numpy_function(order, [], tf.int64))
        rows = orders.unbatch().map(lambda row: tf.ensure_shape(row, ())).batch(self.batch_size)
        tables = tuple(tf.constant(column) for column in columns)
        read = self._reader()
        batches = rows.map(lambda row: (read(row), *(tf.gather(table, row) for table in tables)))
        batches = batches.prefetch(BATCHES_AHEAD).with_options(_options())
        steps = math.ceil(images / self.batch_size)
        return batches.apply(tf.data.experimental.assert_cardinality(steps))

    def _reader(self) -> Callable[[Any], Any]:
        """From rows `(batch,)` to pixels `(batch, height, width, channels)`, both tensors."""
        pixels = self.store.in_memory(self.in_graph_bytes)
        if pixels is not None:
            table = tf.constant(pixels)
            return lambda rows: tf.gather(table, rows)
        shape = (None, *self.store.shape)
        return lambda rows: tf.ensure_shape(
            tf.numpy_function(self._read, [rows], self.store.dtype), shape
        )

    def _read(self, rows: Rows) -> Array:
        try:
            return self.store.read(rows)
        except CnnrunError as error:
            self._failures.append(error)
            raise


def _options() -> Any:
    options = tf.data.Options()
    # The autotuner makes every iterator's end wait for its thread, up to a second an epoch.
    options.autotune.enabled = False
    options.deterministic = True
    return options
