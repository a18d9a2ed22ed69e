"""How a layer is called: on one tensor, on a list that it merges, or on itself to attend to."""

from typing import Any


def attends(layer: Any) -> bool:
    """Whether a layer takes a query and a value, which are the same tensor in these networks."""
    return type(layer).__name__ == "MultiHeadAttention"


def called(layer: Any, x: Any, **how: Any) -> Any:
    """A layer's output for what it takes.

    Args:
        layer: a layer of Keras.
        x: a tensor, or the list of tensors that it merges.
        how: what else its `call` takes, such as `training`.
    """
    return layer(x, x, **how) if attends(layer) else layer(x, **how)


def taken_by(layer: Any) -> Any:
    """What a layer of a network takes: a tensor, or the list of tensors that it merges."""
    return layer.input[0] if attends(layer) else layer.input
