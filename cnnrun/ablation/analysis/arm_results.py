"""What became of an arm: its measures over seeds, and the cells that diverged or failed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.planning.plan import Arm
from cnnrun.runs.spread import Spread, spread_of


@dataclass(frozen=True)
class ArmResult:
    """What became of an arm.

    Attributes:
        arm: the arm.
        measures: measure -> seed -> number; a failed cell is in none.
        diverged: seed -> why; in `measures` these cells have the numbers of the predictor of class
            frequencies, and they stand apart from the means.
        failed: seed -> why; these are missing.
        parameters: of the network; None where all cells failed.
        multiply_adds: to classify one image; None where all cells failed.
        fit_seconds: seed -> the wall time of `fit`.
    """

    arm: Arm
    measures: Mapping[str, Mapping[int, float]]
    diverged: Mapping[int, str]
    failed: Mapping[int, str]
    parameters: int | None
    multiply_adds: int | None
    fit_seconds: Mapping[int, float]

    def spread(self, measure: str) -> Spread | None:
        """The measure over the runs that converged and have it; None where none has."""
        values = self.measures.get(measure, {})
        return spread_of_finite(
            value for seed, value in values.items() if seed not in self.diverged
        )


def arm_result(arm: Arm, outcomes: Sequence[CellOutcome]) -> ArmResult:
    """What became of an arm, of its cells in any order."""
    measures: dict[str, dict[int, float]] = {}
    ordered = sorted(outcomes, key=lambda outcome: outcome.seed)
    for outcome in ordered:
        for name, value in outcome.values.items():
            measures.setdefault(name, {})[outcome.seed] = value
    return ArmResult(
        arm=arm,
        measures={name: measures[name] for name in sorted(measures)},
        diverged={each.seed: each.why for each in ordered if each.state == "diverged"},
        failed={each.seed: each.why for each in ordered if each.state == "failed"},
        parameters=next((each.parameters for each in ordered if each.parameters), None),
        multiply_adds=next((each.multiply_adds for each in ordered if each.multiply_adds), None),
        fit_seconds={each.seed: each.seconds["fit"] for each in ordered if "fit" in each.seconds},
    )


def spread_of_finite(numbers: Iterable[float]) -> Spread | None:
    """The spread of the numbers that are finite; None where there are none."""
    finite = [number for number in numbers if math.isfinite(number)]
    return spread_of(finite) if finite else None
