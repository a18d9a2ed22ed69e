"""The metrics of a config, each given the labels and the scale that it compares.

Keras hands every metric the labels as the loss wants them and the last layer's numbers as they are,
and most metrics then measure something else without a word: AUC cuts at 0 to 1 and gets logits,
F1Score multiplies one-hot rows and gets class numbers. Here each metric of Keras stands in an
adapter, which hands it what its documentation asks for.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from cnnrun.assembly.targets import Output
from cnnrun.config.keras_table import class_of
from cnnrun.config.metric_names import metric_names
from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.keras_objects import keras_object
from cnnrun.models.mirrored import on_each_device

Tensor = Any
View = Callable[[Tensor], Tensor]

_ACCURACY: Final = ("accuracy", "acc")
_HALF: Final = 0.5
_OF_CLASS_NUMBERS: Final = frozenset({"Accuracy", "IoU", "MeanIoU"})
_OF_SPARSE_LABELS: Final = frozenset(
    {
        "SparseCategoricalAccuracy",
        "SparseCategoricalCrossentropy",
        "SparseTopKCategoricalAccuracy",
    }
)
_OF_ALL_CLASSES: Final = frozenset(
    {
        "CategoricalAccuracy",
        "CategoricalCrossentropy",
        "CategoricalHinge",
        "FBetaScore",
        "F1Score",
        "OneHotIoU",
        "OneHotMeanIoU",
        "TopKCategoricalAccuracy",
    }
)
_OF_SCORES: Final = frozenset({"CategoricalHinge", "Hinge", "SquaredHinge"})
"""They compare scores whose sign decides, such as logits."""

_OF_VALUES: Final = frozenset(
    {
        "ConcordanceCorrelation",
        "CosineSimilarity",
        "LogCoshError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredError",
        "MeanSquaredLogarithmicError",
        "PearsonCorrelation",
        "R2Score",
        "RootMeanSquaredError",
    }
)
"""They measure how far numbers are from the labels, so they see what a loss of that kind sees."""


class Measure(keras.metrics.Metric):  # type: ignore[misc]
    """A metric of Keras behind what makes its labels and predictions of the run's."""

    def __init__(self, metric: keras.metrics.Metric, *, name: str, labels: View, given: View):
        super().__init__(name=name)
        self.metric = metric
        self._labels, self._given = labels, given

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Take a batch into account: labels in the loss's form, and what the last layer gave."""
        self.metric.update_state(self._labels(y_true), self._given(y_pred), sample_weight)

    def result(self) -> Tensor:
        """The metric's value over all batches since the last reset."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Forget all batches."""
        self.metric.reset_state()


def measures(metrics: Sequence[KerasCall], output: Output) -> list[Measure]:
    """Keras's metrics for a network's output, each under the name that its logs have.

    Args:
        metrics: the config's.
        output: what the last layer gives.

    Raises:
        ConfigError: a constructor refuses its arguments.
    """
    names = metric_names(metrics, outputs=output.units)
    return [
        _measure(metric, output, each.name) for metric, each in zip(metrics, names, strict=True)
    ]


class LabelMeasure(Measure):
    """A metric of Keras over several labels an image, of which unknown ones count nothing."""

    def __init__(
        self, metric: keras.metrics.Metric, *, name: str, given: View, takes_weights: bool
    ):
        """The metric.

        Args:
            metric: of Keras.
            name: that it has in the logs.
            given: from what the last layer gives to probabilities.
            takes_weights: whether it takes a weight for each label of an image; one that does not
                leaves alone what an image has not and is not said to have.
        """
        super().__init__(metric, name=name, labels=_as_given, given=given)
        self._takes_weights = takes_weights

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> None:
        """Take a batch into account: labels `(batch, labels)` of 1, 0 and -1.

        A mixed image has the labels of which it has more than half.
        """
        given = self._given(y_pred)
        known = ops.cast(y_true >= 0, given.dtype)
        self.metric.update_state(
            ops.cast(y_true > _HALF, given.dtype),
            given * known,
            known if self._takes_weights else None,
        )


def _label_measure(metric: KerasCall, output: Output, name: str) -> Measure:
    kind = class_of("metrics", metric.name) or metric.name
    kind = "BinaryAccuracy" if metric.name in _ACCURACY else kind
    arguments = {**metric.arguments, "name": name}
    is_f_score = kind in ("F1Score", "FBetaScore")
    if is_f_score and arguments.get("threshold") is None:
        arguments["threshold"] = 0.5  # Keras's own is the largest number of each image
    made = keras_object(KerasCall("metrics", kind, arguments), address="train.metrics")
    given = _sigmoid if output.scale == "logits" else _as_given
    return LabelMeasure(made, name=name, given=given, takes_weights=not is_f_score)


def _measure(metric: KerasCall, output: Output, name: str) -> Measure:
    if output.is_multi_label:
        return _with_variables(_label_measure(metric, output, name), output)
    if metric.name in _ACCURACY:
        made, labels, given = _accuracy(output)
        return Measure(made, name=name, labels=labels, given=given)
    kind = class_of("metrics", metric.name) or metric.name
    arguments = {**metric.arguments, "name": name}
    _refuse_few_classes(kind, metric.arguments, output)
    labels, given = _views(kind, metric.arguments, output)
    if kind == "BinaryAccuracy" and output.units == 1 and output.scale == "logits":
        # The sigmoid of a small logit is 0.5 in float32: what cuts is the logit.
        arguments["threshold"] = _logit(float(arguments.get("threshold", 0.5)))
        given = _as_given
    call = KerasCall("metrics", kind, arguments)
    measure = Measure(
        keras_object(call, address="train.metrics"), name=name, labels=labels, given=given
    )
    return _with_variables(measure, output)


def _refuse_few_classes(kind: str, arguments: Mapping[str, Any], output: Output) -> None:
    """Raise where Keras would leave the images of some classes out without a word."""
    counted = arguments.get("num_classes")
    if counted is not None and counted < output.classes:
        raise ConfigError(
            [
                Problem(
                    position=None,
                    address=f"train.metrics.{kind}.num_classes",
                    rule="must be at least the number of classes",
                    received=f"{counted}, and there are {output.classes}",
                    advice=f"write {output.classes}",
                )
            ]
        )


def _accuracy(output: Output) -> tuple[keras.metrics.Metric, View, View]:
    """The share of images whose most probable class is the true one."""
    if output.units > 1:
        return keras.metrics.SparseCategoricalAccuracy(), class_numbers, _as_given
    threshold = 0.0 if output.scale == "logits" else 0.5
    return keras.metrics.BinaryAccuracy(threshold=threshold), _column, _as_given


def _views(kind: str, arguments: Mapping[str, Any], output: Output) -> tuple[View, View]:
    """What makes a metric's labels of the loss's, and its predictions of the last layer's."""
    scale = _scale(kind, arguments, output)
    if kind in _OF_CLASS_NUMBERS:
        is_sparse = kind == "Accuracy" or arguments.get("sparse_y_true", True)
        labels = class_numbers if is_sparse else _one_hot(output)
        is_number = kind == "Accuracy" or arguments.get("sparse_y_pred", True)
        by_class = _by_class(scale, output)
        return labels, (
            lambda given: ops.argmax(by_class(given), axis=-1)
        ) if is_number else by_class
    if kind in _OF_SPARSE_LABELS:
        return class_numbers, _by_class(scale, output)
    if kind in _OF_ALL_CLASSES and arguments.get("threshold") is None:
        labels = _one_hot(output) if not arguments.get("sparse_y_true") else class_numbers
        by_class = _by_class(scale, output)
        if arguments.get("sparse_y_pred"):
            return labels, lambda given: ops.argmax(by_class(given), axis=-1)
        return labels, by_class
    return (_column if output.units == 1 else _one_hot(output)), scale


def _scale(kind: str, arguments: Mapping[str, Any], output: Output) -> View:
    """From what the last layer gives to probabilities, or to what a metric takes in their place."""
    wants_scores = arguments.get("from_logits") or kind in _OF_SCORES
    if output.scale in ("probabilities", "independent") or wants_scores:
        return _as_given
    if output.scale == "values":
        return _as_given if kind in _OF_VALUES or output.units > 1 else _clipped
    return _sigmoid if output.units == 1 else _softmax


def _by_class(scale: View, output: Output) -> View:
    """Predictions with a column for each of two classes where the last layer has one unit."""
    if output.units > 1:
        return scale
    is_score = output.scale == "logits" and scale is _as_given

    def two_columns(given: Tensor) -> Tensor:
        second = scale(given)
        first = ops.zeros_like(second) if is_score else 1 - second
        return ops.concatenate([first, second], axis=-1)

    return two_columns


def class_numbers(labels: Tensor) -> Tensor:
    """Class numbers `(images,)` of labels in any form; see `encode_labels`.

    Of a mixed label it is the class with the largest share.
    """
    if len(labels.shape) == 1:
        return ops.cast(labels, "int32")
    if labels.shape[-1] == 1:
        return ops.cast(labels[:, 0] > 0.5, "int32")
    return ops.cast(ops.argmax(labels, axis=-1), "int32")


def _column(labels: Tensor) -> Tensor:
    return ops.expand_dims(ops.cast(class_numbers(labels), "float32"), axis=-1)


def _one_hot(output: Output) -> View:
    return lambda labels: ops.one_hot(class_numbers(labels), output.classes, dtype="float32")


def _as_given(given: Tensor) -> Tensor:
    return given


def _clipped(given: Tensor) -> Tensor:
    return ops.clip(given, 0.0, 1.0)


def _sigmoid(given: Tensor) -> Tensor:
    return ops.sigmoid(given)


def _softmax(given: Tensor) -> Tensor:
    return ops.softmax(given)


def _logit(probability: float) -> float:
    if not 0 < probability < 1:
        return math.inf if probability >= 1 else -math.inf
    return math.log(probability / (1 - probability))


def _with_variables(measure: Measure, output: Output) -> Measure:
    """The metric with the variables that some make of the first batch, before any graph is."""
    labels = np.zeros((1, output.units), np.float32)
    given = ops.convert_to_tensor(labels), ops.full((1, output.units), 0.5)
    on_each_device(measure.update_state, given)
    measure.reset_state()
    return measure
