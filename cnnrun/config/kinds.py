"""What a value of a config may be: small kinds that compose.

Each kind gives the two readings of one rule: `read` checks a value and returns it, or notes every
problem; `schema` tells an editor the same. `keys` and `items` are for addresses such as
`train.optimizer.Adam.learning_rate`: what may stand below a value.
"""

import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from cnnrun.config.places import INVALID, Invalid, Place, is_null, is_text, suggestion
from cnnrun.config.yaml_tree import ListNode, MapNode, Node, ScalarNode

Schema = dict[str, Any]
LARGEST_SEED = 2**32 - 1
_LARGEST_INTEGER = 2**63 - 1


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

    @abstractmethod
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """The same rule as JSON Schema; what several places share goes into `definitions`."""

    def keys(self, node: Node | None) -> Mapping[str, "Kind"]:
        """Which keys may stand below `node`, or below nothing yet."""
        return {}

    def items(self) -> "Kind | None":
        """What the items are, for a list."""
        return None

    def opened(self, node: Node) -> Node:
        """The node with a short form written out, so that keys can be added to it."""
        return node


@final
@dataclass(frozen=True)
class Integer(Kind):
    """A whole number."""

    minimum: int | None = None
    maximum: int | None = None

    @property
    def phrase(self) -> str:
        return "an integer" + _range_phrase(self.minimum, self.maximum)

    def accepts(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and type(node.value) is int

    def read(self, place: Place) -> int | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or type(node.value) is not int:
            return place.refuse(f"must be {self.phrase}", advice=_as_number(node, whole=True))
        if not _within(node.value, self.minimum, self.maximum):
            return place.refuse(f"must be {self.phrase}")
        if abs(node.value) > _LARGEST_INTEGER:
            return place.refuse("must be an integer of at most 64 bits")
        return node.value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "integer", **_range_schema(self.minimum, self.maximum)}


@final
@dataclass(frozen=True)
class Number(Kind):
    """A finite number; an integer is one too."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    def phrase(self) -> str:
        limits = {
            "of at least": self.minimum,
            "above": self.above,
            "of at most": self.maximum,
            "below": self.below,
        }
        words = [f"{word} {limit:g}" for word, limit in limits.items() if limit is not None]
        if self.minimum is not None and self.maximum is not None:
            words = [f"from {self.minimum:g} to {self.maximum:g}"]
        return " ".join(["a number", " and ".join(words)]).strip()

    def accepts(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and type(node.value) in (int, float)

    def read(self, place: Place) -> float | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or (
            isinstance(node.value, bool) or not isinstance(node.value, int | float)
        ):
            return place.refuse(f"must be {self.phrase}", advice=_as_number(node, whole=False))
        value = float(node.value)
        if not math.isfinite(value):
            return place.refuse("must be a finite number")
        outside = (self.above is not None and value <= self.above) or (
            self.below is not None and value >= self.below
        )
        if outside or not _within(value, self.minimum, self.maximum):
            return place.refuse(f"must be {self.phrase}")
        return value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        limits = {"exclusiveMinimum": self.above, "exclusiveMaximum": self.below}
        open_ends = {name: limit for name, limit in limits.items() if limit is not None}
        return {"type": "number", **_range_schema(self.minimum, self.maximum), **open_ends}


@final
@dataclass(frozen=True)
class Boolean(Kind):
    """True or false."""

    @property
    def phrase(self) -> str:
        return "true or false"

    def accepts(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and isinstance(node.value, bool)

    def read(self, place: Place) -> bool | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
            return place.refuse(f"must be {self.phrase}", advice=_as_boolean(node))
        return node.value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "boolean"}


@final
@dataclass(frozen=True)
class Text(Kind):
    """Text that is not empty, of a pattern if there is one."""

    what: str = "text"
    pattern: str = ""

    @property
    def phrase(self) -> str:
        return self.what

    def accepts(self, node: Node) -> bool:
        return is_text(node)

    def read(self, place: Place) -> str | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return place.refuse(f"must be {self.phrase}", advice=_as_text(node))
        if not node.value or (self.pattern and not re.fullmatch(self.pattern, node.value)):
            return place.refuse(f"must be {self.phrase}")
        return node.value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        if self.pattern:
            return {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return {"type": "string", "minLength": 1}


@final
@dataclass(frozen=True)
class Label(Kind):
    """A name that may look like a number, such as the class folder 7; read as it is written."""

    what: str

    @property
    def phrase(self) -> str:
        return self.what

    def accepts(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and node.text != ""

    def read(self, place: Place) -> str | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not node.text:
            return place.refuse(f"must be {self.phrase}")
        return node.text

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number", "boolean"]}


@final
@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def phrase(self) -> str:
        quoted = [f"`{word}`" for word in self.words]
        if len(quoted) == 1:
            return quoted[0]
        return f"{', '.join(quoted[:-1])} or {quoted[-1]}"

    def accepts(self, node: Node) -> bool:
        return is_text(node)

    def read(self, place: Place) -> str | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return place.refuse(f"must be {self.phrase}")
        if node.value not in self.words:
            advice = suggestion(node.value, self.words, otherwise=place.hint or _CHOOSE)
            return place.refuse(f"must be {self.phrase}", advice=advice)
        return node.value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"enum": list(self.words)}


@final
@dataclass(frozen=True)
class FilePath(Kind):
    """A path, relative to the file that it stands in; `~` is the home folder."""

    what: str

    @property
    def phrase(self) -> str:
        return f"the path of {self.what}"

    def accepts(self, node: Node) -> bool:
        return is_text(node)

    def read(self, place: Place) -> Path | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str) or not node.value:
            return place.refuse(f"must be {self.phrase}", advice=_as_text(node))
        if "\0" in node.value:
            return place.refuse(f"must be {self.phrase}", received="a text with a null character")
        folder = Path(node.position.file).parent
        return Path(os.path.abspath(folder / Path(node.value).expanduser()))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1}


@final
@dataclass(frozen=True)
class Nullable(Kind):
    """Another kind, or nothing; `words` are texts that say "nothing" as well."""

    kind: Kind
    words: tuple[str, ...] = ()

    @property
    def phrase(self) -> str:
        return f"{self.kind.phrase} or {f'`{self.words[0]}`' if self.words else 'null'}"

    def accepts(self, node: Node) -> bool:
        return self._says_nothing(node) or self.kind.accepts(node)

    def read(self, place: Place) -> Any:
        if self._says_nothing(place.node):
            return None
        if not self.kind.accepts(place.node):
            return place.refuse(f"must be {self.phrase}", advice=misfit_advice(self.kind, place))
        return self.kind.read(place)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        nothing = {"enum": [None, *self.words]} if self.words else {"type": "null"}
        return {"anyOf": [self.kind.schema(definitions), nothing]}

    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return self.kind.keys(None if node is None or self._says_nothing(node) else node)

    def items(self) -> Kind | None:
        return self.kind.items()

    def opened(self, node: Node) -> Node:
        if self._says_nothing(node):
            return MapNode(node.position, {})
        return self.kind.opened(node)

    def _says_nothing(self, node: Node) -> bool:
        return is_null(node) or (isinstance(node, ScalarNode) and node.value in self.words)


@final
@dataclass(frozen=True)
class Either(Kind):
    """The first of several kinds whose form the value has; `what` says it in words."""

    kinds: tuple[Kind, ...]
    what: str = ""

    @property
    def phrase(self) -> str:
        return self.what or " or ".join(kind.phrase for kind in self.kinds)

    def accepts(self, node: Node) -> bool:
        return any(kind.accepts(node) for kind in self.kinds)

    def read(self, place: Place) -> Any:
        for kind in self.kinds:
            if kind.accepts(place.node):
                return kind.read(place)
        return place.refuse(f"must be {self.phrase}", advice=misfit_advice(self.kinds[0], place))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"anyOf": [kind.schema(definitions) for kind in self.kinds]}

    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return {key: kind for each in self.kinds for key, kind in each.keys(node).items()}

    def items(self) -> Kind | None:
        return next((item for kind in self.kinds if (item := kind.items()) is not None), None)

    def opened(self, node: Node) -> Node:
        for kind in self.kinds:
            opened = kind.opened(node)
            if isinstance(opened, MapNode):
                return opened
        return node


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
    def phrase(self) -> str:
        count = "" if self.length is None else f"{self.length} "
        least = f"at least {self.minimum} " if self.minimum and self.length is None else ""
        return f"a list of {least}{count}{self.what}"

    def accepts(self, node: Node) -> bool:
        return isinstance(node, ListNode)

    def read(self, place: Place) -> Any:
        node = place.node
        if not isinstance(node, ListNode):
            return place.refuse(f"must be {self.phrase}", advice=self._as_list(node))
        if (self.length is not None and len(node.items) != self.length) or (
            len(node.items) < self.minimum
        ):
            return place.refuse(f"must be {self.phrase}")
        items = [self.item.read(place.item(index)) for index in range(len(node.items))]
        return INVALID if INVALID in items else tuple(items)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        item = self.item.schema(definitions)
        whole: Schema = {"type": "array", "items": item}
        if self.length is not None:
            whole |= {"minItems": self.length, "maxItems": self.length}
        elif self.minimum:
            whole["minItems"] = self.minimum
        return whole

    def items(self) -> Kind | None:
        return self.item

    def _as_list(self, node: Node) -> str:
        """How to write a single item as a list."""
        if not isinstance(node, ScalarNode) or not self.item.accepts(node):
            return ""
        return f"write [{', '.join([node.text] * (self.length or 1))}]"


@final
@dataclass(frozen=True)
class MapOf(Kind):
    """A map from names of the user's own to one kind of values."""

    value: Kind
    what: str

    @property
    def phrase(self) -> str:
        return f"a map of {self.what}"

    def accepts(self, node: Node) -> bool:
        return isinstance(node, MapNode)

    def read(self, place: Place) -> Any:
        if not isinstance(place.node, MapNode) or not place.node.entries:
            return place.refuse(f"must be {self.phrase}")
        values = {key: self.value.read(place.entry(key)) for key in place.node.entries}
        return INVALID if INVALID in values.values() else values

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        value = self.value.schema(definitions)
        return {"type": "object", "additionalProperties": value, "minProperties": 1}

    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return dict.fromkeys(node.entries, self.value) if isinstance(node, MapNode) else {}


@final
@dataclass(frozen=True)
class Plain(Kind):
    """Whatever YAML can say without a map: left to Keras to judge."""

    what: str = field(default="a value or a list of values")

    @property
    def phrase(self) -> str:
        return self.what

    def accepts(self, node: Node) -> bool:
        return not isinstance(node, MapNode)

    def read(self, place: Place) -> Any:
        if isinstance(place.node, MapNode):
            return place.refuse(f"must be {self.phrase}")
        return _plain(place.node)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number", "boolean", "array", "null"]}


def misfit_advice(kind: Kind, place: Place) -> str:
    """What a kind would advise about a value that has not even its form."""
    problems: Sequence[Any] = (trial := Place(place.node, place.address, [])).problems
    kind.read(trial)
    return problems[0].advice if problems else ""


def _plain(node: Node) -> Any:
    if isinstance(node, ScalarNode):
        return node.value
    return tuple(_plain(item) for item in node.items) if isinstance(node, ListNode) else None


def _within(value: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def _range_phrase(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    if minimum is not None:
        return f" of at least {minimum}"
    return f" of at most {maximum}" if maximum is not None else ""


def _range_schema(minimum: float | None, maximum: float | None) -> Schema:
    limits = {"minimum": minimum, "maximum": maximum}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _as_number(node: Node, *, whole: bool) -> str:
    """How to write the number that a text or a fraction seems to mean."""
    if not isinstance(node, ScalarNode):
        return ""
    if isinstance(node.value, float) and whole and node.value.is_integer():
        return f"write {int(node.value)}"
    if isinstance(node.value, str) and re.fullmatch(r"[-+]?[0-9]+", node.value):
        return f"write it without quotes, {int(node.value)}"
    if isinstance(node.value, str) and re.fullmatch(r"[-+]?[0-9]+(_[0-9]+)+", node.value):
        return f"write {node.value.replace('_', '')}"
    return ""


def _as_boolean(node: Node) -> str:
    words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
    words |= {"true": "true", "false": "false", "1": "true", "0": "false"}
    meant = words.get(node.text.lower()) if isinstance(node, ScalarNode) else None
    return "" if meant is None else f"write {meant}"


def _as_text(node: Node) -> str:
    if isinstance(node, ScalarNode) and node.value is not None and node.value != "":
        return f'write it in quotes, "{node.text}"'
    return ""


_CHOOSE = "choose one of these words"
