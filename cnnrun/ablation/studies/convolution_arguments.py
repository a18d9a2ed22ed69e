"""Arguments and dropout of every convolution of a list, be it a block or a layer spelled out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cnnrun.ablation.studies.batch_norm_moves import (
    ACTIVATIONS,
    CONVOLUTIONS,
    NORM,
    all_layers,
    call_of,
    everywhere,
)
from cnnrun.config.call_forms import call_name, opened_call
from cnnrun.config.yaml_tree import Entry, ListNode, MapNode, Node, ScalarNode

BLOCK: Final = "conv_block"
CONVOLVING: Final = (BLOCK, *CONVOLUTIONS)
_DROPOUTS: Final = {"dropout": ("Dropout", "rate"), "spatial_dropout": ("SpatialDropout2D", "rate")}
_DROPPING: Final = dict(_DROPOUTS.values())
# Layers whose kernels have names of their own.
_KERNELS: Final = {
    "SeparableConv2D": ("depthwise", "pointwise"),
    "DepthwiseConv2D": ("depthwise",),
    **dict.fromkeys(("Conv2D", "Conv2DTranspose", "Dense"), ("kernel",)),
}


def convolutions_of(layers: ListNode) -> list[Node]:
    """The blocks and layers that convolve, those inside of other blocks included."""
    return [node for node in all_layers(layers) if call_name(node) in CONVOLVING]


def arguments_of(node: Node) -> Mapping[str, Entry]:
    """The arguments of a layer; none for a bare name."""
    name, opened = call_name(node), opened_call(node)
    inner = opened.entries[name].node if name and isinstance(opened, MapNode) else None
    return inner.entries if isinstance(inner, MapNode) else {}


def with_arguments(node: Node, values: Mapping[str, Node]) -> Node:
    """A layer with these arguments beside its others."""
    name = call_name(node)
    if name is None:
        return node
    added = {key: Entry(value.position, value) for key, value in values.items()}
    arguments = MapNode(node.position, {**arguments_of(node), **added})
    return call_of(name, arguments, node.position)


def with_kernels(layers: ListNode, what: str, value: Node) -> ListNode:
    """The list with an `initializer` or `regularizer` of every kernel of layers spelled out.

    Blocks have theirs from `model.blocks`.
    """

    def changed(nodes: ListNode) -> ListNode:
        items = [
            with_arguments(node, {f"{kernel}_{what}": value for kernel in kernels})
            if (kernels := _KERNELS.get(call_name(node) or "", ()))
            else node
            for node in nodes.items
        ]
        return replace(nodes, items=tuple(items))

    return everywhere(layers, changed)


def with_dilation(layers: ListNode, value: Node) -> ListNode:
    """The list with a dilation of every convolution that has no strides."""

    def changed(nodes: ListNode) -> ListNode:
        items = [
            with_arguments(node, {"dilation_rate": value}) if can_dilate(node) else node
            for node in nodes.items
        ]
        return replace(nodes, items=tuple(items))

    return everywhere(layers, changed)


def can_dilate(node: Node) -> bool:
    """Whether a layer convolves at every pixel, so that its inputs may lie apart."""
    if call_name(node) not in CONVOLVING or call_name(node) == "Conv2DTranspose":
        return False
    strides = arguments_of(node).get("strides")
    if strides is None:
        return True
    sides = strides.node.items if isinstance(strides.node, ListNode) else (strides.node,)
    return all(isinstance(side, ScalarNode) and side.value in (1, None) for side in sides)


def keeps_size(node: Node) -> bool:
    """Whether a convolution pads its borders: a block unless told, a layer of Keras if told."""
    padding = arguments_of(node).get("padding")
    if padding is None:
        return call_name(node) == BLOCK
    return isinstance(padding.node, ScalarNode) and padding.node.value == "same"


def with_dropout(layers: ListNode, what: str, rate: Node) -> ListNode:
    """The list with `dropout` or `spatial_dropout` after every convolution, and no other there.

    Of a block it is its own; after a layer spelled out stands one more, behind its activation and
    batch norm.
    """
    (other,) = _DROPOUTS.keys() - {what}
    is_none = isinstance(rate, ScalarNode) and rate.value == 0

    def changed(nodes: ListNode) -> ListNode:
        items: list[Node] = []
        pending: Node | None = None
        for node in nodes.items:
            if pending is not None and call_name(node) not in (*ACTIVATIONS, NORM):
                items.append(pending)
                pending = None
            if call_name(node) == BLOCK:
                none = ScalarNode(rate.position, 0, "0")
                items.append(with_arguments(node, {other: none, what: rate}))
                continue
            items.append(node)
            if call_name(node) in CONVOLUTIONS and not is_none:
                layer, argument = _DROPOUTS[what]
                arguments = MapNode(rate.position, {argument: Entry(rate.position, rate)})
                pending = call_of(layer, arguments, rate.position)
        return replace(nodes, items=(*items, *([pending] if pending is not None else [])))

    return everywhere(layers, changed)


def with_dropout_rate(layers: ListNode, rate: Node, *, of_blocks: Node | None) -> ListNode:
    """The list with another rate of the dropout that stands after convolutions, of either kind.

    Where there is none, or 0, nothing is dropped afterwards either.

    Args:
        layers: a list of layers.
        rate: the rate.
        of_blocks: the `dropout` of blocks that say none themselves; None where there is none.
    """

    def changed(nodes: ListNode) -> ListNode:
        items: list[Node] = []
        is_behind = False
        for node in nodes.items:
            kind = call_name(node)
            if kind == BLOCK:
                own = {key: entry.node for key, entry in arguments_of(node).items()}
                said = {"dropout": of_blocks} | own
                there = [key for key in _DROPOUTS if _drops(said.get(key))]
                items.append(with_arguments(node, dict.fromkeys(there, rate)))
            elif is_behind and kind in _DROPPING:
                items.append(with_arguments(node, {_DROPPING[kind]: rate}))
            else:
                items.append(node)
            is_behind = kind in CONVOLUTIONS or (is_behind and kind in (*ACTIVATIONS, NORM))
        return replace(nodes, items=tuple(items))

    return everywhere(layers, changed)


def _drops(rate: Node | None) -> bool:
    """Whether a block's argument is a rate above 0."""
    return rate is not None and not (isinstance(rate, ScalarNode) and rate.value in (0, None))
