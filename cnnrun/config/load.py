"""From a config file to a checked config, or to all of its problems."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cnnrun.config.blocks import SOFTMAX_BY_DEFAULT
from cnnrun.config.composition import compose_files
from cnnrun.config.overrides import Change, override
from cnnrun.config.path_patterns import CLASS_FOLDERS
from cnnrun.config.places import Place
from cnnrun.config.sections import CONFIG, Config
from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError, Problem

SIGMOID: Final = KerasCall("activations", "sigmoid")


def load_config(path: Path, *, overrides: Sequence[str | Change] = ()) -> Config:
    """The checked config of a file.

    Args:
        path: a YAML file; paths in it are relative to it.
        overrides: values that replace the file's, one after the other: texts such as
            "train.epochs=5", whose paths are relative to the current folder, or changes, whose
            paths are relative to the file that they stand in.

    Returns:
        The config, with absolute paths.

    Raises:
        ConfigError: with every problem of the file, of those it extends and of the overrides, in
            the order of the files.
    """
    composition = compose_files(path)
    root, override_problems = override(composition.root, overrides)
    problems = [*composition.problems, *override_problems]
    place = Place(root, "", problems)
    config = CONFIG.read(place)
    if problems:
        raise ConfigError(_in_order(problems, path))
    if not isinstance(config, Config):
        raise TypeError(f"{path} was read without a problem, and gave {config!r}")
    if path.name == "resolved.yaml":
        config = _as_then(config, place)
    return replace(with_sigmoid_by_default(config), source=path)


def with_sigmoid_by_default(config: Config) -> Config:
    """A config whose classifier gives each label a probability, where images have several."""
    layers = config.model.layers
    if not config.data.is_multi_label or not layers or layers[-1].kind != "classifier":
        return config
    last = layers[-1]
    if last.arguments["activation"] is not SOFTMAX_BY_DEFAULT:
        return config
    last = replace(last, arguments={**last.arguments, "activation": SIGMOID})
    return replace(config, model=replace(config.model, layers=(*layers[:-1], last)))


def _as_then(config: Config, place: Place) -> Config:
    """A run's config as it was read by the version that wrote it, where this had fewer keys.

    0.1.0 named no layout, and decoded every image whole.
    """
    data = config.data
    if data.directory is not None and not (data.csv or data.layout):
        data = replace(data, layout=(CLASS_FOLDERS,))
    resize = place.at("data", "resize") if place.at("data").has_key("resize") else None
    if resize is None or not resize.has_key("shrink_on_load"):
        data = replace(data, resize=replace(data.resize, shrink_on_load=False))
    return replace(config, data=data)


def _in_order(problems: Iterable[Problem], path: Path) -> list[Problem]:
    """Problems by file, the config's own first, and by line; each text of an anchor once."""
    unique: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        unique.setdefault((problem.position, problem.rule, problem.received), problem)
    return sorted(unique.values(), key=lambda problem: _order(problem, path))


def _order(problem: Problem, path: Path) -> tuple[bool, str, int, int]:
    position = problem.position
    if position is None:
        return (True, "", 0, 0)
    return (position.file != str(path), position.file, position.line, position.column)
