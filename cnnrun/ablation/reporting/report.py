"""A study's folder: cells.csv, results.json, report.md and its plots."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from cnnrun.ablation.analysis.results import StudyResults, results_json
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.planning.plan import Arm
from cnnrun.ablation.reporting.fairness import fairness_section
from cnnrun.ablation.reporting.sentences import (
    CLAIM_RULE,
    claim_sentences,
    divergence_notes,
    selection_sentence,
    sentence,
    supposition,
)
from cnnrun.ablation.reporting.tables import (
    arm_columns,
    arm_rows,
    cells_csv,
    contrast_columns,
    contrast_rows,
    seed_columns,
    seed_rows,
)
from cnnrun.ablation.reporting.training_sizes import size_section, size_sentences
from cnnrun.ablation.reporting.tuning_report import tuning_section
from cnnrun.ablation.studies.study import Study
from cnnrun.config.dump import plain_layers
from cnnrun.config.plain_values import flow_text
from cnnrun.errors import RunError
from cnnrun.pages.layer_figures import SEEDS_PROBED
from cnnrun.pages.layer_sentences import DISTRIBUTIONS_READ, SATURATION_READ, SIGNALS_READ
from cnnrun.pages.study_figures import bars_in_words, forest_of, sizes_of
from cnnrun.pages.study_folder import StudyFolder
from cnnrun.pages.study_page import write_study_page
from cnnrun.plots.bands import learning_bands
from cnnrun.plots.diagnostics import input_distributions, layer_saturation, layer_signals
from cnnrun.plots.save import save_figure
from cnnrun.plots.tuning import TriedValues, tuning_curves
from cnnrun.runs.diagnostics import DIAGNOSTICS_FILE, DiagnosticsRow, read_diagnostics
from cnnrun.runs.files import holds, json_text, storage_errors, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow, read_epochs
from cnnrun.runs.tables import markdown_table

CURVES: Final = ("loss", "val_loss", "val_accuracy")
_TUNING_PLOT: Final = "tuning.png"
_SIZES_PLOT: Final = "training_sizes.png"
_IN_SECTIONS: Final = (_TUNING_PLOT, _SIZES_PLOT)


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
    plots = list(study_plots(results, outcomes))
    write_text(folder / "cells.csv", cells_csv(results.plan, outcomes))
    write_results(folder, results_json(results), text=report_text(results, plots), plots=plots)


def write_results(
    folder: Path, numbers: Mapping[str, Any], *, text: str, plots: Sequence[Plot]
) -> None:
    """The folder holds figures, report.md, results.json and its page; what is drawn is drawn once.

    Args:
        folder: where.
        numbers: the content of results.json.
        text: that of report.md.
        plots: the figures.

    Raises:
        StorageError: the folder cannot be written to.
    """
    written = json_text(numbers, indent=2) + "\n"
    # results.json is written last: where it says the same already, the figures are there.
    is_new = not holds(folder / "results.json", written)
    page = StudyFolder(folder).report_html
    if is_new or not holds(folder / "report.md", text):
        page.unlink(missing_ok=True)
    drawn: dict[str, Figure] = {}
    for plot in plots:
        path = folder / "plots" / plot.file
        if is_new or not path.exists():
            drawn[plot.file] = plot.draw()
            save_figure(drawn[plot.file], path)
    write_text(folder / "report.md", text)
    write_text(folder / "results.json", written)
    if not page.exists():
        write_study_page(folder, drawn=drawn)


def report_text(results: StudyResults, plots: Sequence[Plot]) -> str:
    """report.md: the answer first, then what it rests on."""
    return "\n".join(part for part in _parts(results, plots) if part)


def estimand(results: StudyResults) -> str:
    """What the numbers estimate, and what they say nothing about."""
    drawn = "initial weights, order of the images, augmentation and dropout"
    if results.draws_splits:
        of = "other seeds and other splits of such images"
    elif results.images.why_not:
        of = "other seeds, trained and tested on these images"
    else:
        of = "other seeds, tested on other such images, and trained on these"
    return (
        f"The mean difference in {results.study.metric.name} between arms, were their training"
        f" repeated without end with {of}. A seed draws {drawn}. Images of another kind, other"
        " networks and other settings are not spoken of."
    )


def size_answer(results: StudyResults) -> Iterator[str]:
    """Whether more training images are worth it, in sentences; none where it was not asked."""
    if results.sizes is not None:
        splits = "seeds and splits of these images" if results.draws_splits else "seeds"
        yield from size_sentences(results.sizes, over=splits)


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
    if results.claim is not None:
        whole, *parts = claim_sentences(results.claim)
        yield f"**{whole[0].upper()}{whole[1:]}**\n"
        yield "\n".join(f"- {part}" for part in parts) + "\n"
        yield f"{CLAIM_RULE}\n"
    elif study.claim:
        yield f"Said elsewhere: {study.claim}\n"
    yield "## Answer\n"
    yield from (f"- {each}" for each in size_answer(results))
    yield from (
        f"- {sentence(each, results)}" for each in results.findings if not each.contrast.beside
    )
    yield from (f"- {note}" for note in divergence_notes(results))
    selected = selection_sentence(results)
    yield f"- {selected}\n" if selected else ""
    yield f"Here {supposition(results)}.\n"
    if results.warnings:
        yield "Beware:\n"
        yield "\n".join(f"- {warning}" for warning in results.warnings) + "\n"
    if results.sizes is not None:
        yield from size_section(results.sizes)
        yield from pictures([plot for plot in plots if plot.file == _SIZES_PLOT])
    yield "## What is estimated\n"
    yield f"{estimand(results)}\n"
    yield study_method(results)
    yield "## Contrasts\n"
    yield markdown_table(contrast_columns(results), contrast_rows(results))
    yield from pictures(plots[:1])
    yield "## Arms\n"
    yield (
        "Described, not tested, but for the contrasts above: mean ± standard deviation over the"
        " seeds.\n"
    )
    yield markdown_table(arm_columns(results), arm_rows(results))
    yield f"{metric.name} of every {plan.repetition.unit}{_added_note(results)}:\n"
    yield markdown_table(seed_columns(results), seed_rows(results))
    yield from pictures([plot for plot in plots[1:] if plot.file not in _IN_SECTIONS])
    yield from fairness_section(results)
    if results.tuning is not None:
        yield from tuning_section(results.tuning)
        yield from pictures([plot for plot in plots if plot.file == _TUNING_PLOT])
    yield from _made_of(results)


def study_method(results: StudyResults) -> str:
    """How a study tells differences from chance."""
    metric, unit = results.study.metric, results.plan.repetition.unit
    margin = (
        f" Within ±{metric.margin:g}, differences were declared to be of no interest: “equivalent”"
        " is said where two one-sided tests put a difference within."
        if metric.margin is not None
        else ""
    )
    planned = len(results.plan.seeds) - len(results.plan.added_seeds)
    declared = sum(each.is_declared for each in results.plan.family)
    over = f"the {declared} declared contrasts" if declared > 1 else "the one declared contrast"
    return (
        f"{metric.name}: {'less' if metric.direction == 'lower' else 'more'} is better.{margin}"
        f" Arms are paired by {unit}: {planned} planned {unit}s.{_looks(results)}"
        f" {_p_words(results)} Holm's correction is over {over}: where the supposition holds, the"
        " chance to call any difference that is none is at most 5 % over all together, and as much"
        " for claims of equivalence. Each interval holds by itself. “Won” is how many seeds the"
        " first side won, with the 95 % interval of that chance; “could find” is the difference"
        " that such a study finds in four of five cases; “in deviations” is the mean difference"
        " divided by the standard deviation of the differences. No verdict is given on a mean where"
        " one side alone has diverged, or where the side that looks better varies at least twice as"
        " much over seeds as the other.\n"
    )


def _p_words(results: StudyResults) -> str:
    images, unit = results.images, results.plan.repetition.unit
    seeds = "the exact sign-flip test over seeds"
    both = "the interval over seeds and images, which also knows that other images could be tested"
    if not results.draws_splits:
        if images.why_not:
            would = " `--resplit` would." if results.plan.repetition.may_draw_splits else ""
            return (
                f"p is of {seeds}, and says nothing about other images, since {images.why_not}."
                f"{would}"
            )
        return (
            f"p is the larger of that of {seeds} and that of {both}; a difference is better or"
            " worse only where both exclude none. “Effective images” are those that the difference"
            f" rests on.{_derived_words(results)}"
        )
    if images.why_not:
        return (
            f"p is Nadeau and Bengio's, which is conservative: each {unit} has its own split, and"
            f" {images.why_not}."
        )
    return (
        f"p is of {both}. Each {unit} has its own split of one pool of images, so that signs cannot"
        " be flipped. Nadeau and Bengio's interval beside it is conservative: it supposes less, and"
        f" is wider.{_derived_words(results)}"
    )


def _derived_words(results: StudyResults) -> str:
    """How images count in a metric that is no mean over them."""
    if not results.images.is_derived:
        return ""
    return (
        f" {results.study.metric.name} is no mean over images: each counts by how much the number"
        " varies with it (infinitesimal jackknife), which is a bootstrap over whole images to first"
        " order."
    )


def _looks(results: StudyResults) -> str:
    looks = results.plan.repetition.looks
    if not looks:
        return ""
    listed = ", ".join(map(str, looks))
    return (
        f" The study was planned to be looked at with {listed} seeds, and spends its 5 % over these"
        " looks (Lan and DeMets); p is over all of them so far."
    )


def _added_note(results: StudyResults) -> str:
    return " (+: added after the plan)" if results.plan.added_seeds else ""


def pictures(plots: Sequence[Plot]) -> Iterator[str]:
    """The Markdown of figures."""
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
    trials = " the trials of the tuning are runs beside them;" if results.tuning else ""
    yield (
        f"\nEach cell is a run in `runs/`, listed with all its measures in `cells.csv`;"
        f"{trials} `results.json` holds the numbers of this report."
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


def study_plots(results: StudyResults, outcomes: Sequence[CellOutcome]) -> Iterator[Plot]:
    """The figures that this study has, none of them drawn yet."""
    if any(each.evidence.test is not None for each in results.findings):
        numbers, unit = results_json(results), results.plan.repetition.unit
        yield Plot(
            "contrasts.png",
            f"The contrasts with their intervals: {bars_in_words(numbers)}",
            partial(forest_of, numbers, unit=unit),
        )
    yield Plot(
        "learning_curves.png",
        "Learning curves: mean over the seeds, and one standard deviation to either side",
        lambda: learning_bands(_curves(results, outcomes), metrics=CURVES),
    )
    if any((each.folder / DIAGNOSTICS_FILE).exists() for each in outcomes):
        yield from _diagnostics(results, outcomes)
    if results.sizes is not None and results.sizes.arms:
        yield Plot(
            _SIZES_PLOT,
            "Test accuracy over the number of training images: a dot a seed, a square their mean;"
            " the line is broken where nothing was measured",
            lambda: sizes_of(results_json(results)),
        )
    if (tuning := results.tuning) is not None and tuning.arms:
        yield Plot(
            _TUNING_PLOT,
            f"What was tried of the {tuning.plan.what}, and what each arm trains at",
            lambda: tuning_curves(
                {
                    name: TriedValues(arm.values, arm.losses, arm.chosen)
                    for name, arm in tuning.arms.items()
                },
                what=tuning.plan.what.strip("`"),
                is_logarithmic=tuning.plan.is_logarithmic,
            ),
        )


def _diagnostics(results: StudyResults, outcomes: Sequence[CellOutcome]) -> Iterator[Plot]:
    """The figures of why arms differ."""
    seeds = results.plan.seeds[:SEEDS_PROBED]

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
        f" the first {SEEDS_PROBED} seeds" if len(results.plan.seeds) > SEEDS_PROBED else " seeds"
    )
    yield Plot(
        "layers.png",
        f"From input to output at the start and at the end, {of}. {SIGNALS_READ}",
        lambda: layer_signals(looks()),
    )
    yield Plot(
        "saturation.png",
        f"From input to output at the start and at the end, {of}. {SATURATION_READ}",
        lambda: layer_saturation(looks()),
    )
    yield Plot(
        "distributions.png",
        f"{DISTRIBUTIONS_READ}; {of}",
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
