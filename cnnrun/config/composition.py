"""One tree of a config file and of the files it extends."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cnnrun.config.config_files import read_config_text
from cnnrun.config.places import in_words
from cnnrun.config.yaml_tree import Entry, MapNode, Node, ScalarNode, Tree, parse_tree
from cnnrun.errors import ConfigError, Problem

_EXTENDS = "extends"


@dataclass(frozen=True)
class Composition:
    """The merged map of a config, and the problems that did not keep it from being read."""

    root: MapNode
    problems: tuple[Problem, ...]


def compose_files(path: Path) -> Composition:
    """A config file on top of the chain of files that it extends.

    Maps are merged deeply, lists and all else are replaced; a call of Keras under another name
    replaces the one in the base.

    Raises:
        ConfigError: a file cannot be read, is no map, or extends itself.
    """
    return _composed(path, read_config_text(path), below=())


def files_of(path: Path) -> tuple[Path, ...]:
    """A config file that was read before, and the files that it extends, one after the other."""
    files = [path]
    while True:
        root = parse_tree(read_config_text(files[-1]), file=str(files[-1])).root
        entry = root.entries.get(_EXTENDS) if isinstance(root, MapNode) else None
        if entry is None:
            return tuple(files)
        files.append(_base_path(entry.node, files[-1], tuple(files)))


def _composed(path: Path, text: str, below: tuple[Path, ...]) -> Composition:
    tree = parse_tree(text, file=str(path))
    root = _map_of(tree)
    if _EXTENDS not in root.entries:
        return Composition(root, tree.problems)
    entry = root.entries[_EXTENDS]
    own = {key: each for key, each in root.entries.items() if key != _EXTENDS}
    chain = (*below, path)
    base_path = _base_path(entry.node, path, chain)
    base = _composed(base_path, _read_base(base_path, entry.node), chain)
    merged = MapNode(root.position, _merged(base.root.entries, own))
    return Composition(merged, (*base.problems, *tree.problems))


def _map_of(tree: Tree) -> MapNode:
    if isinstance(tree.root, MapNode):
        return tree.root
    rule = "a config must be a map of sections"
    advice = "begin with `data:`, `model:` and `train:`"
    problem = Problem(tree.root.position, "", rule, in_words(tree.root), advice)
    raise ConfigError([*tree.problems, problem])


def _base_path(node: Node, path: Path, chain: tuple[Path, ...]) -> Path:
    text = node.value if isinstance(node, ScalarNode) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise _refused(
            node, "must be the path of a config", in_words(node), "write `extends: base.yaml`"
        )
    base = Path(os.path.normpath(path.parent / os.path.expanduser(text)))
    if os.path.realpath(base) in map(os.path.realpath, chain):
        loop = " -> ".join(str(each) for each in (*chain, base))
        raise _refused(node, "a config must not extend itself", loop, "take one `extends` out")
    return base


def _read_base(path: Path, node: Node) -> str:
    try:
        return read_config_text(path)
    except ConfigError as error:
        problem = error.problems[0]
        raise _refused(node, problem.rule, problem.received, problem.advice) from error


def _refused(node: Node, rule: str, received: str, advice: str) -> ConfigError:
    return ConfigError([Problem(node.position, _EXTENDS, rule, received, advice)])


def _merged(base: Mapping[str, Entry], own: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries of a map on top of its base's."""
    return dict(base) | {
        key: _merged_entry(base[key], entry) if key in base else entry for key, entry in own.items()
    }


def _merged_entry(base: Entry, own: Entry) -> Entry:
    if not isinstance(base.node, MapNode) or not isinstance(own.node, MapNode):
        return own
    if _call_name(base.node) and _call_name(own.node) not in (None, _call_name(base.node)):
        return own
    entries = _merged(base.node.entries, own.node.entries)
    return Entry(own.key_position, MapNode(own.node.position, entries))


def _call_name(node: MapNode) -> str | None:
    """The name in a map that looks like a call of Keras: alone, and with a capital."""
    if len(node.entries) != 1:
        return None
    name = next(iter(node.entries))
    return name if name[:1].isupper() else None
