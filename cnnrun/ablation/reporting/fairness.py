"""Whether the arms of a study were given the same, and what they made of it."""

import math
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Final

from cnnrun.ablation.analysis.arm_results import ArmResult
from cnnrun.ablation.analysis.results import StudyResults
from cnnrun.ablation.planning.tuned_address import present_rate
from cnnrun.runs.tables import markdown_table

UNEQUAL: Final = "≠ "
"""What stands before a heading whose column is not the same for all arms."""
_ALIKE: Final = 0.01
"""What differs by less than this share is the same."""

_Number = Callable[[ArmResult], float | None]


def fairness_section(results: StudyResults) -> Iterator[str]:
    """What the arms were given, and what they made of it; what differs is marked."""
    yield "## Were the arms treated alike?\n"
    yield (
        f"Medians over the seeds; {UNEQUAL.strip()} marks what is not the same for all arms."
        " Training loss is that of the kept weights on the training images, without"
        " augmentation.\n"
    )
    yield markdown_table(fairness_columns(results), fairness_rows(results))


def fairness_columns(results: StudyResults) -> tuple[str, ...]:
    """The headings of `fairness_rows`; those of what differs are marked."""
    return (
        "arm",
        *(
            f"{UNEQUAL if differs(results, number) else ''}{name}"
            for name, number in _numbers(results).items()
        ),
    )


def fairness_rows(results: StudyResults) -> Iterator[tuple[str, ...]]:
    """A row for each arm."""
    for arm in results.arms:
        values = (number(arm) for number in _numbers(results).values())
        yield (arm.arm.name, *("" if value is None else _text(value) for value in values))


def differs(results: StudyResults, number: _Number) -> bool:
    """Whether a number is not the same for all arms that have it."""
    values = [value for arm in results.arms if (value := number(arm)) is not None]
    return bool(values) and max(values) - min(values) > _ALIKE * max(map(abs, values))


def _numbers(results: StudyResults) -> Mapping[str, _Number]:
    """Name -> what an arm has of it, in the order of the columns."""
    return {
        "updates": _median_of("updates"),
        "epochs": _median_of("epochs"),
        "learning rate": lambda arm: present_rate(arm.arm.config),
        "parameters": lambda arm: arm.parameters,
        "multiply-adds": lambda arm: arm.multiply_adds,
        "training loss": _median_of("training_loss"),
        "seconds": lambda arm: _median(arm.fit_seconds, arm),
    }


def _median_of(measure: str) -> _Number:
    return lambda arm: _median(arm.measures.get(measure, {}), arm)


def _median(of_seeds: Mapping[int, float], arm: ArmResult) -> float | None:
    """Of the runs that converged; None where none did."""
    values = [value for seed, value in of_seeds.items() if seed not in arm.diverged]
    finite = [value for value in values if math.isfinite(value)]
    return median(finite) if finite else None


def _text(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"
