"""Other activations in lists that spell out Conv2D, Activation and the layers that are such."""

from dataclasses import replace

from cnnrun.ablation.studies.batch_norm_moves import (
    ACTIVATIONS,
    call_of,
    everywhere,
    split_activation,
)
from cnnrun.config.call_forms import call_name
from cnnrun.config.places import is_null
from cnnrun.config.yaml_tree import Entry, ListNode, MapNode, Node, ScalarNode

_OF_THE_OUTPUT = ("softmax", "log_softmax")


def with_activation(layers: ListNode, activation: Node) -> ListNode:
    """The list with `activation` in place of every activation but those of the output.

    Args:
        layers: a list of layers.
        activation: as a block would have it: the name of a function, or a layer such as PReLU.
    """

    def swapped(nodes: ListNode) -> ListNode:
        parts = [part for node in nodes.items for part in _split(node)]
        items = [
            new for node in parts for new in (_swapped(activation) if _is_swapped(node) else [node])
        ]
        return replace(nodes, items=tuple(items))

    return everywhere(layers, swapped)


def _split(node: Node) -> list[Node]:
    parts = split_activation(node)
    return parts if len(parts) > 1 and _is_swapped(parts[1]) else [node]


def _is_swapped(node: Node) -> bool:
    """Whether a layer is an activation between others."""
    kind = call_name(node)
    if kind != "Activation" or not isinstance(node, MapNode):
        return kind in ACTIVATIONS
    arguments = node.entries[kind].node
    given = arguments.entries.get("activation") if isinstance(arguments, MapNode) else None
    return given is None or call_name(given.node) not in _OF_THE_OUTPUT


def _swapped(activation: Node) -> list[Node]:
    """The layers that an activation becomes: one, or none."""
    if is_null(activation) or call_name(activation) == "none":
        return []
    if isinstance(activation, MapNode) or call_name(activation) in ACTIVATIONS:
        return [activation]
    if not isinstance(activation, ScalarNode):
        return []
    arguments = MapNode(activation.position, {"activation": Entry(activation.position, activation)})
    return [call_of("Activation", arguments, activation.position)]
