"""A network on several devices: mirrored weights, and each batch shared out among them.

TensorFlow's MirroredStrategy and Keras's own `fit` do the work. What is added makes the numbers
those of one device that sees the whole batch: batch norm takes its statistics of all parts of a
batch, and the loss is a mean over its images, where Keras takes the mean of the parts' means, which
is another number where the last batch of an epoch does not divide.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import keras
import tensorflow as tf

Tensor = Any


def devices_here() -> tuple[tuple[str, ...], bool]:
    """The names of the GPUs that TensorFlow computes with, and that they are GPUs.

    Without any they are its processors: one, unless the process has divided it.
    """
    gpus = tf.config.list_logical_devices("GPU")
    devices = gpus or tf.config.list_logical_devices("CPU")
    return tuple(device.name for device in devices), bool(gpus)


@cache
def _strategy(number: int) -> Any:
    return tf.distribute.MirroredStrategy(list(devices_here()[0][:number]))


def building_on(devices: int) -> AbstractContextManager[Any]:
    """Within the block, a network is built for so many of the devices that there are."""
    return _strategy(devices).scope() if devices > 1 else nullcontext()


def is_mirrored(model: keras.Model) -> bool:
    """Whether a model was built for several devices."""
    return model._distribute_strategy is not None


def compiling(model: keras.Model) -> AbstractContextManager[Any]:
    """Within the block, what is made for a model is made for all of its devices."""
    return model._distribute_strategy.scope() if is_mirrored(model) else nullcontext()


def use_whole_batches(model: keras.Model) -> None:
    """Let batch norm take its statistics of the parts of a batch on all devices together.

    It is `synchronized` of Keras's layer, which `model.keras` then says; on one device it changes
    nothing. Nor does `fit` then look at a batch before the first, to build what is built.
    """
    model._maybe_symbolic_build = _build_nothing
    for layer in model.layers:
        if type(layer) is keras.layers.BatchNormalization:
            layer.synchronized = True


def _build_nothing(**_: Any) -> None:
    """What Keras's trainer would do with a batch of an epoch of its own."""


def make_ready(model: keras.Model) -> None:
    """Make the variables that Keras makes within the first step, where TensorFlow cannot do it."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def on_each_device(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Call what makes variables so that it makes them on all devices that are built for."""
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync == 1:
        function(*arguments)
        return
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # it would say that this is slow, which once it may be
    try:
        strategy.run(function, arguments)
    finally:
        logger.setLevel(level)


class LossOfWholeBatch(keras.losses.Loss):  # type: ignore[misc]
    """A loss of which each device gives the part of its images, and shows the whole batch's.

    The sum of the parts' gradients is the gradient of the loss of the batch on one device.
    """

    def __init__(self, loss: keras.losses.Loss) -> None:
        """A loss that is a sum over images, or a mean."""
        super().__init__(name=loss.name, reduction=loss.reduction)
        self._each = loss
        loss.reduction = "none"

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        """The loss of the batch, a number, divided by the number of devices."""
        losses = self._each(y_true, y_pred, sample_weight)
        part = tf.reduce_sum(losses)
        counted = self._counted(losses, sample_weight)
        total, number = _sums_over_devices([tf.stop_gradient(part), counted])
        divisor = tf.ones_like(number) if self.reduction == "sum" else number
        share = tf.math.divide_no_nan(part, divisor)
        devices = tf.distribute.get_strategy().num_replicas_in_sync
        whole = tf.math.divide_no_nan(total, divisor) / devices
        # The value is the batch's, on every device; the gradient is of this device's images.
        return share + tf.stop_gradient(whole - share)

    def _counted(self, losses: Tensor, sample_weight: Tensor) -> Tensor:
        """What the mean divides by, as far as this device's images go."""
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            return tf.cast(tf.reduce_sum(sample_weight), losses.dtype)
        return tf.cast(tf.size(losses), losses.dtype)


def _sums_over_devices(values: Sequence[Tensor]) -> Sequence[Tensor]:
    here = tf.distribute.get_replica_context()
    sums: Sequence[Tensor] = here.all_reduce(tf.distribute.ReduceOp.SUM, list(values))
    return sums
