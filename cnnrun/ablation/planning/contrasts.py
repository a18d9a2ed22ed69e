"""Contrasts between arms: what a study declares, as weights of its arms."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Final

from cnnrun.ablation.planning.arm_names import arm_name, level_name
from cnnrun.ablation.planning.plan import Arm, Contrast
from cnnrun.ablation.studies.study import DeclaredContrast, Difference, Study, unknown_levels

SIGNIFICANCE: Final = 0.05
"""The chance to call any difference that is none, over all declared contrasts together."""
USUAL_SEEDS: Final = 7
"""The least number at which three contrasts can be told from chance."""


@dataclass(frozen=True)
class Family:
    """The contrasts that are tested together, and those left out, with the reason."""

    contrasts: tuple[Contrast, ...]
    left_out: tuple[str, ...]

    @property
    def tested(self) -> tuple[Contrast, ...]:
        """The contrasts without what is only described beside them."""
        return tuple(each for each in self.contrasts if not each.beside)


def declared_family(study: Study, arms: Sequence[Arm]) -> Family:
    """The study's contrasts over its arms, and the effects that one is a mean of beside it.

    Where it declares none: each arm against the first, or, of several factors, their main effects
    and interactions.
    """
    there: list[DeclaredContrast] = []
    left_out: list[str] = []
    for declared in study.contrasts:
        missing = [
            f"{factor} {selection[factor]}"
            for selection in declared.selections
            for factor, _, _ in unknown_levels(selection, study.factors)
        ]
        if not missing:
            there.append(declared)
        elif not declared.optional:
            left_out.append(f"`{declared.name}` is left out: no arm has {missing[0]}")
    if not there:
        there = list(_usual_contrasts(study))
        left_out += [_instead(study, arms)] if left_out else []
    varied = _varied(study)
    contrasts = [
        contrast for declared in there for contrast in _with_effects(declared, varied, arms)
    ]
    return Family(tuple(contrasts), tuple(left_out))


def fewest_seeds(contrasts: int) -> int:
    """How many seeds it takes that one of so many contrasts can be told from chance at all.

    The smallest p of n pairs is 2 / 2^n, and Holm's first step compares it with a share of
    `SIGNIFICANCE`.
    """
    return math.ceil(math.log2(2 * contrasts / SIGNIFICANCE))


def _varied(study: Study) -> dict[str, tuple[str, ...]]:
    """Factor -> its labels, of the factors that are varied."""
    return {name: each.labels for name, each in study.factors.items() if len(each.labels) > 1}


def _usual_contrasts(study: Study) -> Iterator[DeclaredContrast]:
    """Each value of a factor against its first, and how much these differences depend on others."""
    varied = _varied(study)
    for factor, (first, *others) in varied.items():
        for label in others:
            alone = arm_name({factor: label}), arm_name({factor: first})
            name = f"{level_name(factor, label)} against {first}"
            yield DeclaredContrast(
                name=" against ".join(alone) if len(varied) == 1 else name,
                of={factor: label},
                against={factor: first},
            )
    for (factor, (first, *others)), (by, (base, *levels)) in combinations(varied.items(), 2):
        for label, level in product(others, levels):
            yield DeclaredContrast(
                name=f"{level_name(factor, label)} against {first},"
                f" with {level_name(by, level)} rather than {base}",
                of={factor: label, by: level},
                against={factor: first, by: level},
                less=Difference(of={factor: label, by: base}, against={factor: first, by: base}),
            )


def _instead(study: Study, arms: Sequence[Arm]) -> str:
    if len(_varied(study)) > 1:
        return "main effects and interactions are tested instead"
    return f"each arm is compared with `{arms[0].name}` instead"


def _with_effects(
    declared: DeclaredContrast, varied: Mapping[str, Sequence[str]], arms: Sequence[Arm]
) -> Iterator[Contrast]:
    """A contrast that says over what it is a mean, and each effect that it is the mean of."""
    named = {factor for selection in declared.selections for factor in selection}
    over = {factor: labels for factor, labels in varied.items() if factor not in named}
    if not over:
        yield Contrast(declared.name, _weights(declared, arms), expects=declared.expects)
        return
    # A claim is about the arms that it names: of a mean over others it says nothing.
    means = " and ".join(f"{factor} ({', '.join(labels)})" for factor, labels in over.items())
    name = f"{declared.name}, mean over {means}"
    yield Contrast(name, _weights(declared, arms))
    for labels in product(*over.values()):
        level = dict(zip(over, labels, strict=True))
        there = ", ".join(level_name(factor, label) for factor, label in level.items())
        yield Contrast(
            f"{declared.name}, {there}",
            _weights(_at(declared, level), arms),
            is_declared=False,
            beside=name,
        )


def _at(declared: DeclaredContrast, level: Mapping[str, str]) -> DeclaredContrast:
    """The contrast at one level of other factors."""
    less = declared.less
    return replace(
        declared,
        of={**declared.of, **level},
        against={**declared.against, **level},
        less=less and replace(less, of={**less.of, **level}, against={**less.against, **level}),
    )


def _weights(declared: DeclaredContrast, arms: Sequence[Arm]) -> dict[str, float]:
    weights = dict.fromkeys((arm.name for arm in arms), 0.0)
    for sign, selection in zip((1.0, -1.0, -1.0, 1.0), declared.selections, strict=False):
        chosen = [arm.name for arm in arms if _has(arm, selection)]
        for name in chosen:
            weights[name] += sign / len(chosen)
    return {name: weight for name, weight in weights.items() if weight}


def _has(arm: Arm, selection: Mapping[str, str]) -> bool:
    return all(arm.levels[factor] == label for factor, label in selection.items())
