"""What tells two networks apart: what they compute, and the numbers that they compute with."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import numpy as np

# What has done its work, works in training alone, or is no more than a name (Keras numbers the
# names of operations through the whole process).
_IGNORED: Final = frozenset({"name", "trainable", "seed", "rate", "registered_name"})
_IGNORED_ENDINGS: Final = ("_initializer", "_regularizer", "_constraint")


def network_hash(network: Any) -> str:
    """A hash that changes with whatever changes a network's outputs in inference.

    Layers, how they are connected, their arguments and their weights; not their names, nor what
    is trainable.

    Args:
        network: a functional Keras model.

    Returns:
        32 hexadecimal digits.
    """
    config = network.get_config()
    numbers = {entry["name"]: number for number, entry in enumerate(config["layers"])}
    described = _described([config["layers"], config["output_layers"]], numbers)
    total = blake2b(json.dumps(described, default=str).encode(), digest_size=16)
    for layer in network.layers:
        for weight in layer.get_weights():
            total.update(f"{numbers[layer.name]} {weight.dtype} {weight.shape}".encode())
            total.update(np.ascontiguousarray(weight).data)
    return total.hexdigest()


def _described(value: Any, numbers: Mapping[str, int]) -> Any:
    """A part of a model's config without what is ignored, each name of a layer as its number."""
    if isinstance(value, dict):
        return {
            key: _described(inner, numbers)
            for key, inner in value.items()
            if key not in _IGNORED and not key.endswith(_IGNORED_ENDINGS)
        }
    if isinstance(value, list | tuple):
        return [_described(inner, numbers) for inner in value]
    return numbers.get(value, value) if isinstance(value, str) else value
