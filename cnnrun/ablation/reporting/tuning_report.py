"""How each arm came to its own value: sentences, a table and a figure of its trials."""

import math
from collections.abc import Iterator
from typing import Final

from cnnrun.ablation.analysis.tuning import TunedArm, Tuning
from cnnrun.ablation.execution.cell_records import kept_values
from cnnrun.ablation.planning.plan import TuningPlan
from cnnrun.runs.tables import csv_table, markdown_table

_BUDGETS: Final = (1, 2, 3)
"""Numbers of trials whose best is shown, beside that of all of them."""
_ROUNDING: Final = 1e-9
_TRIAL_COLUMNS: Final = (
    "arm",
    "of_arm",
    "trial",
    "seed",
    "state",
    "run",
    "val_loss",
    "val_accuracy",
    "seconds_total",
    "why",
)


def tuned_sentence(tuning: Tuning) -> str:
    """The value of each arm, in one sentence."""
    if not tuning.arms:
        return f"no trial came to a loss: all arms train at the config's own {tuning.plan.what}"
    values = "; ".join(f"{name}: {arm.chosen:g}" for name, arm in tuning.arms.items())
    return f"each arm trains at its own {tuning.plan.what}: {values}"


def tuning_section(tuning: Tuning) -> Iterator[str]:
    """What was tried, and what each arm took of it."""
    yield "## Tuning\n"
    yield f"{tuning_method(tuning)}\n"
    yield markdown_table(tuning_columns(tuning), tuning_rows(tuning))


def tuning_csv(tuning: Tuning) -> str:
    """trials.csv: a row for each trial, with what it was judged by."""
    rows = []
    for each in tuning.trials:
        kept = kept_values(each) if each.state == "finished" else {}
        rows.append(
            [
                f"{each.arm}, {each.trial}",
                each.arm,
                each.trial,
                each.seed,
                each.state,
                each.folder.name,
                kept.get("val_loss"),
                kept.get("val_accuracy"),
                each.seconds.get("total"),
                each.why,
            ]
        )
    return csv_table(_TRIAL_COLUMNS, rows)


def tuning_columns(tuning: Tuning) -> tuple[str, ...]:
    """The headings of `tuning_rows`."""
    budgets = (*_BUDGETS, len(tuning.plan.values))
    return (
        "arm",
        tuning.plan.what.strip("`"),
        "lies",
        f"lowest {tuning.plan.judged_by}",
        *(f"best of {budget}" for budget in budgets),
        "error of the choice",
    )


def tuning_rows(tuning: Tuning) -> Iterator[tuple[str, ...]]:
    """A row for each arm: its value, where that lies in the range, what fewer trials would find."""
    for name, arm in tuning.arms.items():
        budgets = (*_BUDGETS, len(arm.values))
        yield (
            name,
            f"{arm.chosen:g}",
            "at an end" if arm.is_at_edge else _place(arm, tuning),
            f"{arm.losses[arm.best]:.4g}",
            *(_loss(arm.expected[budget - 1]) for budget in budgets),
            _error(arm),
        )


def tuning_method(tuning: Tuning) -> str:
    """What was tried, and how the value was taken."""
    plan = tuning.plan
    tried = ", ".join(f"{value:g}" for value in plan.values)
    wider = (
        " An arm was best at an end of the range that was asked for"
        f" ({plan.low:g} to {plan.high:g}), so all arms tried more values beyond it, once."
        if tuning.was_widened
        else ""
    )
    return (
        f"Before they were compared, all arms tried the same values of the"
        f" {tuning.plan.what}, {tried}, each with {len(plan.seeds)} seeds that the comparison"
        f" does not use, and were judged on validation images alone, by {_judged(plan)}; the values"
        f" are evenly spaced from one random shift.{wider} An arm trains at the minimum of a"
        " parabola through its best trial and the two beside it; values with which nothing was"
        " learnt on one of the seeds, or the training images were fitted less than the study asks"
        " for, are no choice. That another choice could have come out is part of"
        " every interval and p here: “error of the choice” is its standard deviation in what is"
        f" tested. “best of 2” is the lowest mean {plan.judged_by} that two of these values, drawn"
        " at random, are expected to find (Dodge et al. 2019, Show Your Work): where it falls much"
        " with more trials, an arm gains by being tuned longer than others."
    )


def _judged(plan: TuningPlan) -> str:
    """What trials are judged by, in words."""
    kept = "val_loss of the epoch whose weights are kept"
    return kept if plan.judged_by == "val_loss" else f"the {plan.judged_by} that is tested"


def _place(arm: TunedArm, tuning: Tuning) -> str:
    """How far up the range a value lies."""
    first, last = arm.values[0], arm.values[-1]
    scale = math.log if tuning.plan.is_logarithmic else float
    share = (scale(arm.chosen) - scale(first)) / (scale(last) - scale(first))
    return f"{100 * share:.0f} % up"


def _error(arm: TunedArm) -> str:
    """The standard deviation by the choice; 0 where it is rounding."""
    error = math.sqrt(arm.variance)
    return "0" if error < _ROUNDING * arm.losses[arm.best] else f"{error:.2g}"


def _loss(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "diverges"
