"""A study's folder: cells.csv, results.json, report.md and its plots."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from cnnrun.ablation.analysis.results import StudyResults, results_json
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.planning.plan import Arm
from cnnrun.ablation.reporting.tables import (
    CONTRAST_COLUMNS,
    arm_columns,
    arm_rows,
    cells_csv,
    contrast_rows,
    seed_columns,
    seed_rows,
    selection_sentence,
    sentence,
)
from cnnrun.ablation.studies.study import Study
from cnnrun.config.dump import plain_layers
from cnnrun.config.plain_values import flow_text
from cnnrun.errors import RunError
from cnnrun.plots.bands import learning_bands
from cnnrun.plots.diagnostics import input_distributions, layer_diagnostics
from cnnrun.plots.forest import ForestRow, forest
from cnnrun.plots.save import save_figure
from cnnrun.runs.diagnostics import DIAGNOSTICS_FILE, DiagnosticsRow, read_diagnostics
from cnnrun.runs.files import json_text, storage_errors, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow, read_epochs
from cnnrun.runs.tables import markdown_table

CURVES: Final = ("loss", "val_loss", "val_accuracy")
# A thousand runs' histograms would take longer to read than all the rest.
_SEEDS_PROBED: Final = 8


@dataclass(frozen=True)
class Plot:
    """A figure of the report: its file in `plots/`, what it shows, and how to draw it."""

    file: str
    caption: str
    draw: Callable[[], Figure]


def write_report(folder: Path, results: StudyResults, outcomes: Sequence[CellOutcome]) -> None:
    """The study's folder holds its results: tables, numbers for other tools, words and pictures.

    Args:
        folder: the study's folder.
        results: what it came to.
        outcomes: its cells, in the order of the plan.

    Raises:
        StorageError: the folder cannot be written to.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    plots = list(_plots(results, outcomes))
    numbers = json_text(results_json(results), indent=2) + "\n"
    # results.json is written last: where it says the same already, the figures are there.
    is_new = not _holds(folder / "results.json", numbers)
    for plot in plots:
        path = folder / "plots" / plot.file
        if is_new or not path.exists():
            save_figure(plot.draw(), path)
    write_text(folder / "report.md", report_text(results, plots))
    write_text(folder / "cells.csv", cells_csv(results.plan, outcomes))
    write_text(folder / "results.json", numbers)


def report_text(results: StudyResults, plots: Sequence[Plot]) -> str:
    """report.md: the answer first, then what it rests on."""
    return "\n".join(part for part in _parts(results, plots) if part)


def estimand(results: StudyResults) -> str:
    """What the numbers estimate, and what they say nothing about."""
    split = "and with other splits" if results.study.resplit else "and with this split"
    drawn = "initial weights, order of the images, augmentation and dropout"
    return (
        f"The mean difference in {results.study.metric.name} between arms, were their training"
        f" repeated without end with other seeds ({drawn}), on this data {split}. Other data, other"
        " networks and other settings are not spoken of."
    )


def layer_differences(arms: Sequence[Arm]) -> list[str]:
    """How the arms' layer lists differ from the first arm's, a unified difference for each arm."""
    first, *others = arms
    before = _layer_lines(first)
    return [
        "\n".join(
            difflib.unified_diff(
                before, _layer_lines(arm), first.name, arm.name, n=len(before), lineterm=""
            )
        )
        for arm in others
        if _layer_lines(arm) != before
    ]


def layer_changes(study: Study) -> str:
    """In what the layer lists of a study's arms differ, in words; empty where they are equal."""
    words = {"move_batch_norm": "the places of batch norm", "swap_activations": "activations"}
    varied = [factor for factor in study.factors.values() if len(factor.levels) > 1]
    return " and ".join(words[each.in_layer_lists] for each in varied if each.in_layer_lists)


def _parts(results: StudyResults, plots: Sequence[Plot]) -> Iterator[str]:
    study, plan = results.study, results.plan
    metric = study.metric
    yield f"# {plan.name}: {study.question}\n"
    if study.claim:
        yield f"Said elsewhere: {study.claim}\n"
    yield "## Answer\n"
    yield from (f"- {sentence(each, metric=metric.name)}" for each in results.findings)
    selected = selection_sentence(results)
    yield f"- {selected}\n" if selected else ""
    if results.warnings:
        yield "Beware:\n"
        yield "\n".join(f"- {warning}" for warning in results.warnings) + "\n"
    yield "## What is estimated\n"
    yield f"{estimand(results)}\n"
    yield _method(results)
    yield "## Contrasts\n"
    yield markdown_table(CONTRAST_COLUMNS, contrast_rows(results))
    yield from _pictures(plots[:1])
    yield "## Arms\n"
    yield (
        "Described, not tested, but for the contrasts above: mean ± standard deviation over the"
        " seeds.\n"
    )
    yield markdown_table(arm_columns(results), arm_rows(results))
    yield f"{metric.name} of every seed{_added_note(results)}:\n"
    yield markdown_table(seed_columns(results), seed_rows(results))
    yield from _pictures(plots[1:])
    yield from _made_of(results)


def _method(results: StudyResults) -> str:
    metric = results.study.metric
    declared = sum(contrast.is_declared for contrast in results.plan.contrasts)
    better = "less is better" if metric.direction == "lower" else "more is better"
    margin = (
        f" Within ±{metric.margin:g}, differences were declared to be of no interest."
        if metric.margin is not None
        else ""
    )
    planned = len(results.plan.seeds) - len(results.plan.added_seeds)
    return (
        f"{metric.name}: {better}.{margin} Arms are paired by seed: {planned} planned seeds. p is"
        " of the exact sign-flip test of the paired differences; each interval holds the"
        " differences that this test does not reject at 5 %, and holds by itself. Holm's"
        f" correction is over the {declared} declared contrast{'s' if declared > 1 else ''}: the"
        " chance to call any difference that is none is at most 5 % over all together. “In"
        " deviations” is the mean difference divided by the standard deviation of the"
        " differences.\n"
    )


def _added_note(results: StudyResults) -> str:
    return " (+: added after the plan)" if results.plan.added_seeds else ""


def _pictures(plots: Sequence[Plot]) -> Iterator[str]:
    for plot in plots:
        yield f"![{plot.caption}](plots/{plot.file})\n\n*{plot.caption}*\n"


def _made_of(results: StudyResults) -> Iterator[str]:
    yield "## What the arms are\n"
    shared = ", ".join(f"`{change}`" for change in results.plan.shared)
    yield f"All start from `{results.plan.base.name}`{f' with {shared}' if shared else ''}.\n"
    for arm in results.plan.arms:
        changes = ", ".join(f"`{change}`" for change in arm.overrides)
        yield f"- {arm.name}: {changes or 'the config as it is'}"
    yield ""
    changed, differences = layer_changes(results.study), layer_differences(results.plan.arms)
    if changed and differences:
        yield f"\nTheir layers differ in {changed}, and in nothing else:\n"
        for difference in differences:
            yield f"```diff\n{difference}\n```\n"
    yield (
        "\nEach cell is a run in `runs/`, listed with all its measures in `cells.csv`;"
        " `results.json` holds the numbers of this report."
    )


def _layer_lines(arm: Arm) -> list[str]:
    lines: list[str] = []
    _add_lines(plain_layers(arm.config.model.layers), "", lines)
    return lines


def _add_lines(layers: Any, indent: str, lines: list[str]) -> None:
    """A line a layer; those inside a block below it, indented."""
    for layer in layers:
        (kind, arguments), *_ = layer.items() if isinstance(layer, dict) else [(layer, {})]
        inside = [arguments.get("layers", []), *arguments.get("branches", [])]
        # A block's arguments are all written out here, and none of them is what moved.
        shown = arguments if kind[0].isupper() else {}
        lines.append(f"{indent}- {kind}{f': {flow_text(shown)}' if shown else ''}")
        for inner in inside:
            _add_lines(inner, indent + "    ", lines)


def _plots(results: StudyResults, outcomes: Sequence[CellOutcome]) -> Iterator[Plot]:
    """The figures that this study has, none of them drawn yet."""
    metric = results.study.metric
    rows = [
        ForestRow(
            name=each.contrast.name,
            differences=each.differences,
            mean=each.test.mean,
            low=each.test.low,
            high=each.test.high,
            verdict=each.verdict,
        )
        for each in results.findings
        if each.test is not None
    ]
    if rows:
        yield Plot(
            "contrasts.png",
            "The contrasts with their intervals",
            lambda: forest(rows, metric=metric.name, better=metric.direction, margin=metric.margin),
        )
    yield Plot(
        "learning_curves.png",
        "Learning curves: mean over the seeds, and one standard deviation to either side",
        lambda: learning_bands(_curves(results, outcomes), metrics=CURVES),
    )
    if any((each.folder / DIAGNOSTICS_FILE).exists() for each in outcomes):
        yield from _diagnostics(results, outcomes)


def _diagnostics(results: StudyResults, outcomes: Sequence[CellOutcome]) -> Iterator[Plot]:
    """The figures of why arms differ."""
    seeds = results.plan.seeds[:_SEEDS_PROBED]

    @cache
    def looks() -> dict[str, list[tuple[DiagnosticsRow, ...]]]:
        return {
            arm.name: [
                read_diagnostics(each.folder)
                for each in outcomes
                if each.arm == arm.name and each.seed in seeds and each.state != "failed"
            ]
            for arm in results.plan.arms
        }

    of = "a batch of training images; means over" + (
        f" the first {_SEEDS_PROBED} seeds" if len(results.plan.seeds) > _SEEDS_PROBED else " seeds"
    )
    yield Plot(
        "layers.png",
        f"From input to output at the start and at the end, {of}",
        lambda: layer_diagnostics(looks()),
    )
    yield Plot(
        "distributions.png",
        "What reaches the activations over the epochs: the median, the middle half and nine"
        f" tenths; {of}",
        lambda: input_distributions(looks()),
    )


def _curves(
    results: StudyResults, outcomes: Sequence[CellOutcome]
) -> dict[str, list[tuple[EpochRow, ...]]]:
    curves: dict[str, list[tuple[EpochRow, ...]]] = {arm.name: [] for arm in results.plan.arms}
    for outcome in outcomes:
        # What cannot be read is missing in the picture alone: its numbers stand in cell.json.
        with suppress(RunError):
            if outcome.state != "failed":
                curves[outcome.arm].append(read_epochs(RunFolder(outcome.folder)))
    return curves


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False
