"""Values put into a config's tree: from the command line, `--set PATH=VALUE`, or from a study."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cnnrun.config.kinds import Kind
from cnnrun.config.layer_lists import LayerEntry, layer_paths
from cnnrun.config.sections import CONFIG
from cnnrun.config.yaml_tree import Entry, ListNode, MapNode, Node, ScalarNode, parse_tree
from cnnrun.errors import ConfigError, Position, Problem
from cnnrun.wording import nearest

OVERRIDES: Final = "--set"
"""What positions in an override call its file."""

_STEP = re.compile(r"\.?(?P<key>[^.\[\]=]+)|\[(?P<item>[^\[\]]+)\]")
_MOST_DIGITS: Final = 9  # of an item's number


@dataclass(frozen=True)
class Change:
    """A value that stands at an address instead of the file's.

    Attributes:
        address: such as `model.layers[2].Conv2D.filters`, or `model.layers[stem]...` by name.
        position: where the address is written.
        value: what is put there; messages point at where it stands.
    """

    address: str
    position: Position
    value: Node

    @property
    def steps(self) -> tuple[str, ...]:
        """The address as "model", "layers", "[2]", "Conv2D", "filters"; empty if it is none."""
        return _steps(self.address)


class _UnknownAddressError(Exception):
    """A step of an address leads nowhere."""


def override(
    root: MapNode, overrides: Sequence[str | Change]
) -> tuple[MapNode, tuple[Problem, ...]]:
    """The tree with the overrides put in, one after the other, and the problems of some.

    An address is as in messages, `model.layers[2].Conv2D.filters`; a layer can go by its name,
    `model.layers[stem].conv_block.filters`. A value is YAML. A key that the file leaves out may be
    set; a bare name such as `GlobalAveragePooling2D` gains arguments.
    """
    problems: list[Problem] = []
    for each in overrides:
        try:
            change = _parsed(each, problems) if isinstance(each, str) else each
            root = _changed_root(root, change)
        except ConfigError as error:
            problems.extend(error.problems)
        except _UnknownAddressError:
            problems.append(_unknown_address(change, root))
    return root, tuple(problems)


def parsed_changes(overrides: Sequence[str | Change]) -> tuple[Change, ...]:
    """Overrides that were read before, as changes."""
    return tuple(_parsed(each, []) if isinstance(each, str) else each for each in overrides)


def parsed_override(text: str) -> Change:
    """What a text such as "train.epochs=5" puts in.

    Raises:
        ConfigError: it is no such text.
    """
    problems: list[Problem] = []
    change = _parsed(text, problems)
    if problems:
        raise ConfigError(problems)
    return change


def _parsed(text: str, problems: list[Problem]) -> Change:
    address, equals, value = text.partition("=")
    position = Position(OVERRIDES, 1, 1, text)
    steps = _steps(address.strip())
    if not equals or not steps:
        rule, advice = "must be PATH=VALUE", "write for example `train.epochs=5`"
        raise ConfigError([Problem(position, "", rule, f"`{text}`", advice)])
    if not value.strip():
        end = Position(OVERRIDES, 1, len(text) + 1, text)
        return Change(address.strip(), position, ScalarNode(end, None, ""))
    tree = parse_tree(value, file=OVERRIDES, before=f"{address}=")
    problems.extend(tree.problems)
    return Change(address.strip(), position, tree.root)


def _steps(address: str) -> tuple[str, ...]:
    """`a.b[2].c` as "a", "b", "[2]", "c"; empty if it is no address."""
    steps = []
    at = 0
    while at < len(address):
        match = _STEP.match(address, at)
        if match is None:
            return ()
        steps.append(match["key"] or f"[{match['item']}]")
        at = match.end()
    return tuple(steps)


def _changed_root(root: MapNode, change: Change) -> MapNode:
    changed = _changed(root, CONFIG, change.steps, change)
    if not change.steps or not isinstance(changed, MapNode):
        raise _UnknownAddressError
    return changed


def _changed(node: Node | None, kind: Kind, steps: tuple[str, ...], change: Change) -> Node:
    """The node with the value put in at the end of the steps."""
    if not steps:
        return change.value
    first, *rest = steps
    if first.startswith("["):
        return _changed_item(node, kind, first[1:-1], tuple(rest), change)
    return _changed_entry(node, kind, first, tuple(rest), change)


def _changed_item(
    node: Node | None, kind: Kind, item: str, steps: tuple[str, ...], change: Change
) -> Node:
    inside = kind.items()
    if inside is None or not isinstance(node, ListNode):
        raise _UnknownAddressError
    index = _index_of(item, node, inside)
    items = list(node.items)
    items[index] = _changed(items[index], inside, steps, change)
    return replace(node, items=tuple(items))


def _index_of(item: str, node: ListNode, kind: Kind) -> int:
    """Which item is meant, by number or by a layer's name."""
    if item.isdecimal() and len(item) <= _MOST_DIGITS and int(item) < len(node.items):
        return int(item)
    paths = layer_paths(node.items) if isinstance(kind, LayerEntry) else []
    if item not in paths:
        raise _UnknownAddressError
    return paths.index(item)


def _changed_entry(
    node: Node | None, kind: Kind, key: str, steps: tuple[str, ...], change: Change
) -> Node:
    kinds = kind.keys(node)
    opened = MapNode(change.position, {}) if node is None else kind.opened(node)
    if key not in kinds or not isinstance(opened, MapNode):
        raise _UnknownAddressError
    present = opened.entries.get(key)
    value = _changed(present.node if present else None, kinds[key], steps, change)
    key_position = present.key_position if present and steps else change.position
    return replace(opened, entries={**opened.entries, key: Entry(key_position, value)})


def _unknown_address(change: Change, root: MapNode) -> Problem:
    known = list(dict.fromkeys(_addresses(root, CONFIG, "", change.steps)))
    advice = nearest(change.address, known, what="addresses", otherwise=_ADDRESS_ADVICE)
    rule = "must be the address of a value of the config"
    return Problem(change.position, change.address, rule, f"`{change.address}`", advice)


def _addresses(
    node: Node | None, kind: Kind, address: str, steps: tuple[str, ...]
) -> Iterator[str]:
    """Every address below a node, with layers by number and by name.

    Below keys that the config leaves out, only those that `steps` pass through.
    """
    if address:
        yield address
    opened = None if node is None else kind.opened(node)
    inside = kind.items()
    if isinstance(opened, ListNode) and inside is not None:
        names = layer_paths(opened.items) if isinstance(inside, LayerEntry) else []
        for index, item in enumerate(opened.items):
            yield from _addresses(item, inside, f"{address}[{index}]", steps)
            if names:
                yield from _addresses(item, inside, f"{address}[{names[index]}]", steps)
    elif isinstance(opened, MapNode) or (node is None and _last_key(address) in steps):
        entries = opened.entries if isinstance(opened, MapNode) else {}
        for key, each in kind.keys(node).items():
            below = f"{address}.{key}" if address else key
            yield from _addresses(entries[key].node if key in entries else None, each, below, steps)


def _last_key(address: str) -> str:
    return address.rpartition(".")[2]


_ADDRESS_ADVICE: Final = "write it as in the file, such as `model.layers[0].Conv2D.filters`"
