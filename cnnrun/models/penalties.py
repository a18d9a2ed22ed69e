"""Networks whose logs tell the loss without what regularizers add to it, and that beside it.

Keras's `loss` is the sum of both. A test's loss is not, and the two could not be compared: the
weights of a network of any size cost more than its mistakes do.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

_OWN: str = "loss_without_penalty"


class PenaltyApart(keras.Model):  # type: ignore[misc]
    """A functional model that learns from loss and penalties together, and logs them apart.

    Where nothing is penalized it is as any model of Keras. It is for training; what is saved is a
    `keras.Model` over the same layers.

    Attributes:
        is_of_penalized: whether it is part of a network that is penalized elsewhere.
    """

    is_of_penalized = False

    def compile(self, *arguments: Any, **named: Any) -> None:
        """Compile as Keras does, with a `penalty` in the logs if there can be one."""
        super().compile(*arguments, **named)
        self._apart = self.is_of_penalized or is_penalized(self)
        if self._apart:
            self._own_loss = keras.metrics.Mean(name=_OWN)
            self._penalty = keras.metrics.Mean(name="penalty")

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The sum that gradients are taken of, in the order in which Keras adds it up."""
        if not self._apart:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        loss = self._compile_loss(y, y_pred, sample_weight)
        # Keras adds half and single precision up only by luck.
        penalties = [
            ops.cast(self._aggregate_additional_loss(penalty), "float32") for penalty in self.losses
        ]
        images = ops.shape(y_pred)[0]
        # Of several devices, each gives its part of a sum.
        devices = tf.distribute.get_strategy().num_replicas_in_sync
        penalty = ops.sum(penalties) * devices if penalties else 0.0
        self._own_loss.update_state(loss * devices, sample_weight=images)
        self._penalty.update_state(penalty, sample_weight=images)
        return ops.sum([loss, *penalties]) if penalties else loss

    def get_metrics_result(self) -> dict[str, Any]:
        """The logs of a step or an epoch."""
        logs = dict(super().get_metrics_result())
        if self._apart:
            logs["loss"] = logs.pop(_OWN)
        return logs


def plain_model(model: keras.Model) -> keras.Model:
    """A model over the same layers that `keras.models.load_model` opens where cnnrun is not there.

    Nor does it hold an optimizer, as a compiled model does.
    """
    return keras.Model(model.input, model.output, name=model.name)


def is_penalized(model: keras.Model) -> bool:
    """Whether a regularizer stands anywhere in a model; what it is on may be frozen for now."""
    return any(
        layer.activity_regularizer is not None
        or any(getattr(weight, "regularizer", None) is not None for weight in layer.weights)
        for layer in model._flatten_layers()
    )
