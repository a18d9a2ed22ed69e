"""Contrasts between arms: what a study declares, as weights of its arms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cnnrun.ablation.planning.plan import Arm, Contrast
from cnnrun.ablation.studies.study import DeclaredContrast, Study, unknown_levels

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
    """The study's contrasts over its arms; each arm against the first where it has none."""
    there: list[Contrast] = []
    left_out: list[str] = []
    for declared in study.contrasts:
        missing = [
            f"{factor} {selection[factor]}"
            for selection in declared.selections
            for factor, _, _ in unknown_levels(selection, study.factors)
        ]
        if not missing:
            there.append(Contrast(declared.name, _weights(declared, arms)))
        elif not declared.optional:
            left_out.append(f"`{declared.name}` is left out: no arm has {missing[0]}")
    if not there:
        first, *others = arms
        there = [_against_first(arm, first) for arm in others]
        left_out += [f"each arm is compared with `{first.name}` instead"] if left_out else []
    return Family(tuple(there), tuple(left_out))


def fewest_seeds(contrasts: int) -> int:
    """How many seeds it takes that one of so many contrasts can be told from chance at all.

    The smallest p of n pairs is 2 / 2^n, and Holm's first step compares it with a share of
    `SIGNIFICANCE`.
    """
    return math.ceil(math.log2(2 * contrasts / SIGNIFICANCE))


def _against_first(arm: Arm, first: Arm) -> Contrast:
    return Contrast(f"{arm.name} against {first.name}", {arm.name: 1.0, first.name: -1.0})


def _weights(declared: DeclaredContrast, arms: Sequence[Arm]) -> dict[str, float]:
    weights = dict.fromkeys((arm.name for arm in arms), 0.0)
    for sign, selection in zip((1.0, -1.0, -1.0, 1.0), declared.selections, strict=False):
        chosen = [arm.name for arm in arms if _has(arm, selection)]
        for name in chosen:
            weights[name] += sign / len(chosen)
    return {name: weight for name, weight in weights.items() if weight}


def _has(arm: Arm, selection: Mapping[str, str]) -> bool:
    return all(arm.levels[factor] == label for factor, label in selection.items())
