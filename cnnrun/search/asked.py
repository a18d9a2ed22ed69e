"""A search as the command line gives it: a file with `search:`, or a config with `--over`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cnnrun.ablation.studies.factor_values import Word
from cnnrun.ablation.studies.search import (
    DIMENSION,
    HALVING_ADVICE,
    HALVING_RULE,
    SEARCH,
    Dimension,
    Search,
)
from cnnrun.ablation.studies.study import Metric, Study, load_study
from cnnrun.config.config_files import read_config_text
from cnnrun.config.places import Place
from cnnrun.config.yaml_tree import Entry, ListNode, MapNode, Node, ScalarNode, parse_tree
from cnnrun.errors import ConfigError, Position, Problem, StudyError

OVER: Final = "--over"
_RANGE: Final = re.compile(
    r"\s*(?P<low>[^,\s]+?)\s*\.\.\s*(?P<high>[^,\s:]+)\s*(?::\s*(?P<scale>\w+)\s*)?"
)
_FORMS: Final = "write for example `train.batch_size=16..128` or `model.blocks.activation=relu,elu`"
_OF_STUDY_FILES: Final = ("search", "factors", "question")


@dataclass(frozen=True)
class AskedSearch:
    """A search that is asked for.

    Attributes:
        name: what it is called.
        study: its question, metric, settings and seeds.
        search: what is searched, and how.
        base: the config that its trials start from; None for the usual one.
        positions: axis -> where its address is written.
        file: the study file that it stands in; None for a config with `--over`.
    """

    name: str
    study: Study
    search: Search
    base: Path | None
    positions: Mapping[str, Position]
    file: Path | None


def asked_search(path: Path, *, over: Sequence[str], metric: str | None) -> AskedSearch:
    """The search of a file with `search:`, or of a config and what is searched in it.

    Args:
        path: the file.
        over: what the command line names, such as "train.batch_size=16..128".
        metric: what is confirmed, where the command line says it.

    Raises:
        ConfigError: with every problem of the file, or of `over`.
        StudyError: nothing is searched, or it is said twice what.
    """
    keys = _keys_of(path)
    if any(key in keys for key in _OF_STUDY_FILES):
        asked = _of_file(path, over=over)
    elif not over:
        raise StudyError.at(
            OVER,
            rule="must say what is searched in a config",
            received="none",
            advice=f"{_FORMS}; or search `learning_rate=1e-4..3e-2`",
        )
    else:
        asked = _of_command_line(path, over)
    if metric is not None:
        written = Metric(written=Word(metric, Position("--metric", 1, 1, metric)))
        asked = replace(asked, study=replace(asked.study, metric=written))
    return asked


def with_options(search: Search, options: Mapping[str, Any]) -> Search:
    """A search with what the command line says of it, by the rules of the file's keys.

    Args:
        search: the file's, or that of `--over`.
        options: key of `search` -> its value.

    Raises:
        StudyError: a value is not allowed.
    """
    for name, value in options.items():
        problems: list[Problem] = []
        node = ScalarNode(Position(f"--{name}", 1, 1, ""), value, str(value))
        SEARCH.table[name].kind.read(Place(node, "", problems))
        for problem in problems:
            raise StudyError.at(
                f"--{name}",
                rule=problem.rule,
                received=problem.received,
                advice=problem.advice or SEARCH.table[name].doc,
            )
    found = replace(search, **options)
    if found.halving is not None and found.sampler == "tpe":
        raise StudyError.at("--halving", rule=HALVING_RULE, received="`tpe`", advice=HALVING_ADVICE)
    return found


def _keys_of(path: Path) -> frozenset[str]:
    """The keys at the top of a file; its problems are told by what reads it next."""
    root = parse_tree(read_config_text(path), file=str(path)).root
    return frozenset(root.entries) if isinstance(root, MapNode) else frozenset()


def _of_file(path: Path, *, over: Sequence[str]) -> AskedSearch:
    study = load_study(path)
    if study.search is None:
        raise StudyError.at(
            path,
            rule="must be a config, or a study file with `search`",
            received="a study that compares what its factors make",
            advice=f"`cnnrun ablate {path}` runs it",
        )
    if over:
        raise StudyError.at(
            OVER,
            rule="goes with a config; a file with `search` says itself what is searched",
            received=f"it beside {path}",
            advice="leave it out, or add it to `search.over`",
        )
    positions = {
        name: _position_in(path, name, dimension) for name, dimension in study.search.over.items()
    }
    return AskedSearch(path.stem, study, study.search, study.base, positions, path)


def _position_in(path: Path, name: str, dimension: Dimension) -> Position:
    if dimension.path is not None:
        return dimension.path.position
    return Position(str(path), 1, 1, name)


def _of_command_line(path: Path, over: Sequence[str]) -> AskedSearch:
    problems: list[Problem] = []
    dimensions: dict[str, Dimension] = {}
    positions: dict[str, Position] = {}
    for text in over:
        address, node = _parsed(text, problems)
        if node is None:
            continue
        place = Place(node, address, problems)
        dimension = DIMENSION.read(place)
        if address in dimensions:
            _refuse(text, problems, "must name each address once", f"`{address}` twice", "")
        if isinstance(dimension, Dimension):
            dimensions[address] = dimension
            positions[address] = node.position
    if problems:
        raise ConfigError(problems)
    verb = "suits" if len(dimensions) == 1 else "suit"
    question = f"Which {' and '.join(dimensions)} {verb} {path.stem}?"
    study = Study(question=question)
    search = Search(over=dimensions)
    return AskedSearch(f"{path.stem}-search", study, search, path, positions, None)


def _parsed(text: str, problems: list[Problem]) -> tuple[str, MapNode | None]:
    """ADDRESS=LOW..HIGH or ADDRESS=A,B,C as the map that a file would have for it."""
    address, equals, values = text.partition("=")
    address = address.strip()
    if not (address and equals and values.strip()):
        _refuse(text, problems, "must be ADDRESS=LOW..HIGH or ADDRESS=A,B", f"`{text}`", _FORMS)
        return address, None
    at = Position(OVER, 1, 1, text)
    path = Entry(at, ScalarNode(at, address, address))
    found = _RANGE.fullmatch(values)
    if found is None:
        return address, _choices(text, address, values, path, problems)
    entries = {"path": path}
    for end in ("low", "high"):
        column = text.index("=") + 1 + found.start(end)
        entries[end] = Entry(at, _scalar(text, found[end], column))
    if found["scale"]:
        column = text.index("=") + 1 + found.start("scale")
        entries["scale"] = Entry(at, _scalar(text, found["scale"], column))
    return address, MapNode(at, entries)


def _choices(
    text: str, address: str, values: str, path: Entry, problems: list[Problem]
) -> MapNode | None:
    tree = parse_tree(f"[{values}]", file=OVER, before=f"{address}=")
    problems.extend(tree.problems)
    items = tree.root.items if isinstance(tree.root, ListNode) else ()
    if tree.problems:
        return None
    if len(items) < 2:
        rule = "must be LOW..HIGH, or two or more values"
        _refuse(text, problems, rule, f"`{values}`", _FORMS)
        return None
    at = Position(OVER, 1, 1, text)
    moved: list[Node] = [replace(item, position=at) for item in items]
    return MapNode(at, {"path": path, "values": Entry(at, ListNode(at, tuple(moved)))})


def _scalar(text: str, value: str, column: int) -> ScalarNode:
    position = Position(OVER, 1, column + 1, text)
    tree = parse_tree(value, file=OVER)
    plain = tree.root.value if isinstance(tree.root, ScalarNode) else value
    return ScalarNode(position, plain, value)


def _refuse(text: str, problems: list[Problem], rule: str, received: str, advice: str) -> None:
    problems.append(Problem(Position(OVER, 1, 1, text), "", rule, received, advice))
