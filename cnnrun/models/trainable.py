"""Which layers learn, and what keeps still in those that do not."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from cnnrun.config.backbone_spec import TrainableFrom
from cnnrun.models.network import BuiltLayer, Network

Trainable = Literal["all", "none"] | TrainableFrom
"""What learns beside head and stem: all of the backbone, nothing, or the network from a layer."""

_NOISE: Final = {
    "AlphaDropout": "rate",
    "Dropout": "rate",
    "GaussianDropout": "rate",
    "GaussianNoise": "stddev",
    "SpatialDropout1D": "rate",
    "SpatialDropout2D": "rate",
    "SpatialDropout3D": "rate",
}
"""Stochastic layers, and the argument that is 0 where they do nothing."""


@dataclass(frozen=True)
class Learning:
    """What learns when.

    Attributes:
        stages: layer -> the numbers, from 1, of the stages in which it learns; layers without
            weights are left out.
        parameters: how many numbers training changes in each stage.
        parameters_in_any: how many it changes in one stage or another.
    """

    stages: Mapping[str, tuple[int, ...]]
    parameters: tuple[int, ...]
    parameters_in_any: int


def trainable_layers(
    network: Network, trainable: Trainable, *, batch_norm: Literal["frozen", "train"]
) -> frozenset[str]:
    """The names of the layers that learn; layers without weights are among them.

    Args:
        network: the network.
        trainable: what learns beside the head and the stem. A layer is named by its own name or
            by its entry's in the config; it learns with all that come after it in the order of
            calls.
        batch_norm: whether the backbone's batch norm learns where its layers do; frozen, its
            statistics stay as well. The head's and the stem's always learns.
    """
    lent = frozenset(network.backbone.names) if network.backbone else frozenset()
    learning = {built.name for built in network.stem_layers if _may_learn(built)}
    has_begun = not isinstance(trainable, TrainableFrom)
    for built in (*network.lent_layers, *network.own_layers):
        has_begun = has_begun or _is_at(built, trainable)
        is_frozen = built.name in lent and (
            trainable == "none" or (batch_norm == "frozen" and _is_batch_norm(built))
        )
        if has_begun and not is_frozen and _may_learn(built):
            learning.add(built.name)
    return frozenset(learning)


def apply_trainable(
    network: Network, trainable: Trainable, *, batch_norm: Literal["frozen", "train"]
) -> None:
    """Let these layers learn and no others, and switch off what is random in a frozen backbone.

    A model has to be compiled afterwards: what was traced before goes on as before. Keras's
    `training=False` would not do: `fit` overrides it in layers that are part of the model.

    Args:
        network: the network; its layers change.
        trainable: as for `trainable_layers`, like the next.
        batch_norm: of the backbone.
    """
    learning = trainable_layers(network, trainable, batch_norm=batch_norm)
    lent = frozenset(network.backbone.names) if network.backbone else frozenset()
    for built in network.layers:
        built.layer.trainable = built.name in learning
        if built.name in lent:
            _set_noise(built, is_on=built.name in learning)


def draws(built: BuiltLayer) -> bool:
    """Whether what a layer does in training is drawn at random, as dropout is."""
    kind = type(built.layer).__name__
    if kind in _NOISE:
        return bool(built.arguments[_NOISE[kind]])
    return kind.startswith("Random") or hasattr(built.layer, "seed_generator")


def learning_by_stage(network: Network, learning: Sequence[frozenset[str]]) -> Learning:
    """What learns in which stage.

    Args:
        network: the network as it was built, before any stage.
        learning: for each stage, what `trainable_layers` gave.
    """
    weighted = [built for built in network.layers if built.layer.weights]
    sizes = {
        built.name: sum(math.prod(weight.shape) for weight in built.layer.trainable_weights)
        for built in weighted
    }
    stages = {
        name: tuple(number for number, names in enumerate(learning, start=1) if name in names)
        for name in sizes
    }
    return Learning(
        stages={name: numbers if sizes[name] else () for name, numbers in stages.items()},
        parameters=tuple(sum(sizes[name] for name in sizes if name in names) for names in learning),
        parameters_in_any=sum(sizes[name] for name in sizes if stages[name]),
    )


def restore_noise(network: Network) -> None:
    """Give every random layer its own rate again, as the network is to be saved with."""
    for built in network.layers:
        _set_noise(built, is_on=True)


def _may_learn(built: BuiltLayer) -> bool:
    return bool(built.arguments.get("trainable", True))


def _is_at(built: BuiltLayer, trainable: Trainable) -> bool:
    if not isinstance(trainable, TrainableFrom):
        return True
    first = trainable.layer
    return first in (built.name, built.path) or built.path.startswith(f"{first}/")


def _is_batch_norm(built: BuiltLayer) -> bool:
    return type(built.layer).__name__ == "BatchNormalization"


def _set_noise(built: BuiltLayer, *, is_on: bool) -> None:
    argument = _NOISE.get(type(built.layer).__name__)
    if argument is not None:
        setattr(built.layer, argument, built.arguments[argument] if is_on else 0.0)
