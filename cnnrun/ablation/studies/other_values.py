"""`--values FACTOR=A,B`: other values for a factor of a study, from the command line."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cnnrun.ablation.studies.factor_values import ValueList
from cnnrun.ablation.studies.study import Factor, Study
from cnnrun.config.places import Place
from cnnrun.config.yaml_tree import Node, parse_tree
from cnnrun.errors import ConfigError, Position, Problem
from cnnrun.wording import suggestion

_OPTION: Final = "--values"


def with_values(study: Study, texts: Sequence[str]) -> Study:
    """The study with other values of some factors.

    Args:
        study: the study.
        texts: such as "activation=relu,{PReLU: {shared_axes: [1, 2]}}"; of a factor with named
            levels, which of them to keep.

    Raises:
        ConfigError: with all that is wrong with the texts.
    """
    factors = dict(study.factors)
    problems: list[Problem] = []
    for text in texts:
        name, equals, values = text.partition("=")
        position = Position(_OPTION, 1, 1, text)
        if not equals or not values.strip():
            rule, advice = "must be FACTOR=VALUES", "write for example `activation=relu,tanh`"
            problems.append(Problem(position, "", rule, f"`{text}`", advice))
        elif name.strip() not in factors:
            advice = suggestion(name.strip(), list(factors))
            rule = "must be a factor of the study"
            problems.append(Problem(position, "", rule, f"`{name.strip()}`", advice))
        else:
            try:
                factors[name.strip()] = _with_values(factors[name.strip()], text, problems)
            except ConfigError as error:
                problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return replace(study, factors=factors)


def _with_values(factor: Factor, text: str, problems: list[Problem]) -> Factor:
    name, _, values = text.partition("=")
    # In brackets it is a list of YAML, whose values may be maps and lists themselves.
    tree = parse_tree(f"[{values}]", file=_OPTION, before=f"{name}=")
    problems.extend(tree.problems)
    place = Place(tree.root, name.strip(), problems)
    read = ValueList().read(place)
    if not isinstance(read, dict):
        return factor
    if factor.path is not None:
        # A name that the study gives to a value stands for that value.
        chosen: dict[str, Node] = {label: factor.values.get(label, read[label]) for label in read}
        return replace(factor, values=chosen)
    for number, label in enumerate(read):
        if label not in factor.named_levels:
            place.item(number).refuse(
                "must be a level of the factor", advice=suggestion(label, factor.labels)
            )
    kept = {label: factor.named_levels[label] for label in read if label in factor.named_levels}
    return replace(factor, named_levels=kept)
