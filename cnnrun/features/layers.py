"""The layers that features are taken from, and what is pooled of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import keras

from cnnrun.errors import FeaturesError
from cnnrun.wording import nearest

Pooling = Literal["avg", "max", "flatten", "none"]

_POOLS: Final = {
    ("avg", 4): keras.layers.GlobalAveragePooling2D,
    ("max", 4): keras.layers.GlobalMaxPooling2D,
    ("avg", 3): keras.layers.GlobalAveragePooling1D,
    ("max", 3): keras.layers.GlobalMaxPooling1D,
}


@dataclass(frozen=True)
class Layer:
    """A layer whose output can be had.

    Attributes:
        name: its name.
        kind: its class.
        shape: of its output for one image, such as (height, width, channels).
    """

    name: str
    kind: str
    shape: tuple[int, ...]


def layers_of(model: Any) -> tuple[Layer, ...]:
    """The layers of a model whose output is a single tensor, in the order of their calls."""
    return tuple(
        Layer(layer.name, type(layer).__name__, tuple(layer.output.shape[1:]))
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer) and _has_one_output(layer)
    )


def layer_before(model: Any, entry: str) -> str:
    """The name of the layer before those that an entry of a layer list has made.

    Args:
        model: the model of a config.
        entry: the entry's path, such as "classifier".
    """
    prefix = entry.replace("/", "_")
    names: list[str] = [layer.name for layer in model.layers]
    made = [name for name in names if name == prefix or name.startswith(f"{prefix}_")]
    before = names[: names.index(made[0])] if made else names
    return before[-1]


def pooled_outputs(model: Any, names: Sequence[str], *, pooling: Pooling) -> list[Any]:
    """A tensor for each layer, pooled where it still has places: `(images, ...)`.

    Args:
        model: a functional Keras model.
        names: its layers.
        pooling: "avg" and "max" take the mean or largest value over all places of a channel,
            "flatten" makes one long vector, "none" leaves the output as it is.

    Raises:
        FeaturesError: the model has no such layer; with the nearest names.
    """
    known = {layer.name for layer in layers_of(model)}
    for name in names:
        if name not in known:
            raise unknown_layer(name, [layer.name for layer in layers_of(model)])
    return [_pooled(model.get_layer(name).output, pooling) for name in names]


def unknown_layer(name: str, names: Sequence[str]) -> FeaturesError:
    """The refusal of a layer that a network does not have."""
    advice = nearest(name, names, otherwise=f"the last one is `{names[-1]}`")
    return FeaturesError.at(
        "--layer",
        rule="must be the name of a layer of the network",
        received=f"`{name}`",
        advice=f"{advice} (`--list-layers` has them all)",
    )


def _pooled(tensor: Any, pooling: Pooling) -> Any:
    if pooling == "flatten":
        return keras.layers.Flatten()(tensor)
    pool = _POOLS.get((pooling, len(tensor.shape)))
    return tensor if pool is None else pool()(tensor)


def _has_one_output(layer: Any) -> bool:
    try:
        return isinstance(layer.output, keras.KerasTensor)
    except (AttributeError, ValueError):  # it is called more than once
        return False
