"""Keras's losses from their descriptions; of several labels an image, those that can be masked."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
from keras import ops

from cnnrun.config.output_rules import loss_class
from cnnrun.config.values import KerasCall
from cnnrun.models.keras_objects import keras_object

Tensor = Any
OfEach = Callable[[Tensor, Tensor], Tensor]
"""From labels and what the last layer gives, both `(batch, labels)`, to losses of that shape."""


def loss_object(loss: KerasCall, *, by_label: bool) -> keras.losses.Loss:
    """A loss of Keras.

    Args:
        loss: which one, with its arguments.
        by_label: whether an image has several labels, or none, each judged on its own.

    Raises:
        ConfigError: its constructor refuses the arguments.
    """
    call = KerasCall("losses", loss_class(loss), loss.arguments) if by_label else loss
    made = keras.losses.get(keras_object(call, address="train.loss"))
    return LabelLoss(_OF_EACH[call.name](made.get_config())) if by_label else made


class LabelLoss(keras.losses.Loss):  # type: ignore[misc]
    """The loss of each label of an image, of which those that are unknown (-1) count nothing.

    The mean of `(batch, labels)` losses is the mean over images of the mean over the labels of
    each that are known; where all are, that is what the loss of Keras gives.
    """

    def __init__(self, of_each: OfEach) -> None:
        super().__init__(name="label_loss")
        self._of_each = of_each

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The losses, `(batch, labels)`."""
        known = ops.cast(y_true >= 0, y_pred.dtype)
        losses = self._of_each(ops.maximum(y_true, 0), y_pred)
        number = ops.maximum(ops.sum(known, axis=-1, keepdims=True), 1)
        return losses * known * (y_pred.shape[-1] / number)


def _cross_entropy(arguments: Mapping[str, Any]) -> OfEach:
    """Each term of Keras's BinaryCrossentropy, before its mean over the labels."""
    smoothing, from_logits = arguments["label_smoothing"], arguments["from_logits"]
    return lambda labels, given: ops.binary_crossentropy(
        _smoothed(labels, smoothing), given, from_logits=from_logits
    )


def _focal(arguments: Mapping[str, Any]) -> OfEach:
    """Each term of Keras's BinaryFocalCrossentropy, before its mean over the labels."""

    def of_each(labels: Tensor, given: Tensor) -> Tensor:
        labels = _smoothed(labels, arguments["label_smoothing"])
        probability = ops.sigmoid(given) if arguments["from_logits"] else given
        of_truth = labels * probability + (1 - labels) * (1 - probability)
        losses = ops.power(1 - of_truth, arguments["gamma"]) * ops.binary_crossentropy(
            labels, probability
        )
        if arguments["apply_class_balancing"]:
            alpha = arguments["alpha"]
            losses *= labels * alpha + (1 - labels) * (1 - alpha)
        return losses

    return of_each


def _smoothed(labels: Tensor, smoothing: float) -> Tensor:
    return labels * (1 - smoothing) + 0.5 * smoothing if smoothing else labels


_OF_EACH: Final[Mapping[str, Callable[[Mapping[str, Any]], OfEach]]] = {
    "BinaryCrossentropy": _cross_entropy,
    "BinaryFocalCrossentropy": _focal,
}
