"""The tables of a study, as cells of text for a terminal, Markdown and CSV."""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from cnnrun.ablation.analysis.results import ArmResult, Spread, StudyResults
from cnnrun.ablation.analysis.verdicts import Finding
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.runs.tables import csv_table

CONTRAST_COLUMNS: Final = (
    "contrast",
    "pairs",
    "difference",
    "95 % interval",
    "in deviations",
    "p",
    "Holm's p",
    "verdict",
)
CONTRAST_NUMBERS: Final = frozenset(CONTRAST_COLUMNS[1:7])
BESIDE: Final = ("test_loss", "test_accuracy", "generalization_gap")
"""What is described of every arm, beside the metric that is tested."""


def arm_columns(results: StudyResults) -> tuple[str, ...]:
    """The headings of `arm_rows`: the tested metric first."""
    return (
        "arm",
        "seeds",
        *_shown_measures(results),
        *_target_columns(results),
        "parameters",
        "multiply-adds",
    )


def arm_rows(results: StudyResults) -> Iterator[tuple[str, ...]]:
    """A row for each arm: mean ± standard deviation over its seeds."""
    for each in results.arms:
        yield (
            each.arm.name,
            _seeds_cell(each, results.plan),
            *(spread_cell(each.spread(name)) for name in _shown_measures(results)),
            *_target_cells(each, results),
            "" if each.parameters is None else f"{each.parameters:,}",
            "" if each.multiply_adds is None else f"{each.multiply_adds:,}",
        )


def seed_columns(results: StudyResults) -> tuple[str, ...]:
    """The headings of `seed_rows`; seeds that were added later are marked."""
    added = results.plan.added_seeds
    return ("arm", *(f"seed {seed}{' +' if seed in added else ''}" for seed in results.plan.seeds))


def seed_rows(results: StudyResults) -> Iterator[tuple[str, ...]]:
    """A row for each arm: the tested metric of every seed."""
    for each in results.arms:
        values = each.measures.get(results.study.metric.name, {})
        yield (
            each.arm.name,
            *(_seed_cell(each, values.get(seed), seed) for seed in results.plan.seeds),
        )


def contrast_rows(results: StudyResults) -> Iterator[tuple[str, ...]]:
    """A row of `CONTRAST_COLUMNS` for each contrast."""
    for finding in results.findings:
        test = finding.test
        if test is None:
            yield (finding.contrast.name, str(len(finding.seeds)), "", "", "", "", "", "not tested")
            continue
        ties = test.pairs - test.non_zero
        yield (
            finding.contrast.name,
            f"{test.pairs}{f' ({ties} equal)' if ties else ''}",
            f"{test.mean:+.3g}",
            interval_cell(test.low, test.high),
            "" if math.isnan(test.effect) else f"{test.effect:+.2f}",
            f"{test.p:.3g}",
            "" if finding.adjusted_p is None else f"{finding.adjusted_p:.3g}",
            finding.verdict,
        )


def cells_csv(plan: StudyPlan, outcomes: Sequence[CellOutcome]) -> str:
    """cells.csv: a row for each cell, with all that was measured."""
    levels = {arm.name: arm.levels for arm in plan.arms}
    factors = list(plan.arms[0].levels)
    measures = sorted({name for each in outcomes for name in each.values})
    header = ["arm", *factors, "seed", "is_added_seed", "state", "run", *measures]
    header += ["seconds_total", "seconds_fit", "parameters", "multiply_adds", "processor", "why"]
    rows = [
        [
            each.arm,
            *(levels[each.arm][factor] for factor in factors),
            each.seed,
            str(each.seed in plan.added_seeds).lower(),
            each.state,
            each.folder.name,
            *(_finite(each.values.get(name)) for name in measures),
            each.seconds.get("total"),
            each.seconds.get("fit"),
            each.parameters,
            each.multiply_adds,
            each.processor,
            each.why,
        ]
        for each in outcomes
    ]
    return csv_table(header, rows)


def sentence(finding: Finding, *, metric: str) -> str:
    """What may be said of a contrast, in a line."""
    name = f"{finding.contrast.name}: {finding.verdict}"
    if finding.why:
        return f"{name}, since {finding.why}"
    test = finding.test
    if test is None:
        return name
    interval = interval_cell(test.low, test.high)
    return (
        f"{name} ({metric} {test.mean:+.3g}, 95 % interval {interval}, Holm's p"
        f" {finding.adjusted_p:.3g})"
    )


def selection_sentence(results: StudyResults) -> str:
    """Which arm has the best mean, and why its score is too good; empty where all failed."""
    if results.best is None:
        return ""
    metric = results.study.metric
    spread = results.best.spread(metric.name)
    mean = math.nan if spread is None else spread.mean
    most = "lowest" if metric.direction == "lower" else "highest"
    return (
        f"selected: `{results.best.arm.name}` has the {most} mean {metric.name} of"
        f" {len(results.arms)} arms, {mean:.4g}; it was chosen by this score, which is therefore"
        " too good"
    )


def spread_cell(spread: Spread | None) -> str:
    """Mean ± standard deviation, to the digits that the deviation leaves."""
    if spread is None:
        return ""
    if spread.deviation is None:
        return f"{spread.mean:.4g}"
    # Two digits of the deviation say how many of the mean mean something.
    scale = max(spread.deviation, abs(spread.mean) / 1000) or 1.0
    digits = max(0, 1 - math.floor(math.log10(scale)))
    return f"{spread.mean:.{digits}f} ± {spread.deviation:.{digits}f}"


def interval_cell(low: float, high: float) -> str:
    """An interval in words; none where the pairs are too few for one."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "none"
    return f"{low:+.3g} to {high:+.3g}"


def _shown_measures(results: StudyResults) -> list[str]:
    names = [results.study.metric.name, *BESIDE]
    there = {name for each in results.arms for name in each.measures}
    return [name for name in dict.fromkeys(names) if name in there]


def _target_columns(results: StudyResults) -> list[str]:
    target = results.study.target
    if target is None:
        return []
    return [f"epochs to {target.metric} {target.value:g}", "seconds to it"]


def _target_cells(result: ArmResult, results: StudyResults) -> list[str]:
    """The median over those that got there, and how many never did."""
    if results.study.target is None:
        return []
    trained = len(results.plan.seeds) - len(result.failed)
    epochs = list(result.measures.get("epochs_to_target", {}).values())
    seconds = list(result.measures.get("seconds_to_target", {}).values())
    missed = trained - len(epochs)
    never = f"{missed} of {trained} never" if missed else ""
    if not epochs:
        return [never, ""]
    return [
        f"{median(epochs):g}{f' ({never})' if never else ''}",
        f"{median(seconds):.1f}" if seconds else "",
    ]


def _seeds_cell(result: ArmResult, plan: StudyPlan) -> str:
    notes = [f"{len(result.diverged)} diverged"] if result.diverged else []
    notes += [f"{len(result.failed)} failed"] if result.failed else []
    number = len(plan.seeds) - len(result.failed)
    return f"{number} ({', '.join(notes)})" if notes else str(number)


def _seed_cell(result: ArmResult, value: float | None, seed: int) -> str:
    if seed in result.failed or value is None:
        return "failed"
    return f"{value:.4g}{' (diverged)' if seed in result.diverged else ''}"


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
