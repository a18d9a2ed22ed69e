"""How long those who read a dataset waited for its batches."""

from typing import Any, final

import tensorflow as tf


@final
class Waits:
    """Adds up the time between asking for a batch and getting it.

    The clock stands in the dataset itself, so that batches which a graph reads are counted too.
    """

    def __init__(self) -> None:
        self._seconds: Any = None

    @property
    def seconds(self) -> float:
        """The sum so far."""
        return 0.0 if self._seconds is None else float(self._seconds.numpy())

    def measured(self, batches: Any) -> Any:
        """A dataset's batches, a tf.data.Dataset of known length, with a clock around each.

        Args:
            batches: tuples of tensors; nothing may be prefetched behind what this returns.
        """
        if self._seconds is None:  # not before: with the first variable the threads are chosen
            self._seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        steps = batches.cardinality()
        # A zip asks its parts in turn: the first one tells when.
        asked = tf.data.Dataset.range(steps).map(lambda _: tf.timestamp())

        def counted(asked: Any, batch: Any) -> Any:
            with tf.control_dependencies([self._seconds.assign_add(tf.timestamp() - asked)]):
                return tf.nest.map_structure(tf.identity, batch)

        zipped = tf.data.Dataset.zip((asked, batches)).map(
            tf.autograph.experimental.do_not_convert(counted)
        )
        return zipped.apply(tf.data.experimental.assert_cardinality(steps))
