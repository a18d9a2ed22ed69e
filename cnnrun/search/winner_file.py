"""The winner of a search as a config that extends the base."""

import os
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cnnrun.ablation.planning.arms import config_digest, single_threaded
from cnnrun.config.composition import compose_files
from cnnrun.config.dump import dump_config, yaml_text
from cnnrun.config.load import load_config
from cnnrun.config.overrides import Change, override, parsed_changes
from cnnrun.config.sections import Config
from cnnrun.config.yaml_tree import ListNode, MapNode, Node, ScalarNode
from cnnrun.runs.files import write_text
from cnnrun.search.search_plan import SearchPlan
from cnnrun.shown_text import harmless

_WIDTH: Final = 96


def write_winner(
    path: Path,
    plan: SearchPlan,
    config: Config,
    changes: Sequence[Change],
    *,
    comment: Sequence[str],
) -> None:
    """A config at `path` that extends the base with these changes, and says what it is.

    Lists are written whole, since a config that extends another replaces its lists.

    Args:
        path: where it is written.
        plan: the search.
        config: what it has to come to, whatever its seed.
        changes: what makes it of the base, beside what all trials share.
        comment: sentences for its beginning.

    Raises:
        StorageError: it cannot be written.
    """
    head = "".join(_comment(sentence) for sentence in comment)
    base = Path(os.path.relpath(plan.base, path.parent)).as_posix()
    values = changed_values(plan.base, [*plan.shared, *changes])
    write_text(path, head + yaml_text({"extends": base, **values}))
    if not _is_as_meant(path, plan, config):
        # A call that lost an argument of the base cannot be written on top of it.
        whole = replace(config, seed=plan.config.seed)
        write_text(path, head + dump_config(whole, relative_to=path.absolute().parent))


def changed_values(base: Path, overrides: Sequence[str | Change]) -> dict[str, Any]:
    """What overrides make of a config, as maps with nothing beside it but whole lists."""
    root, _ = override(compose_files(base).root, overrides)
    found: dict[str, Any] = {}
    for change in parsed_changes(overrides):
        steps = _up_to_list(change.steps)
        node: Node = root
        into = found
        for step in steps[:-1]:
            node = _below(node, step)
            into = into.setdefault(step, {})
        into[steps[-1]] = _plain(_below(node, steps[-1]))
    return found


def _comment(sentence: str) -> str:
    lines = textwrap.wrap(
        harmless(sentence), width=_WIDTH, break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"# {line}\n" for line in lines) or "#\n"


def _is_as_meant(path: Path, plan: SearchPlan, config: Config) -> bool:
    read = single_threaded(load_config(path))
    return config_digest(replace(read, seed=0, source=plan.base)) == config_digest(
        replace(config, seed=0, source=plan.base)
    )


def _up_to_list(steps: Sequence[str]) -> Sequence[str]:
    """The keys before the first number, or name, of an item."""
    items = [number for number, step in enumerate(steps) if step.startswith("[")]
    return steps[: items[0]] if items else steps


def _below(node: Node, key: str) -> Node:
    if not isinstance(node, MapNode):
        raise TypeError(f"{key} was put into a map")
    return node.entries[key].node


def _plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: _plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [_plain(item) for item in node.items]
    return node.value if isinstance(node, ScalarNode) else None
