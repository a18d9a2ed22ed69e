"""What the last layer gives and what loss and metrics take: where these contradict each other.

The same rules are asked twice: of the config, before TensorFlow is loaded, as far as its last entry
tells what comes out; and of the network, once it is built.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from cnnrun.config.keras_table import argument_rows, class_of
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.places import Place
from cnnrun.config.train_section import TrainSpec
from cnnrun.config.values import BatchNorm, KerasCall, LayerSpec

SUMS_TO_ONE: Final = frozenset({"softmax", "sparsemax"})
"""Activations whose numbers are the probabilities of classes."""

BETWEEN_0_AND_1: Final = frozenset({"hard_sigmoid", "sigmoid", "sparse_sigmoid"})
"""Activations that give each unit a probability of its own."""

PASSES_ON: Final = frozenset(
    {"ActivityRegularization", "Dropout", "Flatten", "Identity", "Reshape", "SpatialDropout2D"}
)
"""Layers that hand on the numbers that they get, at least when a network predicts."""

_ACTIVATIONS: Final = frozenset({"Activation", "Softmax"})
_RESHAPING: Final = frozenset({"Flatten", "Reshape"})
_HINGES: Final = frozenset({"CategoricalHinge", "Hinge", "SquaredHinge"})
_TAKE_PROBABILITIES: Final = frozenset(
    {"CategoricalGeneralizedCrossEntropy", "Dice", "KLDivergence", "Tversky"}
)
_A_UNIT_A_CLASS: Final = frozenset(
    {
        "CategoricalCrossentropy",
        "CategoricalFocalCrossentropy",
        "CategoricalGeneralizedCrossEntropy",
        "CategoricalHinge",
        "SparseCategoricalCrossentropy",
    }
)

_UNLESS: Final = " unless it says `from_logits: true`"

Culprit = Literal["layer", "loss", "from_logits"]


@dataclass(frozen=True)
class Contradiction:
    """What of the network's end cannot be meant.

    Attributes:
        culprit: what the message is about: the last layer, `train.loss`, or its `from_logits`.
        rule: what holds.
        received: what is written instead.
        advice: the next step.
    """

    culprit: Culprit
    rule: str
    received: str
    advice: str


def loss_class(loss: KerasCall) -> str:
    """The class of Keras that a loss's name or alias stands for."""
    return class_of("losses", loss.name) or loss.name


def takes_scores(loss: KerasCall) -> bool:
    """Whether a loss takes numbers whose sign decides: logits, or the scores of a hinge."""
    return bool(loss.arguments.get("from_logits")) or loss_class(loss) in _HINGES


def contradiction(
    activation: str,
    units: int | None,
    loss: KerasCall | None,
    *,
    is_multi_label: bool = False,
) -> Contradiction | None:
    """What the last layer and the loss cannot be meant to be together, or None.

    Args:
        activation: the last layer's, "linear" if it has none.
        units: how many it has; None where that is not known, and more than 1.
        loss: the config's, or None if it follows from the last layer.
        is_multi_label: whether each unit judges a label, several of which an image may have.
    """
    if is_multi_label and activation not in BETWEEN_0_AND_1 | {"linear"}:
        return Contradiction(
            "layer",
            "several labels an image need a probability each, from 0 to 1",
            f"`{activation}`",
            "write `activation: sigmoid`, or end the list with `classifier`",
        )
    if activation in SUMS_TO_ONE and units == 1:
        return Contradiction(
            "layer",
            f"{activation} needs one unit a class: over a single one it is always 1",
            f"`{activation}` on 1 unit",
            "write `activation: sigmoid`, or end the list with `classifier`",
        )
    if loss is None:
        return None
    name = loss_class(loss)
    gives_probabilities = activation in SUMS_TO_ONE | BETWEEN_0_AND_1
    if name in _A_UNIT_A_CLASS and units == 1:
        return Contradiction(
            "loss",
            f"{name} needs a last layer with one unit a class",
            "1 unit",
            "BinaryCrossentropy is for a single one; or end the list with `classifier`",
        )
    if loss.arguments.get("from_logits") and gives_probabilities:
        return Contradiction(
            "from_logits",
            "`from_logits: true` is for a last layer that gives logits",
            f"`from_logits: true` after {activation}",
            "leave `from_logits` out, or give the last layer `activation: linear`",
        )
    if gives_probabilities or not _wants_probabilities(loss, name):
        return None
    what = "logits" if activation == "linear" else f"what {activation} makes of them"
    can_take_logits = "from_logits" in argument_rows("losses", name)
    function = "sigmoid" if units == 1 else "softmax"
    return Contradiction(
        "loss",
        f"{name} takes probabilities{_UNLESS if can_take_logits else ''}",
        f"a last layer that gives {what}",
        f"write `{{{name}: {{from_logits: true}}}}`, or leave `train.loss` away"
        if can_take_logits
        else f"give the last layer `activation: {function}`",
    )


def _wants_probabilities(loss: KerasCall, name: str) -> bool:
    if "from_logits" in argument_rows("losses", name):
        return not loss.arguments.get("from_logits")
    return name in _TAKE_PROBABILITIES


def check_output(place: Place, values: Mapping[str, Any]) -> None:
    """The last layer, the loss and the metrics fit each other, as far as the config tells."""
    model, train = values.get("model"), values.get("train")
    if not isinstance(train, TrainSpec):
        return
    _check_thresholds(place, train)
    if not isinstance(model, ModelSpec) or (end := _end(model)) is None:
        return
    found = contradiction(end.activation, end.units, train.loss)
    if found is not None and train.loss is not None and found.culprit != "layer":
        loss = place.at("train", "loss")
        says = found.culprit == "from_logits"
        _at_argument(loss, train.loss.name, "from_logits" if says else None)(found)
    elif found is not None:
        layer = place.at("model", "layers", end.entry)
        _at_argument(layer, model.layers[end.entry].kind, "activation")(found)
    if end.activation in SUMS_TO_ONE | BETWEEN_0_AND_1:
        _check_logits_of_metrics(place, train, end.activation)


@dataclass(frozen=True)
class _End:
    """What the last entry that computes something says: its number, activation and units."""

    entry: int
    activation: str
    units: int | None


def _end(model: ModelSpec) -> _End | None:
    """The end of a network, or None where only the built one tells."""
    for entry in reversed(range(len(model.layers))):
        layer = model.layers[entry]
        if layer.kind not in PASSES_ON:
            activation = _activation(layer)
            units = _units(model.layers[: entry + 1])
            return None if activation is None else _End(entry, activation, units)
    return None


def _activation(layer: LayerSpec) -> str | None:
    """The activation that a layer ends with; None for blocks that end with others."""
    if layer.kind == "Softmax":
        return "softmax"
    if layer.kind in ("branches", "repeat", "residual", "channel_split"):
        return None
    if layer.kind in ("conv_block", "dense_block") and _goes_on(layer):
        return None
    activation = layer.arguments.get("activation")
    if not isinstance(activation, KerasCall):
        return "linear"
    return "softmax" if activation.name == "Softmax" else activation.name


def _goes_on(block: LayerSpec) -> bool:
    """Whether something comes after a block's activation."""
    batch_norm = block.arguments.get("batch_norm")
    return isinstance(batch_norm, BatchNorm) and batch_norm.position == "after_activation"


def _units(layers: Sequence[LayerSpec]) -> int | None:
    """How many numbers come out at the end of a list of layers, as far as a Dense layer tells."""
    for layer in reversed(layers):
        if layer.kind in _RESHAPING:
            return None
        if layer.kind not in PASSES_ON | _ACTIVATIONS:
            units = layer.arguments.get("units")
            return units if isinstance(units, int) else None
    return None


def _at_argument(
    place: Place, name: str, argument: str | None
) -> Callable[[Contradiction], object]:
    """What notes a contradiction: at an argument of a call, or at the call where it has none."""
    arguments = place.entry(name) if place.has_key(name) else place
    if argument is not None and arguments.has_key(argument):
        place = arguments.entry(argument)
    return lambda found: place.refuse(found.rule, received=found.received, advice=found.advice)


def _check_logits_of_metrics(place: Place, train: TrainSpec, activation: str) -> None:
    for index, metric in enumerate(train.metrics):
        if metric.arguments.get("from_logits"):
            place.at("train", "metrics", index, metric.name, "from_logits").refuse(
                "`from_logits: true` is for a last layer that gives logits",
                received=f"`from_logits: true` after {activation}",
                advice="leave it out",
            )


def _check_thresholds(place: Place, train: TrainSpec) -> None:
    """Metrics see probabilities, of logits too: a threshold beyond them takes all for one class."""
    for index, metric in enumerate(train.metrics):
        threshold = metric.arguments.get("threshold")
        is_cut = class_of("metrics", metric.name) in ("BinaryAccuracy", "BinaryIoU")
        if is_cut and isinstance(threshold, int | float) and not 0 < threshold < 1:
            place.at("train", "metrics", index, metric.name, "threshold").refuse(
                "must be above 0 and below 1, for metrics see probabilities",
                received=f"{threshold:g}",
                advice="leave it out: 0.5 is where the class changes, for logits too",
            )
