"""A run's resolved config, line by line, with what differs from the defaults marked."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, Final

import yaml

from cnnrun.config.layer_lists import BLOCK_RECORDS
from cnnrun.config.plain_values import flow_text
from cnnrun.config.records import Record
from cnnrun.config.sections import CONFIG
from cnnrun.errors import RunError
from cnnrun.runs.differences import typed
from cnnrun.runs.files import read_content
from cnnrun.runs.folder import RunFolder

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_SHOWN_LETTERS: Final = 90


@dataclass(frozen=True)
class Difference:
    """A value that is not the default.

    Attributes:
        address: where it stands.
        value: what it is.
        default: what it is when nothing is said; "none" where that is nothing.
        line: its line in resolved.yaml, from 0.
    """

    address: str
    value: str
    default: str
    line: int


@dataclass(frozen=True)
class ConfigLine:
    """A line of resolved.yaml, and whether a value on it differs from its default."""

    text: str
    differs: bool


@dataclass(frozen=True)
class ConfigView:
    """A config as a page shows it."""

    lines: tuple[ConfigLine, ...]
    differences: tuple[Difference, ...]


def config_view(run: RunFolder) -> ConfigView | None:
    """A run's resolved config; None where it cannot be read."""
    try:
        text = read_content(run.resolved_yaml).decode("utf-8", errors="replace")
        root = yaml.compose(text, Loader=_Loader)
    except (OSError, yaml.YAMLError, ValueError, RecursionError, RunError):
        return None
    if not isinstance(root, yaml.MappingNode):
        return None
    differences = tuple(_in_record(CONFIG, root, ""))
    marked = {each.line for each in differences}
    lines = text.rstrip("\n").split("\n")
    return ConfigView(
        tuple(ConfigLine(line, number in marked) for number, line in enumerate(lines)),
        differences,
    )


def _in_record(
    record: Record, node: yaml.MappingNode, address: str, inherited: Mapping[str, Any] | None = None
) -> Iterator[Difference]:
    """What differs from a record's defaults; keys that have to be written have none."""
    for key_node, value_node in node.value:
        key = record.table.get(key_node.value)
        if key is None:
            continue
        place = f"{address}.{key.name}" if address else key.name
        if place == "model.layers":
            yield from _in_layers(value_node, place, _blocks_of(node))
        elif isinstance(key.kind, Record) and isinstance(value_node, yaml.MappingNode):
            yield from _in_record(key.kind, value_node, place)
        elif inherited is not None and key.name in inherited and key.default is MISSING:
            yield from _between(value_node, inherited[key.name], place, key_node)
        elif not record.is_required(key.name):
            yield from _between(value_node, key.written_default, place, key_node)


def _blocks_of(model: yaml.MappingNode) -> Mapping[str, Any]:
    """What `model.blocks` says, which is the default of every block."""
    found = next((value for key, value in model.value if key.value == "blocks"), None)
    blocks = {} if found is None else _plain(found)
    return blocks if isinstance(blocks, dict) else {}


def _in_layers(node: yaml.Node, address: str, blocks: Mapping[str, Any]) -> Iterator[Difference]:
    """What differs within the blocks of a layer list; Keras's layers hold what was given alone."""
    for number, entry in enumerate(node.value if isinstance(node, yaml.SequenceNode) else ()):
        if not isinstance(entry, yaml.MappingNode) or not entry.value:
            continue
        (name, arguments), *_ = entry.value
        place = f"{address}[{number}].{name.value}"
        if not isinstance(arguments, yaml.MappingNode):
            continue
        for key, value in arguments.value:
            if key.value == "layers":
                yield from _in_layers(value, f"{place}.layers", blocks)
            elif key.value == "branches" and isinstance(value, yaml.SequenceNode):
                for branch, layers in enumerate(value.value):
                    yield from _in_layers(layers, f"{place}.branches[{branch}]", blocks)
        record = BLOCK_RECORDS.get(name.value)
        if record is not None:
            kept = [pair for pair in arguments.value if pair[0].value not in ("layers", "branches")]
            own = yaml.MappingNode(arguments.tag, kept)
            yield from _in_record(record, own, place, blocks)


def _between(
    node: yaml.Node, default: Any, address: str, key_node: yaml.Node
) -> Iterator[Difference]:
    """A value held against its default; of maps what differs in them."""
    value = _plain(node)
    if value == default:
        return
    if isinstance(node, yaml.MappingNode) and isinstance(default, dict):
        for key, inner in node.value:
            yield from _between(inner, default.get(key.value), f"{address}.{key.value}", key)
        return
    line = key_node.start_mark.line if key_node.start_mark else 0
    yield Difference(address, _short(value), _short(default), line)


def _plain(node: yaml.Node) -> Any:
    """What a node holds, in maps, lists, texts and numbers."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each) for each in node.value]
    is_quoted = isinstance(node, yaml.ScalarNode) and node.style in ("'", '"')
    return str(node.value) if is_quoted else typed(node.value)


def _short(value: Any) -> str:
    if value in (None, "", [], {}):
        return "none"
    text = flow_text(value)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[: _SHOWN_LETTERS - 1]}…"
