"""The loss that fits a network's last layer, and labels in the form which that loss compares with.

Of one label an image Keras has three forms: class numbers (the sparse losses), a column of 0 and 1
(binary losses over one unit), and one-hot rows (all others). Of several labels an image the form is
a matrix, a column a label, of 1, 0, and -1 for unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax

from cnnrun.calibration.label_map import floored_log_odds
from cnnrun.calibration.probability_map import floored_logarithm
from cnnrun.config.output_rules import BETWEEN_0_AND_1, PASSES_ON, SUMS_TO_ONE, takes_scores
from cnnrun.config.values import KerasCall

FloatArray = NDArray[Any]
LabelArray = NDArray[np.int32]

Form = Literal["numbers", "column", "one_hot", "matrix"]


@dataclass(frozen=True)
class Output:
    """What the network's last layer gives.

    Attributes:
        units: size of the last axis; one unit tells two classes apart.
        scale: "probabilities", "independent" (a sigmoid a unit), "logits", or "values", which the
            loss brings near to 0 and 1 without their being bound to that.
        is_multi_label: whether each unit judges a label of its own, several of which an image may
            have; else they are classes.
    """

    units: int
    scale: Literal["probabilities", "independent", "logits", "values"]
    is_multi_label: bool = False

    @property
    def classes(self) -> int:
        """How many classes it tells apart, or labels it judges."""
        return self.units if self.is_multi_label else max(self.units, 2)


def output_of(
    model: keras.Model, loss: KerasCall | None, *, is_multi_label: bool = False
) -> Output:
    """What the last layer gives, by its activation and by what the loss makes of it.

    Args:
        model: the network.
        loss: the config's, or None if that is to follow from the last layer.
        is_multi_label: whether an image may have several labels, or none.
    """
    name, units = last_activation(model), int(model.output_shape[-1])
    if name in SUMS_TO_ONE:
        return Output(units, "probabilities", is_multi_label)
    if name in BETWEEN_0_AND_1:
        return Output(units, "independent", is_multi_label)
    is_score = loss is None or takes_scores(loss)
    return Output(units, "logits" if is_score else "values", is_multi_label)


def last_activation(model: keras.Model) -> str:
    """The activation of the last layer that computes something, "linear" if it has none."""
    names = (_activation_name(layer) for layer in reversed(model.layers))
    return next((name for name in names if name is not None), "linear")


def _activation_name(layer: keras.Layer) -> str | None:
    """A layer's activation; None for layers that pass on what they get."""
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    name = str(getattr(getattr(layer, "activation", None), "__name__", "linear"))
    is_cast = isinstance(layer, keras.layers.Activation) and name == "linear"
    return None if is_cast or type(layer).__name__ in PASSES_ON else name


def default_loss(output: Output, *, mixes_labels: bool) -> KerasCall:
    """The loss that follows from the last layer when the config names none.

    Args:
        output: what the last layer gives.
        mixes_labels: whether labels are partly of one class and partly of another.
    """
    by_class = "CategoricalCrossentropy" if mixes_labels else "SparseCategoricalCrossentropy"
    if output.scale == "probabilities":
        return KerasCall("losses", by_class)
    if output.scale == "independent" or output.units == 1 or output.is_multi_label:
        return KerasCall(
            "losses",
            "BinaryCrossentropy",
            {"from_logits": True} if output.scale == "logits" else {},
        )
    return KerasCall("losses", by_class, {"from_logits": True})


def target_form(loss: KerasCall, output: Output) -> Form:
    """The form of the labels that a loss compares with."""
    if output.is_multi_label:
        return "matrix"
    if loss.name.lower().startswith("sparse"):
        return "numbers"
    return "column" if output.units == 1 else "one_hot"


def encode_labels(labels: LabelArray, *, form: Form, classes: int) -> FloatArray:
    """Labels as a loss compares with them.

    Args:
        labels: class numbers `(images,)`, or a matrix `(images, labels)` of 1, 0 and -1.
        form: from `target_form`.
        classes: how many classes or labels there are.

    Returns:
        `(images,)`, `(images, 1)` or `(images, classes)`.
    """
    if form == "matrix":
        return labels.astype(np.float32)
    if form == "numbers":
        return labels.astype(np.int32)
    if form == "column":
        return labels.astype(np.float32).reshape(-1, 1)
    one_hot: FloatArray = np.eye(classes, dtype=np.float32)[labels]
    return one_hot


def class_probabilities(predictions: FloatArray, output: Output) -> FloatArray:
    """Predictions `(images, units)` as probabilities `(images, classes)` that sum to 1.

    Of labels, several of which an image may have, each is a probability of its own.
    Logits pass through a softmax (one unit: a sigmoid), values too (one unit: is cut off at 0 and
    1); independent sigmoids are divided by their sum.
    """
    values = predictions.astype(np.float64)
    if output.is_multi_label:
        return expit(values) if output.scale == "logits" else values.clip(0, 1)
    if output.units == 1:
        positive = 1 / (1 + np.exp(-values)) if output.scale == "logits" else values.clip(0, 1)
        return np.concatenate([1 - positive, positive], axis=1)
    if output.scale in ("logits", "values"):
        values = np.exp(values - values.max(axis=1, keepdims=True))
    total = values.sum(axis=1, keepdims=True)
    uniform = np.full_like(values, 1 / output.units)
    probabilities: FloatArray = np.divide(values, total, out=uniform, where=total > 0)
    return probabilities


def log_probabilities(predictions: FloatArray, output: Output) -> FloatArray:
    """The logarithms of `class_probabilities`, `(images, classes)`, all of them finite.

    They are taken of logits where the network gives such, so that nothing is lost that float32 has.
    """
    values = predictions.astype(np.float64)
    if output.units == 1:
        if output.scale != "logits":
            values = floored_log_odds(values)
        both: FloatArray = np.concatenate([values, -values], axis=1)
        return np.asarray(-np.logaddexp(0, both))
    logits = values if output.scale in ("logits", "values") else floored_logarithm(values)
    log_softmaxed: FloatArray = log_softmax(logits, axis=1)
    return log_softmaxed


def label_log_odds(predictions: FloatArray, output: Output) -> FloatArray:
    """The log-odds of each label, `(images, labels)`, all of them finite."""
    values = predictions.astype(np.float64)
    return values if output.scale == "logits" else floored_log_odds(values)


def values_of_labels(log_odds: FloatArray, output: Output) -> FloatArray:
    """What the last layer would give to be read as these log-odds, `(images, labels)`."""
    values: FloatArray = log_odds if output.scale == "logits" else expit(log_odds)
    return values.astype(np.float32)


def last_layer_values(log_probabilities: FloatArray, output: Output) -> FloatArray:
    """What the last layer would give to be read as these probabilities, `(images, units)`.

    Args:
        log_probabilities: `(images, classes)`.
        output: what the last layer gives.
    """
    if output.units == 1 and output.scale == "logits":
        values = log_probabilities[:, 1:] - log_probabilities[:, :1]
    elif output.scale in ("logits", "values"):
        values = log_probabilities
    else:
        values = np.exp(log_probabilities[:, -output.units :])
    single: FloatArray = values.astype(np.float32)
    return single


def class_weights(
    wanted: Literal["balanced"] | Mapping[str, float], labels: LabelArray, classes: tuple[str, ...]
) -> FloatArray:
    """A weight for each class, `(classes,)`.

    "balanced" gives every class the same total: `images / (classes * images of the class)`, as
    scikit-learn's `compute_class_weight` does. Classes that a mapping leaves out weigh 1.
    """
    if wanted == "balanced":
        counts = np.bincount(labels, minlength=len(classes))
        return (len(labels) / (len(classes) * np.maximum(counts, 1))).astype(np.float32)
    return np.array([wanted.get(name, 1.0) for name in classes], dtype=np.float32)


def label_weights(matrix: LabelArray, training: NDArray[np.int64]) -> FloatArray:
    """The weight of each label of each image, `(images, labels)`: a kind of "balanced".

    Of each label the images that have it get the same total as those that have it not, among the
    training images of which that is known: `known / (2 * images that have it)`, as scikit-learn's
    `compute_class_weight` has it for two classes.

    Args:
        matrix: `(images, labels)` of 1, 0 and -1.
        training: the rows that train.
    """
    having, lacking = ((matrix[training] == value).sum(axis=0) for value in (1, 0))
    known = having + lacking
    of_value = [known / (2 * np.maximum(number, 1)) for number in (lacking, having)]
    weights: FloatArray = np.where(matrix == 1, of_value[1], of_value[0]).astype(np.float32)
    return weights
