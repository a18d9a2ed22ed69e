"""What holds between `augment.layers` and the other sections: colours, sizes, and the loss."""

from collections.abc import Mapping
from typing import Any, Final

from cnnrun.config.augment_layers import MIXING, faults, mixes
from cnnrun.config.augment_section import AugmentSpec
from cnnrun.config.data_section import CHANNELS, DataSpec
from cnnrun.config.output_rules import loss_class
from cnnrun.config.places import Place
from cnnrun.config.train_section import TrainSpec
from cnnrun.config.values import KerasCall

_OF_WHOLE_LABELS: Final = frozenset({"CategoricalHinge", "Hinge", "SquaredHinge"})
_SOFT: Final[Mapping[str, str]] = {
    "SparseCategoricalCrossentropy": "CategoricalCrossentropy",
    "CategoricalHinge": "CategoricalCrossentropy",
    "Hinge": "BinaryCrossentropy",
    "SquaredHinge": "BinaryCrossentropy",
}
"""What compares with labels of several classes instead."""


def check_augment_layers(place: Place, values: Mapping[str, Any]) -> None:
    """Layers get images of colours and sizes that they take; a mixed label, a loss that does."""
    augment, data, train = (values.get(key) for key in ("augment", "data", "train"))
    if not isinstance(augment, AugmentSpec) or augment.layers is None:
        return
    if isinstance(data, DataSpec):
        layers = place.at("augment", "layers")
        for fault in faults(augment.layers, image_size=data.image_size, channels=_channels(data)):
            at = layers.item(fault.index)
            name = augment.layers[fault.index].name
            arguments = at.entry(name) if at.has_key(name) else at
            has_argument = fault.argument and arguments.has_key(fault.argument)
            where = arguments.entry(fault.argument) if has_argument else arguments
            where.refuse(fault.rule, received=fault.received, advice=fault.advice)
    if isinstance(train, TrainSpec) and train.loss is not None and mixes(augment.layers):
        _check_loss(place, augment.layers, train.loss)


def _channels(data: DataSpec) -> int | None:
    """How many channels images have, as far as the config tells."""
    if data.bands:
        return len(data.bands)
    return CHANNELS[data.color_mode] if data.color_mode else None


def _check_loss(place: Place, layers: tuple[KerasCall, ...], loss: KerasCall) -> None:
    name = loss_class(loss)
    if not name.startswith("Sparse") and name not in _OF_WHOLE_LABELS:
        return
    mixing = next(layer.name for layer in layers if layer.name in MIXING)
    at = place.at("train", "loss")
    at.refuse(
        f"{mixing} makes labels that are partly of one class and partly of another, which"
        f" {name} cannot compare with",
        received=f"`{loss.name}`",
        advice=f"write `{_SOFT.get(name, 'CategoricalCrossentropy')}`, with the same `from_logits`,"
        " or leave `train.loss` out",
    )
