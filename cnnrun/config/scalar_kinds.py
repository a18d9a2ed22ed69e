"""Kinds of single values: numbers, words, texts, paths; and lists that Keras judges."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from typing_extensions import override

from cnnrun.config.kinds import Kind, Schema
from cnnrun.config.path_patterns import PatternError, parse_pattern
from cnnrun.config.places import Invalid, Place, is_text
from cnnrun.config.yaml_tree import ListNode, MapNode, Node, ScalarNode
from cnnrun.wording import closest

LARGEST_SEED: Final = 2**32 - 1
_LARGEST_INTEGER: Final = 2**63 - 1
_BOOLEANS: Final[Mapping[str, str]] = {
    "yes": "true",
    "on": "true",
    "true": "true",
    "1": "true",
    "no": "false",
    "off": "false",
    "false": "false",
    "0": "false",
}


@final
@dataclass(frozen=True)
class Integer(Kind):
    """A whole number."""

    minimum: int | None = None
    maximum: int | None = None

    @property
    @override
    def phrase(self) -> str:
        return _range_phrase("an integer", minimum=self.minimum, maximum=self.maximum)

    @override
    def accepts(self, node: Node) -> bool:
        return _integer_in(node) is not None

    @override
    def read(self, place: Place) -> int | Invalid:
        value = _integer_in(place.node)
        if value is None:
            return self.refuse_form(place)
        if not _is_within(value, self.minimum, self.maximum):
            return place.refuse(f"must be {self.phrase}")
        if abs(value) > _LARGEST_INTEGER:
            return place.refuse("must be an integer of at most 64 bits")
        return value

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "integer", **_limits(minimum=self.minimum, maximum=self.maximum)}

    @override
    def advice(self, node: Node) -> str:
        value = node.value if isinstance(node, ScalarNode) else None
        if isinstance(value, float) and value.is_integer():
            return f"write {int(value)}"
        number = _without_unit(node)
        is_meant = number is not None and (self.minimum is None or number >= self.minimum)
        return f"write {number}" if is_meant else _unquoted(node)


@final
@dataclass(frozen=True)
class Number(Kind):
    """A finite number; an integer is one too. `above` and `below` are outside of the range."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None

    @property
    @override
    def phrase(self) -> str:
        return _range_phrase(
            "a number",
            minimum=self.minimum,
            maximum=self.maximum,
            above=self.above,
            below=self.below,
        )

    @override
    def accepts(self, node: Node) -> bool:
        return _number_in(node) is not None

    @override
    def read(self, place: Place) -> float | Invalid:
        value = _number_in(place.node)
        if value is None:
            return self.refuse_form(place)
        if not math.isfinite(value):
            return place.refuse("must be a finite number")
        is_outside = (self.above is not None and value <= self.above) or (
            self.below is not None and value >= self.below
        )
        if is_outside or not _is_within(value, self.minimum, self.maximum):
            return place.refuse(f"must be {self.phrase}")
        return value

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        limits = _limits(
            minimum=self.minimum,
            maximum=self.maximum,
            exclusiveMinimum=self.above,
            exclusiveMaximum=self.below,
        )
        return {"type": "number", **limits}

    @override
    def advice(self, node: Node) -> str:
        return _unquoted(node)


@final
@dataclass(frozen=True)
class Boolean(Kind):
    """True or false."""

    @property
    @override
    def phrase(self) -> str:
        return "true or false"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and isinstance(node.value, bool)

    @override
    def read(self, place: Place) -> bool | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
            return self.refuse_form(place)
        return node.value

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "boolean"}

    @override
    def advice(self, node: Node) -> str:
        meant = _BOOLEANS.get(node.text.lower()) if isinstance(node, ScalarNode) else None
        return "" if meant is None else f"write {meant}"


@final
@dataclass(frozen=True)
class Text(Kind):
    """Text that is not empty, of a pattern if there is one."""

    what: str = "text"
    pattern: str = ""

    @property
    @override
    def phrase(self) -> str:
        return self.what

    @override
    def accepts(self, node: Node) -> bool:
        return is_text(node)

    @override
    def read(self, place: Place) -> str | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return self.refuse_form(place)
        if not node.value or (self.pattern and not re.fullmatch(self.pattern, node.value)):
            return place.refuse(f"must be {self.phrase}")
        return node.value

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        if self.pattern:
            return {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return {"type": "string", "minLength": 1}

    @override
    def advice(self, node: Node) -> str:
        return _quoted(node)


@final
@dataclass(frozen=True)
class Label(Kind):
    """A name that may look like a number, such as the class folder 7; read as it is written."""

    what: str

    @property
    @override
    def phrase(self) -> str:
        return self.what

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and node.text != ""

    @override
    def read(self, place: Place) -> str | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not node.text:
            return self.refuse_form(place)
        return node.text

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number", "boolean"]}


@final
@dataclass(frozen=True)
class Choice(Kind):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    @override
    def phrase(self) -> str:
        *others, last = [f"`{word}`" for word in self.words]
        return f"{', '.join(others)} or {last}" if others else last

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and node.value in self.words

    @override
    def read(self, place: Place) -> str | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not self.accepts(node):
            return self.refuse_form(place)
        return node.text

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"enum": list(self.words)}

    @override
    def advice(self, node: Node) -> str:
        meant = closest(node.text, self.words) if isinstance(node, ScalarNode) else None
        return f"did you mean `{meant}`?" if meant is not None else ""


_WITH_UNIT: Final = re.compile(r"([0-9]{1,9}) ?(?:epoch|step|image|thread|pixel)s?")
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@final
@dataclass(frozen=True)
class FilePath(Kind):
    """A path, relative to the file that it stands in; `~` is the home folder."""

    what: str

    @property
    @override
    def phrase(self) -> str:
        return f"the path of {self.what}"

    @override
    def accepts(self, node: Node) -> bool:
        return is_text(node)

    @override
    def read(self, place: Place) -> Path | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return self.refuse_form(place)
        if not node.value or "\0" in node.value:
            return place.refuse(f"must be {self.phrase}", received=repr(node.value))
        if _URL.match(node.value):
            return place.refuse(
                f"must be {self.phrase}, on a disk",
                received=f"the URL {node.value}",
                advice="copy it to a disk: `cnnrun extract-features --data` alone reads URLs",
            )
        folder = Path(node.position.file).parent
        # Not `resolve`: a link to the data may be meant to move.
        return Path(os.path.abspath(folder / os.path.expanduser(node.value)))

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, Path)

    @override
    def write(self, value: Any, *, relative_to: Path) -> str:
        return Path(os.path.relpath(value, relative_to)).as_posix()

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1}

    @override
    def advice(self, node: Node) -> str:
        return _quoted(node)


@final
@dataclass(frozen=True)
class PathPatternText(Kind):
    """A pattern of paths, as text; see path_patterns.py.

    Attributes:
        what: the pattern in words.
        fields: the names that its fields may have; None allows any.
        words: what stands for something else than a pattern.
    """

    what: str
    fields: tuple[str, ...] | None
    words: tuple[str, ...] = ()

    @property
    @override
    def phrase(self) -> str:
        return self.what

    @override
    def accepts(self, node: Node) -> bool:
        return is_text(node)

    @override
    def read(self, place: Place) -> str | Invalid:
        node = place.node
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return self.refuse_form(place)
        try:
            parse_pattern(node.value, fields=self.fields)
        except PatternError as error:
            return place.refuse(str(error), received=f"`{node.value}`")
        if self.fields and node.value not in self.words and "{" not in node.value:
            fields = " or ".join(f"{{{name}}}" for name in self.fields)
            return place.refuse(
                f"must be {self.what}, with {fields} in it",
                received=f"`{node.value}`",
                advice='the folder above each image is its class in `"**/{label}/*"`',
            )
        return node.value

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "minLength": 1}

    @override
    def advice(self, node: Node) -> str:
        return 'write it in quotes, "{label}/*"' if isinstance(node, MapNode) else _quoted(node)


@final
@dataclass(frozen=True)
class Plain(Kind):
    """Whatever YAML can say without a map: left to Keras to judge."""

    @property
    @override
    def phrase(self) -> str:
        return "a value or a list of values"

    @override
    def accepts(self, node: Node) -> bool:
        return not isinstance(node, MapNode)

    @override
    def read(self, place: Place) -> Any:
        return self.refuse_form(place) if isinstance(place.node, MapNode) else _plain(place.node)

    @override
    def holds(self, value: Any) -> bool:
        return value is None or isinstance(value, tuple) or super().holds(value)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        if isinstance(value, tuple):
            return [self.write(each, relative_to=relative_to) for each in value]
        return value

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": ["string", "number", "boolean", "array", "null"]}


def _plain(node: Node) -> Any:
    if isinstance(node, ScalarNode):
        return node.value
    return tuple(_plain(item) for item in node.items) if isinstance(node, ListNode) else None


def _integer_in(node: Node) -> int | None:
    value = node.value if isinstance(node, ScalarNode) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number_in(node: Node) -> float | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, float):
        return node.value
    integer = _integer_in(node)
    return None if integer is None else float(integer)


def _is_within(value: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def _range_phrase(
    what: str,
    *,
    minimum: float | None,
    maximum: float | None,
    above: float | None = None,
    below: float | None = None,
) -> str:
    if minimum is not None and maximum is not None:
        return f"{what} from {_end(minimum)} to {_end(maximum)}"
    ends = {"of at least": minimum, "above": above, "of at most": maximum, "below": below}
    words = [f"{word} {_end(end)}" for word, end in ends.items() if end is not None]
    return f"{what} {' and '.join(words)}" if words else what


def _end(end: float) -> str:
    return str(int(end)) if end == int(end) else str(end)


def _limits(**limits: float | None) -> Schema:
    return {name: limit for name, limit in limits.items() if limit is not None}


def _without_unit(node: Node) -> int | None:
    """The number of a text such as `5 epochs`."""
    text = node.value if isinstance(node, ScalarNode) else None
    meant = _WITH_UNIT.fullmatch(text) if isinstance(text, str) else None
    return int(meant[1]) if meant else None


def _unquoted(node: Node) -> str:
    """How to write the number that a text seems to mean."""
    text = node.value if isinstance(node, ScalarNode) else None
    if isinstance(text, str) and re.fullmatch(r"[-+]?[0-9]{1,20}(_[0-9]{1,20}){0,9}", text):
        return f"write {int(text)}"
    return ""


def _quoted(node: Node) -> str:
    """How to write the text that another value seems to mean."""
    if isinstance(node, ScalarNode) and node.value is not None and node.value != "":
        return f'write it in quotes, "{node.text}"'
    return ""


SEED: Final = Integer(0, LARGEST_SEED)
"""A seed, as NumPy, Python and Keras take it."""
