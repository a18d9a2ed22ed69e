"""What may stand in a study file beside numbers and words: values for any address of a config.

They are kept as they are written, with their places, so that what a config refuses is pointed at
in the study.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from typing_extensions import override

from cnnrun.config.call_forms import call_name
from cnnrun.config.kinds import Kind, Schema
from cnnrun.config.overrides import Change
from cnnrun.config.places import Invalid, Place, is_text
from cnnrun.config.plain_values import flow_text
from cnnrun.config.yaml_tree import ListNode, MapNode, Node, ScalarNode
from cnnrun.errors import Position


@dataclass(frozen=True)
class Word:
    """A text, and where it stands."""

    text: str
    position: Position


@final
@dataclass(frozen=True)
class WordKind(Kind):
    """A text that is not empty, kept with its place."""

    what: str

    @property
    @override
    def phrase(self) -> str:
        return self.what

    @override
    def accepts(self, node: Node) -> bool:
        return is_text(node)

    @override
    def read(self, place: Place) -> Word | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str) or not node.value:
            return self.refuse_form(place)
        return Word(node.value, node.position)

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, Word)

    @override
    def write(self, value: Any, *, relative_to: Path) -> str:
        text: str = value.text
        return text

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1}


@final
@dataclass(frozen=True)
class ValueList(Kind):
    """Values for one address: a list, whose items name themselves, or a map of names."""

    @property
    @override
    def phrase(self) -> str:
        return "a list of values, or a map of names and values"

    @override
    def accepts(self, node: Node) -> bool:
        return not isinstance(node, ScalarNode)

    @override
    def read(self, place: Place) -> dict[str, Node] | Invalid:
        node = place.node
        if isinstance(node, MapNode) and node.entries:
            return {label: entry.node for label, entry in node.entries.items()}
        if not isinstance(node, ListNode) or not node.items:
            return self.refuse_form(place)
        labels = labels_of(node.items)
        repeated = [label for label, number in Counter(labels).items() if number > 1]
        if repeated:
            place.item(len(labels) - 1 - labels[::-1].index(repeated[0])).refuse(
                "each value must stand in the list once", advice="keep one of them"
            )
        return dict(zip(labels, node.items, strict=True))

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    @override
    def write(self, value: Any, *, relative_to: Path) -> dict[str, Any]:
        return {label: _plain_node(node) for label, node in value.items()}

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": ["array", "object"]}

    @override
    def advice(self, node: Node) -> str:
        return "write for example [8, 16], or {small: 8, large: 16}"


@final
@dataclass(frozen=True)
class ChangeMap(Kind):
    """A map of addresses and values."""

    @property
    @override
    def phrase(self) -> str:
        return "a map of addresses and values"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, MapNode)

    @override
    def read(self, place: Place) -> tuple[Change, ...] | Invalid:
        node = place.node
        if not isinstance(node, MapNode):
            return self.refuse_form(place)
        return tuple(
            Change(address, entry.key_position, entry.node)
            for address, entry in node.entries.items()
        )

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, tuple)

    @override
    def write(self, value: Any, *, relative_to: Path) -> dict[str, Any]:
        return {change.address: _plain_node(change.node) for change in value}

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "object"}

    @override
    def advice(self, node: Node) -> str:
        return "write for example {train.epochs: 5}"


@final
@dataclass(frozen=True)
class LevelMap(Kind):
    """Named levels of a factor, each a map of addresses and values, which may be empty."""

    @property
    @override
    def phrase(self) -> str:
        return "a map of names, each a map of addresses and values"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, MapNode)

    @override
    def read(self, place: Place) -> dict[str, tuple[Change, ...]] | Invalid:
        node = place.node
        if not isinstance(node, MapNode) or not node.entries:
            return self.refuse_form(place)
        known_problems = len(place.problems)
        levels: dict[str, Any] = {
            label: ChangeMap().read(place.entry(label)) for label in node.entries
        }
        return Invalid.INVALID if len(place.problems) > known_problems else levels

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    @override
    def write(self, value: Any, *, relative_to: Path) -> dict[str, Any]:
        return {
            label: ChangeMap().write(changes, relative_to=relative_to)
            for label, changes in value.items()
        }

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "object", "additionalProperties": {"type": "object"}}

    @override
    def advice(self, node: Node) -> str:
        return "write for example {short: {train.epochs: 5}, long: {train.epochs: 50}}"


def labels_of(nodes: Sequence[Node]) -> list[str]:
    """A label for each value: a call's name where that is enough, else the value in one line."""
    short = [_short_label(node) for node in nodes]
    numbers = Counter(short)
    return [
        label if numbers[label] == 1 else text_of(node)
        for label, node in zip(short, nodes, strict=True)
    ]


def text_of(node: Node) -> str:
    """A value as YAML in one line, such as `{PReLU: {shared_axes: [1, 2]}}`."""
    return flow_text(_plain_node(node))


def _short_label(node: Node) -> str:
    name = call_name(node) if isinstance(node, MapNode) else None
    return name or text_of(node)


def _plain_node(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: _plain_node(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [_plain_node(item) for item in node.items]
    return None if node.value is None else node.text
