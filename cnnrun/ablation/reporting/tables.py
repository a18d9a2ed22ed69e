"""The tables of a study, as cells of text for a terminal, Markdown and CSV."""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from cnnrun.ablation.analysis.arm_results import ArmResult
from cnnrun.ablation.analysis.evidence import CONFIDENCE
from cnnrun.ablation.analysis.results import StudyResults
from cnnrun.ablation.analysis.verdicts import Finding
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.ablation.reporting.sentences import interval_words
from cnnrun.runs.spread import Spread
from cnnrun.runs.tables import csv_table

OVER_SEEDS: Final = "95 % over seeds"
OVER_BOTH: Final = "95 % over seeds and images"
CONSERVATIVE: Final = "conservative 95 %"
EFFECTIVE: Final = "effective images"
INFLUENTIAL: Final = "three images make"
NO_NUMBERS: Final = frozenset({"contrast", "verdict"})
"""The columns of contrasts that hold words."""
BESIDE: Final = ("test_loss", "test_accuracy", "generalization_gap")
"""What is described of every arm, beside the metric that is tested."""
BESIDE_OF_LABELS: Final = (
    "test_mean_average_precision",
    "test_loss",
    "test_exact_match",
    "generalization_gap",
)
"""The same where images have several labels each, of which Keras's accuracy says little."""


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


def contrast_columns(results: StudyResults) -> tuple[str, ...]:
    """The headings of `contrast_rows`: each interval that the study has."""
    there = [each.evidence for each in results.findings]
    return (
        "contrast",
        "pairs",
        "difference",
        *([OVER_SEEDS] if any(each.seeds_p is not None for each in there) else []),
        *([OVER_BOTH, EFFECTIVE, INFLUENTIAL] if any(each.crossed for each in there) else []),
        *([CONSERVATIVE] if any(each.conservative for each in there) else []),
        "in deviations",
        "won",
        "could find",
        "p",
        "Holm's p",
        "verdict",
    )


def contrast_rows(results: StudyResults) -> Iterator[tuple[str, ...]]:
    """A row of `contrast_columns` for each contrast."""
    columns = contrast_columns(results)
    for finding in results.findings:
        cells = _contrast_cells(finding)
        yield tuple(cells.get(column, "") for column in columns)


def _contrast_cells(finding: Finding) -> dict[str, str]:
    evidence = finding.evidence
    test, crossed, conservative = evidence.test, evidence.crossed, evidence.conservative
    cells = {
        "contrast": finding.contrast.name,
        "pairs": str(len(evidence.seeds)),
        "verdict": "described" if finding.contrast.beside else finding.verdict,
    }
    if test is not None:
        ties = test.pairs - test.non_zero
        cells |= {
            "pairs": f"{test.pairs}{f' ({ties} equal)' if ties else ''}",
            "difference": f"{test.mean:+.3g}",
            OVER_SEEDS: interval_words(test.low, test.high),
            "in deviations": "" if math.isnan(test.effect) else f"{test.effect:+z.2f}",
            "p": f"{evidence.p:.3g}",
            "Holm's p": "" if finding.adjusted_p is None else f"{finding.adjusted_p:.3g}",
        }
    if crossed is not None:
        share = crossed.influential_share
        cells |= {
            OVER_BOTH: interval_words(*crossed.interval(confidence=CONFIDENCE)),
            EFFECTIVE: f"{crossed.effective_images:.0f} of {crossed.images}",
            INFLUENTIAL: "" if math.isnan(share) else f"{100 * share:.0f} %",
        }
    if conservative is not None:
        cells[CONSERVATIVE] = interval_words(conservative.low, conservative.high)
    if evidence.wins is not None:
        wins = evidence.wins
        chance = f"{100 * wins.low:.0f} to {100 * wins.high:.0f} %"
        cells["won"] = f"{wins.won} of {wins.pairs} ({chance})"
    if evidence.could_find is not None:
        cells["could find"] = f"{evidence.could_find:.2g}"
    return cells


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


def _shown_measures(results: StudyResults) -> list[str]:
    there = {name for each in results.arms for name in each.measures}
    beside = BESIDE_OF_LABELS if BESIDE_OF_LABELS[0] in there else BESIDE
    names = [results.study.metric.name, *beside]
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
