"""A value's place in a config: what stands there, its address, and how to complain about it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from cnnrun.config.yaml_tree import ListNode, MapNode, Node, ScalarNode
from cnnrun.errors import Position, Problem
from cnnrun.wording import quoted

_LONGEST_SHOWN = 60


class Invalid(Enum):
    """What a reader returns for a value whose problems it has noted."""

    INVALID = "invalid"


INVALID: Final = Invalid.INVALID


Advice = str | Callable[[], str]
"""The next step; a function where it takes time to find, too much for very many problems."""

MOST_ADVISED: Final = 100

Refusal = tuple[str, str, str]
"""Rule, received, advice."""


@dataclass(frozen=True)
class Place:
    """Where a reader stands.

    Attributes:
        node: what is written here.
        address: such as `model.layers[2].Conv2D.filters`.
        problems: everything found so far, anywhere in the config.
        hint: the advice that a problem here gets when it has none of its own.
        inherited: what the fields without a value take over, such as `model.blocks`.
    """

    node: Node
    address: str
    problems: list[Problem]
    hint: str = ""
    inherited: Any = None

    def refuse(self, rule: str, *, received: str | None = None, advice: Advice = "") -> Invalid:
        """Note that the value here breaks a rule; by default, received is what is written."""
        received = in_words(self.node) if received is None else received
        return self._note(self.node.position, self.address, rule, received, advice)

    def refuse_key(self, key: str, rule: str, *, received: str, advice: Advice) -> Invalid:
        """Note a problem of a key of the map here, or of its value, at the key."""
        position = self.node.position
        if isinstance(self.node, MapNode) and key in self.node.entries:
            position = self.node.entries[key].key_position
        return self._note(position, self._address_of(key), rule, received, advice)

    def entry(self, key: str, *, hint: str = "") -> "Place":
        """The place of a key's value; the node here must be a map that has it."""
        if not isinstance(self.node, MapNode):
            raise TypeError(f"{self.address} is no map")
        node = self.node.entries[key].node
        return replace(self, node=node, address=self._address_of(key), hint=hint)

    def item(self, index: int) -> "Place":
        """The place of an item; the node here must be a list that has it."""
        if not isinstance(self.node, ListNode):
            raise TypeError(f"{self.address} is no list")
        return replace(self, node=self.node.items[index], address=f"{self.address}[{index}]")

    def at(self, *steps: str | int) -> "Place":
        """The place that is reached by keys and numbers of items."""
        place = self
        for step in steps:
            place = place.entry(step) if isinstance(step, str) else place.item(step)
        return place

    def standing_for(self, node: Node) -> "Place":
        """A place here as though `node` were written in it: the long form of a short one."""
        return replace(self, node=node)

    def inheriting(self, values: Any) -> "Place":
        """A place here, with `values` for the fields below that say nothing."""
        return replace(self, inherited=values)

    @property
    def is_crowded(self) -> bool:
        """Whether there are more problems already than anybody reads the advice of."""
        return len(self.problems) >= MOST_ADVISED

    def has_key(self, key: str) -> bool:
        """Whether the map here says something about `key`."""
        return isinstance(self.node, MapNode) and key in self.node.entries

    def _address_of(self, key: str) -> str:
        return f"{self.address}.{key}" if self.address else key

    def _note(
        self, position: Position, address: str, rule: str, received: str, advice: Advice
    ) -> Invalid:
        if callable(advice):
            advice = "" if self.is_crowded else advice()
        self.problems.append(Problem(position, address, rule, received, advice or self.hint))
        return INVALID


def in_words(node: Node) -> str:
    """A node as its author would recognize it, in a few words."""
    if isinstance(node, ListNode):
        return "an empty list" if not node.items else f"a list of {len(node.items)}"
    if isinstance(node, MapNode):
        return "an empty map" if not node.entries else f"a map with {quoted(node.entries)}"
    if node.value is None:
        return "nothing"
    text = node.text if len(node.text) <= _LONGEST_SHOWN else node.text[:_LONGEST_SHOWN] + "..."
    return f'the text "{text}"' if isinstance(node.value, str) else text


def is_text(node: Node) -> bool:
    """Whether a node is text, not a number or another value."""
    return isinstance(node, ScalarNode) and isinstance(node.value, str)


def is_null(node: Node) -> bool:
    """Whether nothing stands in a node."""
    return isinstance(node, ScalarNode) and node.value is None
