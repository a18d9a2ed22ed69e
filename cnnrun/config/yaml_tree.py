"""YAML text as a tree of nodes that know where they stand.

PyYAML's parser gives events; the tree is built here, because its own composer drops explicit tags,
lets a later duplicate key win, follows YAML 1.1 and expands aliases without a bound.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from cnnrun.config.yaml_scalars import MOST_DIGITS, ScalarValue, has_leading_zero, plain_value
from cnnrun.errors import ConfigError, Position, Problem

# libyaml is ten times as fast as the parser in Python; both give the same events.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST = 100
_MOST_NODES = 100_000
_LONGEST_SHOWN = 40
_SYNTAX_ADVICE = {
    "mapping values are not allowed": "look for a `:` too many, a missing space after `:` or wrong "
    "indentation; text that contains `: ` has to be quoted",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "cannot start any token": "quote a text that begins with this character",
    "did not find expected key": "look for wrong indentation or a bracket too many",
    "did not find expected '-' indicator": "an entry of a list begins with `- `",
    "did not find expected ',' or": "look for a comma or a closing bracket that is missing",
    "unexpected end of stream": "look for a quote or a bracket that is not closed",
    "undefined alias": "define it first, as `&name`",
}


@dataclass(frozen=True)
class ScalarNode:
    """A single value; `text` is how it was written, without quotes."""

    position: Position
    value: ScalarValue
    text: str


@dataclass(frozen=True)
class ListNode:
    """A list of nodes."""

    position: Position
    items: tuple["Node", ...]


@dataclass(frozen=True)
class Entry:
    """A key's value, and where the key stands."""

    key_position: Position
    node: "Node"


@dataclass(frozen=True)
class MapNode:
    """A map from text to nodes, in the order of the file."""

    position: Position
    entries: Mapping[str, Entry]


Node = ScalarNode | ListNode | MapNode


@dataclass(frozen=True)
class Tree:
    """A document, and the problems that did not keep it from being read."""

    root: Node
    problems: tuple[Problem, ...]


def parse_tree(text: str, *, file: str, before: str = "") -> Tree:
    """The only document of YAML text.

    Args:
        text: the YAML.
        file: what positions call it.
        before: what stands before it in its first line, such as the `train.epochs=` of `--set`.

    Raises:
        ConfigError: it is no YAML, empty, or of several documents.
    """
    # Half of a surrogate pair can come in with `--set`; it could not even be printed.
    lines = (before + text).encode(errors="replace").decode().split("\n")
    return _Composer(file=file, lines=lines, indent=len(before)).compose(text)


@dataclass
class _Composer:
    """Builds nodes out of the parser's events, and collects problems on the way."""

    file: str
    lines: list[str]
    indent: int
    problems: list[Problem] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int] | None] = field(default_factory=dict)
    node_count: int = 0

    def compose(self, text: str) -> Tree:
        try:
            loader = _Loader(text)
            events: Iterator[Any] = iter(loader.get_event, None)
            return Tree(root=self._document(events), problems=tuple(self.problems))
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from error
        except yaml.reader.ReaderError as error:
            position = self._at_offset(text, error.position)
            raise self._end(
                position, "must be printable text", f"character {error.character}"
            ) from error
        except UnicodeEncodeError as error:
            position = self._at_offset(text, error.start)
            raise self._end(position, "must be UTF-8 text", repr(text[error.start])) from error

    def _document(self, events: Iterator[Any]) -> Node:
        next(events)  # the stream's start
        first = next(events)
        if isinstance(first, yaml.StreamEndEvent):
            raise self._end(
                Position(self.file, 1, 1, ""), "must hold a config", "an empty file", _FIRST_STEP
            )
        root = self._node(next(events), events, address="", depth=0)
        next(events)  # the document's end
        following = next(events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise self._end(
                self._at(following.start_mark),
                "must be a single document",
                "a second one",
                "give each config a file of its own",
            )
        return root

    def _node(self, event: Any, events: Iterator[Any], *, address: str, depth: int) -> Node:
        position = self._at(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event.anchor, position, address)
        self._refuse_tag(event, position, address)
        if depth > _DEEPEST:
            raise self._end(
                position, f"must not nest deeper than {_DEEPEST} levels", "one more", _UNTANGLE
            )
        before = self.node_count
        self.node_count += 1
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node = self._content(event, events, position, address=address, depth=depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (node, self.node_count - before)
        return node

    def _content(
        self, event: Any, events: Iterator[Any], position: Position, *, address: str, depth: int
    ) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, position, address)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(events, position, address=address, depth=depth)
        return self._map(events, position, address=address, depth=depth)

    def _scalar(self, event: Any, position: Position, address: str) -> ScalarNode:
        text = event.value
        if event.style:  # quoted, or a block of text
            return ScalarNode(position, text, text)
        if has_leading_zero(text) and len(text) <= MOST_DIGITS:
            self._add(
                position,
                address,
                "an integer must not begin with 0",
                f"`{text}`",
                f"write {int(text)}, 0o{text.lstrip('+-0') or 0} for an octal number, or "
                f'"{text}" for text',
            )
            return ScalarNode(position, int(text), text)
        return ScalarNode(position, plain_value(text), text)

    def _list(
        self, events: Iterator[Any], position: Position, *, address: str, depth: int
    ) -> ListNode:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item_address = f"{address}[{len(items)}]"
            items.append(self._node(event, events, address=item_address, depth=depth + 1))
        return ListNode(position, tuple(items))

    def _map(
        self, events: Iterator[Any], position: Position, *, address: str, depth: int
    ) -> MapNode:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key, key_position = self._key(event, events, address=address, depth=depth)
            key_address = f"{address}.{key}" if address else key
            node = self._node(next(events), events, address=key_address, depth=depth + 1)
            if key in entries:
                self._add(
                    key_position,
                    key_address,
                    "a key must appear once",
                    f"`{key}` again",
                    f"it stands in line {entries[key].key_position.line} already: keep one of them",
                )
            else:
                entries[key] = Entry(key_position, node)
        return MapNode(position, entries)

    def _key(
        self, event: Any, events: Iterator[Any], *, address: str, depth: int
    ) -> tuple[str, Position]:
        node = self._node(event, events, address=address, depth=depth + 1)
        position = self._at(event.start_mark)
        if not isinstance(node, ScalarNode):
            raise self._end(
                position,
                "a key must be text",
                "a list" if isinstance(node, ListNode) else "a map",
                "quote a text that contains brackets",
            )
        if node.text == "<<" and not event.style:
            raise self._end(
                position,
                "merge keys are not part of YAML 1.2",
                "`<<`",
                "use `extends` for a whole file, or write the values out",
            )
        return node.text, position

    def _aliased(self, anchor: Any, position: Position, address: str) -> Node:
        if anchor not in self.anchors:
            raise self._syntax_error_at(position, f"undefined alias `*{anchor}`")
        known = self.anchors[anchor]
        if known is None:
            raise self._end(
                position,
                "an anchor must not contain itself",
                f"`*{anchor}` inside of `&{anchor}`",
                "write the inner value out",
                address=address,
            )
        node, size = known
        self.node_count += size
        if self.node_count > _MOST_NODES:
            raise self._end(
                position,
                f"aliases must not expand to more than {_MOST_NODES:,} values",
                f"`*{anchor}`",
                _UNTANGLE,
                address=address,
            )
        return node

    def _refuse_tag(self, event: Any, position: Position, address: str) -> None:
        if event.tag is not None:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._add(
                position,
                address,
                "tags are not allowed",
                f"`{shown}`",
                "leave it out: a config holds plain values only",
            )

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> ConfigError:
        problem, marks = str(error.problem), [error.problem_mark, error.context_mark]
        # What is not closed is of interest where it was opened.
        first, second = reversed(marks) if "end of stream" in problem else marks
        position = self._at(first or second)
        if position.text[: position.column].endswith("\t") and "any token" in problem:
            return self._end(
                position,
                "indentation must be made of spaces",
                "a tab",
                "replace every tab by two spaces",
            )
        return self._syntax_error_at(position, problem)

    def _syntax_error_at(self, position: Position, problem: str) -> ConfigError:
        advice = (text for part, text in _SYNTAX_ADVICE.items() if part in problem)
        found = position.text[position.column - 1 :].strip()
        received = f"`{found[:_LONGEST_SHOWN]}`" if found else "the end of the line"
        return self._end(position, f"no valid YAML: {problem}", received, next(advice, _CHECK_LINE))

    def _end(
        self, position: Position, rule: str, received: str, advice: str = "", *, address: str = ""
    ) -> ConfigError:
        """The error of a text that cannot be read any further."""
        self._add(position, address, rule, received, advice or _CHECK_LINE)
        return ConfigError(self.problems)

    def _add(self, position: Position, address: str, rule: str, received: str, advice: str) -> None:
        self.problems.append(Problem(position, address, rule, received, advice))

    def _at(self, mark: Any) -> Position:
        text = self.lines[mark.line] if mark.line < len(self.lines) else ""
        column = mark.column + (self.indent if mark.line == 0 else 0)
        return Position(self.file, mark.line + 1, column + 1, text.rstrip("\r"))

    def _at_offset(self, text: str, offset: int) -> Position:
        line = text.count("\n", 0, offset)
        column = offset - (text.rfind("\n", 0, offset) + 1) + (self.indent if line == 0 else 0)
        return Position(self.file, line + 1, column + 1, self.lines[line].rstrip("\r"))


_CHECK_LINE = "look at this line and the one before it"
_UNTANGLE = "a config needs far fewer: write it out without aliases"
_FIRST_STEP = "`cnnrun init` writes configs to begin with"
