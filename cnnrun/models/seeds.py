"""Seeds that depend on (seed, path, attribute) alone, so that layers do not disturb each other.

Two networks of one seed that differ in a batch norm, a dropout or a branch begin with the same
weights wherever they have the same layers. Keras's own seeds depend on what was made before.
"""

import hashlib
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import keras


def derived_seed(seed: int, path: str, attribute: str) -> int:
    """A 31-bit seed for one attribute, such as `kernel_initializer`, of the layer at `path`."""
    text = f"{seed}\n{path}\n{attribute}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest()) >> 1


def seeded_arguments(
    layer_class: type, arguments: Mapping[str, Any], *, seed: int, path: str
) -> dict[str, Any]:
    """The arguments, with a derived seed for whatever is random and has none yet.

    Args:
        layer_class: the class of `keras.layers`.
        arguments: its arguments; initializers in any form that `keras.initializers.get` takes.
        seed: the network's seed.
        path: the layer's path in the network, such as `residual_1/conv_block_2/conv`.
    """
    complete = dict(arguments)
    for name, default in _random_arguments(layer_class).items():
        given = complete.get(name, default)
        if name == "seed":
            complete[name] = derived_seed(seed, path, name) if given is None else given
        elif (initializer := _seeded(given, derived_seed(seed, path, name))) is not None:
            complete[name] = initializer
    return complete


def unseeded_weights(layer: Any, *, seed: int, path: str) -> dict[str, Any]:
    """Weight -> initializer, for the random weights that no argument of the layer seeds.

    There are two in Keras: SpectralNormalization begins its power iteration at a random vector,
    and MultiHeadAttention draws all of its kernels with one initializer, and so one seed.
    """
    if isinstance(layer, keras.layers.MultiHeadAttention):
        kernels = [f"{part}_dense.kernel" for part in ("query", "key", "value", "output")]
        initializer = layer.get_config()["kernel_initializer"]
        drawn = {each: _reseeded(initializer, derived_seed(seed, path, each)) for each in kernels}
        return {each: own for each, own in drawn.items() if own is not None}
    if not isinstance(layer, keras.layers.SpectralNormalization):
        return {}
    seed = derived_seed(seed, path, "vector_u")
    return {"vector_u": keras.initializers.TruncatedNormal(stddev=0.02, seed=seed)}


@cache
def _random_arguments(layer_class: type) -> Mapping[str, Any]:
    """The arguments that can hold a seed, with their defaults."""
    parameters = inspect.signature(layer_class).parameters.values()
    return {
        one.name: one.default
        for one in parameters
        if one.name == "seed" or one.name.endswith("_initializer")
    }


def _seeded(initializer: Any, seed: int) -> Any | None:
    """The initializer with this seed, or None if it draws nothing or has a seed of its own."""
    original = keras.initializers.get(initializer)
    has_none = original.get_config().get("seed", 0) is None
    return _reseeded(original, seed) if has_none else None


def _reseeded(initializer: Any, seed: int) -> Any | None:
    """The initializer with another seed, or None if it draws nothing."""
    original = keras.initializers.get(initializer)
    config = original.get_config()
    return type(original).from_config({**config, "seed": seed}) if "seed" in config else None
