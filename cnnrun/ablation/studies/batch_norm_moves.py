"""Where batch norm stands in lists that spell out Conv2D, BatchNormalization and Activation.

The layers of a list are moved and nothing else of it is touched, so that arms made from one list
differ in the places of its batch norm alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Final

from cnnrun.config.call_forms import call_name, opened_call
from cnnrun.config.plain_values import flow_text
from cnnrun.config.values import BatchNormPosition
from cnnrun.config.yaml_tree import Entry, ListNode, MapNode, Node, ScalarNode
from cnnrun.errors import Position, StudyError

NORM: Final = "BatchNormalization"
CONVOLUTIONS: Final = ("Conv2D", "SeparableConv2D", "DepthwiseConv2D", "Conv2DTranspose")
WEIGHTED: Final = (*CONVOLUTIONS, "Dense")
ACTIVATIONS: Final = ("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU")
# What may stand between a convolution and its batch norm without ending what belongs together.
_BETWEEN: Final = (
    *ACTIVATIONS,
    NORM,
    "MaxPooling2D",
    "AveragePooling2D",
    "Dropout",
    "SpatialDropout2D",
)
# Of batch norm that the list does not have yet: Keras's 0.99 lags behind in short trainings.
_MOMENTUM: Final = "0.9"
_HOLDING_LISTS: Final = ("residual", "repeat", "branches", "channel_split")


@dataclass(frozen=True)
class _Unit:
    """A convolution or Dense with what belongs to it, as numbers of items of its list."""

    weighted: int
    norm: int | None
    activation: int | None


def is_spelled_out(layers: ListNode) -> bool:
    """Whether a list has convolutions of its own, rather than blocks, for batch norm to move by."""
    return any(call_name(node) in CONVOLUTIONS for node in all_layers(layers))


def with_batch_norm_at(layers: ListNode, position: BatchNormPosition) -> ListNode:
    """The list with batch norm at `position` of each convolution, or nowhere.

    Where the list has batch norm, its own layers move, with their arguments; units without one
    stay without. Where it has none, every convolution with an activation gets one. An activation
    that is an argument of a convolution becomes a layer, in every arm.
    """
    has_norm = any(call_name(node) == NORM for node in all_layers(layers))

    def moved(nodes: ListNode) -> ListNode:
        items = _split_activations(nodes.items, has_norm=has_norm)
        return replace(nodes, items=_rearranged(items, position, has_norm=has_norm))

    return everywhere(layers, moved)


def check_only_batch_norm_moved(arms: Sequence[tuple[str, Any]]) -> None:
    """Raise unless lists of layers are the same apart from the places of batch norm.

    Args:
        arms: name and layers of each arm, as YAML holds them (`dump.plain_layers`).

    Raises:
        StudyError: two arms differ in something else.
    """
    (first, layers), *others = arms
    rest = _without_norm(layers)
    for name, other in others:
        if _without_norm(other) != rest:
            raise StudyError.at(
                "factors",
                rule="arms made by moving batch norm must not differ in anything else",
                received=f"{flow_text(rest)} in `{first}` and {flow_text(_without_norm(other))} in"
                f" `{name}`",
                advice="write the arms out as a factor with `levels`",
            )


def _rearranged(
    items: tuple[Node, ...], position: BatchNormPosition, *, has_norm: bool
) -> tuple[Node, ...]:
    before: dict[int, Node] = {}
    after: dict[int, Node] = {}
    moving: set[int] = set()
    for unit in _units(items, has_norm=has_norm):
        norm = _new_norm(items[unit.weighted].position) if unit.norm is None else items[unit.norm]
        moving |= set() if unit.norm is None else {unit.norm}
        if position == "before_convolution":
            before[unit.weighted] = norm
        elif position == "before_activation" and unit.activation is not None:
            before[unit.activation] = norm
        elif position != "none":
            after[unit.weighted if unit.activation is None else unit.activation] = norm
    arranged: list[Node] = []
    for number, node in enumerate(items):
        arranged += [before[number]] if number in before else []
        arranged += [] if number in moving else [node]
        arranged += [after[number]] if number in after else []
    return tuple(arranged)


def _units(items: Sequence[Node], *, has_norm: bool) -> Iterator[_Unit]:
    """The units whose batch norm moves; all convolutions with an activation where there is none."""
    kinds = [call_name(node) or "" for node in items]
    taken: set[int] = set()
    for number, kind in enumerate(kinds):
        if kind not in WEIGHTED:
            continue
        following = list(takewhile(lambda at: kinds[at] in _BETWEEN, range(number + 1, len(kinds))))
        norms = [at for at in following if kinds[at] == NORM]
        activation = next((at for at in following if kinds[at] in ACTIVATIONS), None)
        leading = number - 1 if number and kinds[number - 1] == NORM else None
        is_own = leading is not None and leading not in taken and number + 1 not in norms
        norm = leading if is_own else next(iter(norms), None)
        if norm is not None:
            taken.add(norm)
        inserts = not has_norm and kind in CONVOLUTIONS and activation is not None
        if norm is not None or inserts:
            yield _Unit(number, norm, activation)


def _split_activations(items: Sequence[Node], *, has_norm: bool) -> tuple[Node, ...]:
    """The items with the units' activations as layers of their own."""
    whole = [split for node in items for split in split_activation(node)]
    kept = {unit.activation for unit in _units(whole, has_norm=has_norm)}
    split_items: list[Node] = []
    at = 0
    for node in items:
        parts = split_activation(node)
        split_items += parts if len(parts) == 1 or at + 1 in kept else [node]
        at += len(parts)
    return tuple(split_items)


def split_activation(node: Node) -> list[Node]:
    """A layer with an activation as argument in two; any other layer alone."""
    kind = call_name(node)
    arguments = node.entries[kind].node if kind and isinstance(node, MapNode) else None
    if kind not in WEIGHTED or not isinstance(arguments, MapNode):
        return [node]
    entry = arguments.entries.get("activation")
    if entry is None or not isinstance(entry.node, ScalarNode | MapNode):
        return [node]
    if isinstance(entry.node, ScalarNode) and entry.node.value in (None, "linear", "none"):
        return [node]
    rest = {key: each for key, each in arguments.entries.items() if key != "activation"}
    weighted = call_of(kind, replace(arguments, entries=rest), node.position)
    inner = MapNode(entry.node.position, {"activation": entry})
    return [weighted, call_of("Activation", inner, entry.node.position)]


def _new_norm(position: Position) -> Node:
    momentum = ScalarNode(position, float(_MOMENTUM), _MOMENTUM)
    return call_of(NORM, MapNode(position, {"momentum": Entry(position, momentum)}), position)


def call_of(name: str, arguments: Node, position: Position) -> MapNode:
    """An entry of a layer list."""
    return MapNode(position, {name: Entry(position, arguments)})


def everywhere(layers: ListNode, change: Callable[[ListNode], ListNode]) -> ListNode:
    """The list changed, and the lists inside its blocks."""

    def changed(nodes: ListNode) -> ListNode:
        return everywhere(nodes, change)

    return change(replace(layers, items=tuple(inside(node, changed) for node in layers.items)))


def inside(node: Node, change: Callable[[ListNode], ListNode]) -> Node:
    """A block with the lists of layers that it holds changed; any other layer as it is."""
    name = call_name(node)
    opened = opened_call(node)
    arguments = opened.entries[name].node if name and isinstance(opened, MapNode) else None
    if name not in _HOLDING_LISTS or not isinstance(arguments, MapNode):
        return node
    entries = dict(arguments.entries)
    for key in ("layers", "branches"):
        entry = entries.get(key)
        if entry is None or not isinstance(entry.node, ListNode):
            continue
        if key == "layers":
            changed: Node = change(entry.node)
        else:
            lists = [
                change(item) if isinstance(item, ListNode) else item for item in entry.node.items
            ]
            changed = replace(entry.node, items=tuple(lists))
        entries[key] = replace(entry, node=changed)
    return call_of(name, replace(arguments, entries=entries), node.position)


def all_layers(layers: ListNode) -> Iterator[Node]:
    """The layers of a list and those inside its blocks."""
    found: list[Node] = []

    def collect(nodes: ListNode) -> ListNode:
        found.extend(nodes.items)
        return nodes

    everywhere(layers, collect)
    return iter(found)


def _without_norm(layers: Any) -> Any:
    """Layers as YAML holds them, without batch norm, also in the lists inside."""
    if isinstance(layers, list):
        return [_without_norm(each) for each in layers if not _is_norm(each)]
    if isinstance(layers, dict):
        return {key: _without_norm(each) for key, each in layers.items()}
    return layers


def _is_norm(layer: Any) -> bool:
    return layer == NORM or (isinstance(layer, dict) and list(layer) == [NORM])
