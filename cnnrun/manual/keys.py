"""The keys of config and study files, explained from the declarations that check them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, final

import yaml

from cnnrun.ablation.studies.study import STUDY
from cnnrun.config.kinds import Kind, MapOf, Row
from cnnrun.config.layer_lists import LayerEntry, LayerList
from cnnrun.config.sections import CONFIG

NAME: Final = "NAME"
"""Stands in an address for a name of the user's own, such as that of a factor."""
_NAME_IN_EXAMPLES: Final = "width"
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # an eighth of the time
_INDEX: Final = re.compile(r"\[[^\]]*\]")
_ROOTS: Final[Mapping[str, Kind]] = {"config": CONFIG, "study": STUDY}


@final
@dataclass(frozen=True)
class KeyTopic:
    """A key of one of the two kinds of files.

    Attributes:
        file: "config" or "study".
        address: the keys that lead to it, such as "train.stages.epochs"; items of lists have no
            part of their own.
        row: what it is.
        below: its own keys.
        in_lists: for each part of the address but the last, how many lists stand between it and
            the next one.
    """

    file: str
    address: str
    row: Row
    below: Mapping[str, Row]
    in_lists: tuple[int, ...]

    @property
    def example(self) -> str:
        """YAML in which the key has a value of use."""
        *around, last = self.address.split(".")
        value = examples()[self.file][self.address]
        if around and isinstance(value, dict) and around[0] in value:
            return _yaml(value)
        if not (isinstance(value, dict) and last in value):
            value = {last: value}
        for part, depth in zip(reversed(around), reversed(self.in_lists), strict=True):
            for _ in range(depth):
                value = [value]
            value = {_NAME_IN_EXAMPLES if part == NAME else part: value}
        return _yaml(value)

    def as_markdown(self) -> str:
        """The explanation as a page."""
        what = f"a key of a {self.file}{' file' if self.file == 'study' else ''}"
        lines = [f"# {self.address}, {what}", "", f"{_sentence(self.row.doc)}", ""]
        lines += [f"- takes: {self.row.kind.phrase}"]
        if self.row.default:
            inner = self.below and self.row.default.startswith("`{")
            lines += [f"- default: {'those of its own keys' if inner else self.row.default}"]
        lines += ["", "For example:", "", "```yaml", self.example.rstrip("\n"), "```"]
        if self.below:
            lines += ["", "Its own keys:", ""]
            lines += [f"- `{key}`: {row.doc}{_left_out(row)}" for key, row in self.below.items()]
        return "\n".join(lines) + "\n"


@cache
def key_topics() -> tuple[KeyTopic, ...]:
    """Every key of both kinds of files, in the order of their declarations."""
    return tuple(topic for file, root in _ROOTS.items() for topic in _topics(file, "", (), root))


def find_keys(words: str) -> tuple[KeyTopic, ...]:
    """The keys that an address, or the end of one, speaks of; none if it is no address.

    Args:
        words: such as "train.best", "best", "model.layers[0].conv_block.filters".
    """
    parts = _INDEX.sub("", words).split(".")
    topics = key_topics()
    whole = tuple(each for each in topics if _matches(each.address.split("."), parts))
    ends = (each for each in topics if _matches(each.address.split(".")[-len(parts) :], parts))
    return whole or tuple(ends)


@cache
def examples() -> Mapping[str, Mapping[str, Any]]:
    """File -> address -> a value for the key; or what stands around it, where it needs that."""
    text = (files(__package__) / "key_examples.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, Any]] = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one
    return found


def _topics(file: str, prefix: str, in_lists: tuple[int, ...], kind: Kind) -> Iterator[KeyTopic]:
    """The keys below an address, each followed by its own."""
    for key, row in kind.rows().items():
        address = f"{prefix}{key}"
        inner, depth = _item(row.kind)
        if isinstance(inner, LayerEntry) and not _is_of_network(row.kind):  # of a block, or a stem
            yield KeyTopic(file, address, row, {}, in_lists)
            continue
        yield KeyTopic(file, address, row, inner.rows(), in_lists)
        below = (*in_lists, depth)
        if isinstance(inner, MapOf):
            inner, address, below = inner.value, f"{address}.{NAME}", (*below, 0)
        yield from _topics(file, f"{address}.", below, inner)


def _is_of_network(kind: Kind) -> bool:
    """Whether layers are those of `model.layers`, where they are explained for all lists."""
    return isinstance(kind, LayerList) and kind.is_whole_network


def _item(kind: Kind) -> tuple[Kind, int]:
    """What a list holds, and how many lists stand around it; anything else is its own item."""
    depth = 0
    while not kind.rows() and (item := kind.items()) is not None:
        kind, depth = item, depth + 1
    return kind, depth


def _yaml(value: Any) -> str:
    """A map in YAML, the innermost maps and lists within it in one line."""
    has_inner = any(isinstance(each, dict | list) for each in value.values())
    style = None if has_inner else False
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=style, width=78)


def _matches(address: Sequence[str], words: Sequence[str]) -> bool:
    """Whether words are an address, any name of the user's own standing for `NAME`."""
    return len(address) == len(words) and all(
        part in (word, NAME) for part, word in zip(address, words, strict=True)
    )


def _sentence(text: str) -> str:
    """Words of a declaration as a sentence."""
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _left_out(row: Row) -> str:
    is_value = row.default.startswith("`") and not row.default.startswith("`{")
    return f" (default {row.default})" if is_value else ""
