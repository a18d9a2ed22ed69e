"""What a value of a config may be, as small rules that compose; here the rules made of others.

Each kind gives the readings of one rule: `read` checks a value and returns it, or notes every
problem; `write` is the way back, to what YAML and JSON hold; `schema` tells an editor the same.
`keys` and `items` are for addresses such as `train.optimizer.Adam.learning_rate`: what may stand
below a value. Numbers and texts are in scalar_kinds.py, maps in records.py, objects of Keras in
keras_calls.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, final

from typing_extensions import override

from cnnrun.config.places import INVALID, Invalid, Place, is_null
from cnnrun.config.yaml_tree import ListNode, MapNode, Node, ScalarNode
from cnnrun.wording import quoted, suggestion

Schema = dict[str, Any]

REQUIRED: Final = "none; it has to be written"
"""What is said in place of a default where there is none."""


@final
@dataclass(frozen=True)
class Row:
    """A key of a map, as its reader needs to know it.

    Attributes:
        kind: what its value is.
        doc: what it means.
        default: what holds where it is left out, in words; "" where that needs no word.
    """

    kind: "Kind"
    doc: str
    default: str = ""


class Kind(ABC):
    """A rule for a value."""

    @property
    @abstractmethod
    def phrase(self) -> str:
        """What a value must be, such as "an integer of at least 1"."""

    @abstractmethod
    def accepts(self, node: Node) -> bool:
        """Whether the node has this kind's form, whatever is wrong inside."""

    @abstractmethod
    def read(self, place: Place) -> Any:
        """The value; or INVALID, with all its problems noted in `place.problems`."""

    def holds(self, value: Any) -> bool:
        """Whether a value can be what `read` returned; for kinds that are one of several."""
        return isinstance(value, bool | int | float | str)

    def write(self, value: Any, *, relative_to: Path) -> Any:
        """What `read` returned as YAML holds it, in maps, lists, texts and numbers.

        Args:
            value: the value.
            relative_to: the folder that paths are written relative to.
        """
        return value

    @abstractmethod
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """The same rule as JSON Schema; what several places share goes into `definitions`."""

    def keys(self, node: Node | None) -> Mapping[str, "Kind"]:
        """Which keys may stand below `node`, or below nothing yet."""
        return {}

    def rows(self) -> Mapping[str, Row]:
        """The keys that are always there, explained; none for a map of the user's own names."""
        return {}

    def items(self) -> "Kind | None":
        """What the items are, for a list."""
        return None

    def opened(self, node: Node) -> Node:
        """The node with a short form written out, so that keys can be added to it."""
        return node

    def advice(self, node: Node) -> str:
        """How to write what a node of another form was probably meant to say."""
        return ""

    def refuse_form(self, place: Place) -> Invalid:
        """Note that the value here is of another form."""
        return place.refuse(f"must be {self.phrase}", advice=self.advice(place.node))


@final
@dataclass(frozen=True)
class Nullable(Kind):
    """Another kind, or nothing.

    Attributes:
        kind: the other kind.
        words: texts that say "nothing" as well.
        written: the one of them that is written for it; null by default.
    """

    kind: Kind
    words: tuple[str, ...] = ()
    written: str | None = None

    @property
    @override
    def phrase(self) -> str:
        # That a key may be left empty is not what a wrong value was meant to say.
        return f"{self.kind.phrase} or `{self.words[0]}`" if self.words else self.kind.phrase

    @override
    def accepts(self, node: Node) -> bool:
        return self._says_nothing(node) or self.kind.accepts(node)

    @override
    def read(self, place: Place) -> Any:
        if self._says_nothing(place.node):
            return None
        return self.kind.read(place) if self.kind.accepts(place.node) else self.refuse_form(place)

    @override
    def holds(self, value: Any) -> bool:
        return value is None or self.kind.holds(value)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        if value is None:
            return self.written
        return self.kind.write(value, relative_to=relative_to)

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        nothing = {"enum": [None, *self.words]} if self.words else {"type": "null"}
        return {"anyOf": [self.kind.schema(definitions), nothing]}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return self.kind.keys(None if node is None or self._says_nothing(node) else node)

    @override
    def rows(self) -> Mapping[str, Row]:
        return self.kind.rows()

    @override
    def items(self) -> Kind | None:
        return self.kind.items()

    @override
    def opened(self, node: Node) -> Node:
        if self._says_nothing(node):
            return MapNode(node.position, {})
        return self.kind.opened(node)

    @override
    def advice(self, node: Node) -> str:
        return self.kind.advice(node)

    def _says_nothing(self, node: Node) -> bool:
        return is_null(node) or (isinstance(node, ScalarNode) and node.value in self.words)


@final
@dataclass(frozen=True)
class Either(Kind):
    """The first of several kinds whose form the value has; `what` says it in words."""

    kinds: tuple[Kind, ...]
    what: str = ""

    @property
    @override
    def phrase(self) -> str:
        return self.what or " or ".join(kind.phrase for kind in self.kinds)

    @override
    def accepts(self, node: Node) -> bool:
        return any(kind.accepts(node) for kind in self.kinds)

    @override
    def read(self, place: Place) -> Any:
        for kind in self.kinds:
            if kind.accepts(place.node):
                return kind.read(place)
        return self.refuse_form(place)

    @override
    def holds(self, value: Any) -> bool:
        return any(kind.holds(value) for kind in self.kinds)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        kind = next(kind for kind in self.kinds if kind.holds(value))
        return kind.write(value, relative_to=relative_to)

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"anyOf": [kind.schema(definitions) for kind in self.kinds]}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return {key: kind for each in self.kinds for key, kind in each.keys(node).items()}

    @override
    def rows(self) -> Mapping[str, Row]:
        return {key: row for each in self.kinds for key, row in each.rows().items()}

    @override
    def items(self) -> Kind | None:
        return next((item for kind in self.kinds if (item := kind.items()) is not None), None)

    @override
    def opened(self, node: Node) -> Node:
        maps = (opened for kind in self.kinds if _is_map(opened := kind.opened(node)))
        return next(maps, node)

    @override
    def advice(self, node: Node) -> str:
        return next((advice for kind in self.kinds if (advice := kind.advice(node))), "")


@final
@dataclass(frozen=True)
class ListOf(Kind):
    """A list of one kind of items, as a tuple.

    Attributes:
        item: what each item is.
        what: the items in words, in the plural.
        length: how many there are, or None.
        minimum: how many there are at least.
    """

    item: Kind
    what: str
    length: int | None = None
    minimum: int = 0

    @property
    @override
    def phrase(self) -> str:
        if self.length == 1:
            return f"a list of 1 {self.what.removesuffix('s')}"
        if self.length is not None:
            return f"a list of {self.length} {self.what}"
        return f"a list of {f'at least {self.minimum} ' if self.minimum else ''}{self.what}"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, ListNode)

    @override
    def read(self, place: Place) -> Any:
        node = place.node
        if not isinstance(node, ListNode):
            return self.refuse_form(place)
        wrong_length = self.length is not None and len(node.items) != self.length
        if wrong_length or len(node.items) < self.minimum:
            return place.refuse(f"must be {self.phrase}")
        items = [self.item.read(place.item(index)) for index in range(len(node.items))]
        return INVALID if INVALID in items else tuple(items)

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, tuple)

    @override
    def write(self, value: Any, *, relative_to: Path) -> list[Any]:
        return [self.item.write(each, relative_to=relative_to) for each in value]

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        schema: Schema = {"type": "array", "items": self.item.schema(definitions)}
        if self.length is not None:
            return schema | {"minItems": self.length, "maxItems": self.length}
        return schema | ({"minItems": self.minimum} if self.minimum else {})

    @override
    def items(self) -> Kind | None:
        return self.item

    @override
    def advice(self, node: Node) -> str:
        if isinstance(node, MapNode) and self.item.accepts(node):
            return "begin each item with `- `"
        if not isinstance(node, ScalarNode) or not self.item.accepts(node):
            return ""
        return f"write [{', '.join([node.text] * (self.length or 1))}]"


@final
@dataclass(frozen=True)
class OneOrMore(Kind):
    """A value or a list of such values, as a tuple; `what` names one, `plural` several."""

    item: Kind
    what: str
    plural: str

    @property
    @override
    def phrase(self) -> str:
        return f"{self.what} or a list of {self.plural}"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, ListNode) or self.item.accepts(node)

    @override
    def read(self, place: Place) -> Any:
        node = place.node
        if isinstance(node, ListNode):
            return ListOf(self.item, self.plural, minimum=1).read(place)
        if not self.item.accepts(node):
            return self.refuse_form(place)
        value = self.item.read(place)
        return INVALID if value is INVALID else (value,)

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, tuple)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        written = [self.item.write(each, relative_to=relative_to) for each in value]
        return written[0] if len(written) == 1 else written

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        item = self.item.schema(definitions)
        return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}

    @override
    def items(self) -> Kind | None:
        return self.item

    @override
    def advice(self, node: Node) -> str:
        return self.item.advice(node)


@final
@dataclass(frozen=True)
class MapOf(Kind):
    """A map from names of the user's own to one kind of values."""

    value: Kind
    what: str

    @property
    @override
    def phrase(self) -> str:
        return f"a map of {self.what}"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, MapNode)

    @override
    def read(self, place: Place) -> Any:
        if not isinstance(place.node, MapNode) or not place.node.entries:
            return self.refuse_form(place)
        values = {key: self.value.read(place.entry(key)) for key in place.node.entries}
        return INVALID if INVALID in values.values() else values

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    @override
    def write(self, value: Any, *, relative_to: Path) -> dict[str, Any]:
        return {key: self.value.write(each, relative_to=relative_to) for key, each in value.items()}

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        value = self.value.schema(definitions)
        return {"type": "object", "additionalProperties": value, "minProperties": 1}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return dict.fromkeys(node.entries, self.value) if isinstance(node, MapNode) else {}


@final
@dataclass(frozen=True)
class KeyedMap(Kind):
    """A map with some of a few keys, as a dict of those that are written."""

    values: Mapping[str, Kind]

    @property
    @override
    def phrase(self) -> str:
        return f"a map of {quoted(self.values)}"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, MapNode)

    @override
    def read(self, place: Place) -> Any:
        if not isinstance(place.node, MapNode):
            return self.refuse_form(place)
        known_problems = len(place.problems)
        for key in place.node.entries:
            if key not in self.values:
                advice = partial(suggestion, key, list(self.values))
                rule = f"must be {self.phrase}"
                place.refuse_key(key, rule, received=f"`{key}`", advice=advice)
        values = {
            key: kind.read(place.entry(key))
            for key, kind in self.values.items()
            if place.has_key(key)
        }
        return INVALID if len(place.problems) > known_problems else values

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    @override
    def write(self, value: Any, *, relative_to: Path) -> dict[str, Any]:
        return {
            key: self.values[key].write(each, relative_to=relative_to)
            for key, each in value.items()
        }

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        properties = {key: kind.schema(definitions) for key, kind in self.values.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return self.values


def _is_map(node: Node) -> bool:
    return isinstance(node, MapNode)
