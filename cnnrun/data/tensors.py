"""Batches for TensorFlow, in an order that depends on nothing but seed, epoch and image.

Two ways lead to the same batches. Pixels that are few enough to stand in the graph are gathered
there, which keeps Python out of the loop (at 8x8 pixels Python costs as much as the training step).
All others, and those that are augmented, are read by Python while the step before runs. Either way
many small batches are made at a time.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.data.input_clock import Waits
from cnnrun.data.mixed_labels import mixed_label_matrix, mixed_targets
from cnnrun.data.order import epoch_order
from cnnrun.errors import CnnrunError

Array = NDArray[Any]
Rows = NDArray[np.int64]
Augment = Callable[[Rows, int], Array]
"""From rows of a batch and the epoch to float32 pixels `(batch, height, width, channels)`."""

Mixture = Callable[[Rows, int], tuple[Rows, NDArray[np.float32]]]
"""From rows of a batch and the epoch to the rows that each image is mixed of, `(batch, parts)`, and
their shares `(batch, parts)`."""

Columns = Callable[[Any, Any], tuple[Any, ...]]
"""From rows and epochs to what stands beside the images, all tensors."""

# tf.constant copies, so this much is held twice; beyond it a batch costs far more than its Python.
IN_GRAPH_BYTES = 64 * 2**20
BATCHES_AHEAD = 4
# About this much is read at once, so that small batches share its overhead.
READ_BYTES = 2**20


class Stored(Protocol):
    """Arrays that are read by row of a manifest, such as decoded images or their features."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of each."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of their numbers."""

    def read(self, rows: Rows) -> Array:
        """The values of some rows, `(rows, ...)`."""

    def in_memory(self, at_most_bytes: int) -> Array | None:
        """All of them, `(rows of the manifest, ...)`, or None if they take more."""


@dataclass(frozen=True, eq=False)
class Feed:
    """The images and labels of a manifest, batch by batch.

    Attributes:
        store: the decoded images, or what else stands for them.
        targets: what the loss compares with, a row for each image of the manifest.
        weights: sample weights for training, a row for each image of the manifest, or None.
        batch_size: images a batch; the last one of an epoch may be smaller.
        augment: what reads training images and augments them, or None.
        mixture: what training images are mixed of, or None if each is itself; the targets then are
            one-hot rows, a column, or several labels.
        targets_are_labels: whether targets are several labels an image, of 1, 0, and -1 for
            unknown.
        in_graph_bytes: up to how many bytes of pixels stand in the graph.
        waits: adds up how long training waits for its batches; None measures nothing.
    """

    store: Stored
    targets: Array
    weights: Array | None
    batch_size: int
    augment: Augment | None = None
    mixture: Mixture | None = None
    targets_are_labels: bool = False
    in_graph_bytes: int = IN_GRAPH_BYTES
    waits: Waits | None = None
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
            `(batch, height, width, channels)` in the store's dtype, or float32 when augmented.
        """
        epochs = iter(range(first_epoch, 2**31))

        def shuffled_rows() -> tuple[Rows, Rows]:
            epoch = next(epochs)
            order = rows[epoch_order(ids, seed=seed, epoch=epoch)]
            return order, np.full(len(order), epoch)

        if self.mixture is None:
            columns = (self.targets,) if self.weights is None else (self.targets, self.weights)
            beside = _gathered(columns)
        else:
            beside = self._mixed(self.mixture)
        batches = self._batches(beside, shuffled_rows, images=len(rows), augment=self.augment)
        return batches if self.waits is None else self.waits.measured(batches)

    def images_of_epoch(
        self, rows: Rows, ids: NDArray[np.uint64], *, seed: int, epoch: int
    ) -> Iterator[Any]:
        """The images of an epoch as `training` gives them, batch by batch, each a tensor."""
        if self.augment is None and self.store.in_memory(self.in_graph_bytes) is not None:
            # Where a batch is not waited for, it is read sooner than a dataset is made.
            order = rows[epoch_order(ids, seed=seed, epoch=epoch)]
            for start in range(0, len(order), self.batch_size):
                yield tf.constant(self.store.read(order[start : start + self.batch_size]))
            return
        for images, *_ in self.training(rows, ids, seed=seed, first_epoch=epoch):
            yield images

    @property
    def image_spec(self) -> Any:
        """What the batches of `training` are in a graph, whatever their size."""
        dtype = np.dtype(np.float32) if self.augment else self.store.dtype
        return tf.TensorSpec((None, *self.store.shape), dtype)

    def evaluation(self, rows: Rows) -> Any:
        """Batches of `(images, targets)` in the order of `rows`, the same at every iteration."""
        pixels = self.store.in_memory(self.in_graph_bytes)
        if pixels is not None:
            whole = tf.data.Dataset.from_tensors((pixels[rows], self.targets[rows]))
            return self._counted(whole.rebatch(self.batch_size), images=len(rows))
        order = rows, np.zeros(len(rows), np.int64)
        beside = _gathered((self.targets,))
        return self._batches(beside, lambda: order, images=len(rows), augment=None)

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
        self,
        beside: Columns,
        order: Callable[[], tuple[Rows, Rows]],
        *,
        images: int,
        augment: Augment | None,
    ) -> Any:
        read = self._reader(augment)

        def complete(rows: Any, epochs: Any) -> tuple[Any, ...]:
            return (read(rows, epochs), *beside(rows, epochs))

        def ordered(_: Any) -> tuple[Any, Any]:
            rows, epochs = tf.numpy_function(order, [], (tf.int64, tf.int64))
            return tf.ensure_shape(rows, (None,)), tf.ensure_shape(epochs, (None,))

        at_once = self._batches_at_once()
        # Not `from_generator`, which changes how the whole process gives memory back.
        start = tf.data.Dataset.range(1)
        if at_once * self.batch_size < images:
            batches = _mapped(start, ordered).rebatch(self.batch_size * at_once)
            batches = _mapped(batches, complete)
        else:  # each function costs an iterator three milliseconds
            batches = _mapped(start, lambda first: complete(*ordered(first)))
        if at_once > 1:
            batches = batches.rebatch(self.batch_size)
        return self._counted(batches, images=images)

    def _counted(self, batches: Any, *, images: int) -> Any:
        """Batches that are made ahead, and whose number is known."""
        batches = batches.prefetch(BATCHES_AHEAD).with_options(dataset_options())
        steps = math.ceil(images / self.batch_size)
        return batches.apply(tf.data.experimental.assert_cardinality(steps))

    def _mixed(self, mixture: Mixture) -> Columns:
        """The labels, and the sample weights if there are any, of mixed images."""

        def mixed(rows: Rows, epochs: Rows) -> tuple[Array, Array]:
            parts, shares = mixture(rows, int(epochs[0]))
            weights = None if self.weights is None else self.weights[parts]
            mix = mixed_label_matrix if self.targets_are_labels else mixed_targets
            return mix(self.targets[parts], shares, weights)

        def columns(rows: Any, epochs: Any) -> tuple[Any, ...]:
            targets, weights = tf.numpy_function(mixed, [rows, epochs], (tf.float32, tf.float32))
            targets = tf.ensure_shape(targets, (None, *self.targets.shape[1:]))
            if self.weights is None:
                return (targets,)
            return targets, tf.ensure_shape(weights, (None, *self.weights.shape[1:]))

        return columns

    def _batches_at_once(self) -> int:
        image_bytes = math.prod(self.store.shape) * self.store.dtype.itemsize
        return max(1, READ_BYTES // (image_bytes * self.batch_size))

    def _reader(self, augment: Augment | None) -> Callable[[Any, Any], Any]:
        """From rows and epochs to pixels `(batch, height, width, channels)`, all tensors."""
        pixels = None if augment else self.store.in_memory(self.in_graph_bytes)
        if pixels is not None:
            every_image = tf.constant(pixels)
            return lambda rows, epochs: tf.gather(every_image, rows)

        def read(rows: Rows, epochs: Rows) -> Array:
            try:
                return augment(rows, int(epochs[0])) if augment else self.store.read(rows)
            except CnnrunError as error:
                self._failures.append(error)
                raise

        dtype = np.dtype(np.float32) if augment else self.store.dtype
        shape = (None, *self.store.shape)
        return lambda rows, epochs: tf.ensure_shape(
            tf.numpy_function(read, [rows, epochs], dtype), shape
        )


def _gathered(columns: tuple[Array, ...]) -> Columns:
    """Columns that each image has for itself."""
    tables = tuple(tf.constant(column) for column in columns)
    return lambda rows, epochs: tuple(tf.gather(table, rows) for table in tables)


def _mapped(dataset: Any, function: Callable[..., Any]) -> Any:
    # AutoGraph would write the source of each function to a file, and has nothing to convert.
    return dataset.map(tf.autograph.experimental.do_not_convert(function))


def dataset_options() -> Any:
    """What keeps a tf.data.Dataset in order, and from waiting for a tuner of its own."""
    options = tf.data.Options()
    # The autotuner makes every iterator's end wait for its thread, up to a second an epoch.
    options.autotune.enabled = False
    options.deterministic = True
    return options
