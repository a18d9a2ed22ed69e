"""What pools first in a list of layers, and what makes numbers of its last feature maps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cnnrun.ablation.studies.batch_norm_moves import ACTIVATIONS, NORM, call_of, inside
from cnnrun.ablation.studies.convolution_arguments import (
    CONVOLVING,
    arguments_of,
    with_arguments,
)
from cnnrun.config.call_forms import call_name
from cnnrun.config.places import is_null
from cnnrun.config.yaml_tree import Entry, ListNode, MapNode, Node, ScalarNode

POOLING: Final = ("MaxPooling2D", "AveragePooling2D")
FLATTENING: Final = (
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
)
WAYS: Final = ("max", "average", "strides", "convolution", "convolution and max")
"""Words for what may stand in place of the first pooling."""
_DROPPING: Final = ("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianDropout")
_OUTPUTS: Final = ("classifier", "Dense")
_OF_POOLS: Final = ("pool_size", "strides", "padding")


def first_pool(layers: ListNode) -> tuple[ListNode, int] | None:
    """The list that the first local pooling stands in, and its number there; None for none.

    Looked for in the list itself and in what it repeats.
    """
    for number, node in enumerate(layers.items):
        if call_name(node) in POOLING:
            return layers, number
        if call_name(node) == "repeat":
            repeated = arguments_of(node).get("layers")
            if repeated is not None and isinstance(repeated.node, ListNode):
                found = first_pool(repeated.node)
                if found is not None:
                    return found
    return None


def convolution_before(items: Sequence[Node], pool: int) -> int | None:
    """The convolution whose outputs a pooling pools, at most activated and normalized between."""
    for number in range(pool - 1, -1, -1):
        kind = call_name(items[number])
        if kind in CONVOLVING:
            return number
        if kind not in (*ACTIVATIONS, NORM):
            return None
    return None


def with_first_pooling(layers: ListNode, value: Node) -> ListNode:
    """The list with another layer, or one of `WAYS`, in place of its first pooling.

    Args:
        layers: a list with a pooling, and for strides and convolution with a convolution before.
        value: one of the words, or a layer.
    """
    found = first_pool(layers)
    if found is None:
        raise TypeError("the list was looked at, and has no pooling")
    owner, at = found

    def changed(nodes: ListNode) -> ListNode:
        if nodes is owner:
            return replace(nodes, items=tuple(_pooled(nodes.items, at, value)))
        return replace(nodes, items=tuple(inside(node, changed) for node in nodes.items))

    return changed(layers)


def _pooled(items: Sequence[Node], at: int, value: Node) -> list[Node]:
    pool, before, after = items[at], list(items[:at]), list(items[at + 1 :])
    way = value.value if isinstance(value, ScalarNode) else None
    if way not in WAYS:
        return [*before, value, *after]
    if way in ("max", "average"):
        return [*before, _pool(pool, POOLING[WAYS.index(way)]), *after]
    convolution = convolution_before(items, at)
    if convolution is None:
        raise TypeError("the list was looked at, and has no convolution before its pooling")
    if way == "strides":
        before[convolution] = with_arguments(before[convolution], {"strides": _strides(pool)})
        return [*before, *after]
    if way == "convolution":
        return [*before, _added(before[convolution:], _strides(pool)), *after]
    one = ScalarNode(pool.position, 1, "1")
    return [*before, _added(before[convolution:], one), _pool(pool, POOLING[0]), *after]


def _pool(pool: Node, kind: str) -> Node:
    """The same pooling of another kind."""
    kept = {key: each for key, each in arguments_of(pool).items() if key in (*_OF_POOLS, "name")}
    # Keras has a default of 2 for one kind, and none for the other.
    kept.setdefault("pool_size", Entry(pool.position, ScalarNode(pool.position, 2, "2")))
    return call_of(kind, MapNode(pool.position, kept), pool.position)


def _strides(pool: Node) -> Node:
    """By how many pixels a pooling moves: by its size, unless it says otherwise."""
    arguments = arguments_of(pool)
    for key in ("strides", "pool_size"):
        if key in arguments and not is_null(arguments[key].node):
            return arguments[key].node
    return ScalarNode(pool.position, 2, "2")


def _added(unit: Sequence[Node], strides: Node) -> Node:
    """Another convolution like the one before, with what follows that, and these strides."""
    first, *rest = [_unnamed(node) for node in unit]
    same = ScalarNode(strides.position, "same", "same")
    return apart([with_arguments(first, {"strides": strides, "padding": same}), *rest])


def apart(layers: Sequence[Node]) -> Node:
    """Layers in a list of their own, so that they change no other's number among its kind.

    A layer's initial weights depend on that number: arms share them.
    """
    position = layers[0].position
    times = Entry(position, ScalarNode(position, 1, "1"))
    inner = Entry(position, ListNode(position, tuple(layers)))
    return call_of("repeat", MapNode(position, {"times": times, "layers": inner}), position)


def _unnamed(node: Node) -> Node:
    name = call_name(node)
    if name is None or not arguments_of(node):
        return node
    kept = {key: entry for key, entry in arguments_of(node).items() if key != "name"}
    return call_of(name, MapNode(node.position, kept), node.position)


def head_of(layers: ListNode) -> tuple[int, int] | None:
    """Where the head begins in a list, and where the output does, which ends it; None for none.

    It begins with what makes numbers of feature maps: flattening, or a global pooling.
    """
    kinds = [call_name(node) for node in layers.items]
    outputs = [number for number, kind in enumerate(kinds) if kind in _OUTPUTS]
    flattening = [number for number, kind in enumerate(kinds) if kind in FLATTENING]
    if not outputs or not flattening or flattening[0] > outputs[-1]:
        return None
    return flattening[0], outputs[-1]


def with_head(layers: ListNode, head: Sequence[Node]) -> ListNode:
    """The list with another head; the dropout that its head has stays, before the output.

    Args:
        layers: a list that has a head.
        head: the layers in its place.
    """
    found = head_of(layers)
    if found is None:
        raise TypeError("the list was looked at, and has no head")
    start, end = found
    kept = [node for node in layers.items[start:end] if call_name(node) in _DROPPING]
    return replace(layers, items=(*layers.items[:start], apart(head), *kept, *layers.items[end:]))
