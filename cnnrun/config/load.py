"""From a config file to a checked config, or to all of its problems."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from cnnrun.config.backbone_uses import own_preprocessing, says_preprocess
from cnnrun.config.composition import compose_files
from cnnrun.config.overrides import Change, override
from cnnrun.config.places import Place
from cnnrun.config.sections import CONFIG
from cnnrun.config.values import BackboneSpec, Config, PreprocessSpec
from cnnrun.errors import ConfigError, Problem


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
    if isinstance(config, Config) and config.model.backbone and not says_preprocess(place):
        config = replace(config, preprocess=_preprocessing_of(config.model.backbone, place))
    if problems:
        raise ConfigError(_in_order(problems, path))
    if not isinstance(config, Config):
        raise TypeError(f"{path} was read without a problem, and gave {config!r}")
    return replace(config, source=path)


def _preprocessing_of(backbone: BackboneSpec, root: Place) -> PreprocessSpec:
    """What a backbone expects to happen to its images; an earlier run's config says it."""
    if backbone.name is not None or not isinstance(backbone.weights, Path):
        return own_preprocessing(backbone)
    try:
        return load_config(backbone.weights / "resolved.yaml").preprocess
    except ConfigError as error:
        problem = error.problems[0]
        root.at("model", "backbone", "weights").refuse(
            "must be the folder of an earlier run, whose resolved.yaml can be read",
            received=f"`{backbone.weights.name}`: {problem.rule}",
            advice="`cnnrun runs` lists the runs of a folder",
        )
        return PreprocessSpec()


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
