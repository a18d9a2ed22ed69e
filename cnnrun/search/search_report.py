"""A search's report: what was confirmed, how much the search promised, and what it tried."""

import math
from collections.abc import Iterator
from typing import Final

from matplotlib.figure import Figure

from cnnrun.ablation.reporting.fairness import fairness_section
from cnnrun.ablation.reporting.report import Plot, estimand, pictures, study_method, study_plots
from cnnrun.ablation.reporting.sentences import divergence_notes, sentence, supposition
from cnnrun.ablation.reporting.tables import (
    arm_columns,
    arm_rows,
    contrast_columns,
    contrast_rows,
    seed_columns,
    seed_rows,
)
from cnnrun.plots.search import AxisPoints, search_trials
from cnnrun.runs.tables import markdown_table
from cnnrun.search.axes import Axis
from cnnrun.search.confirmation import BASE, Confirmation
from cnnrun.search.search_plan import SearchPlan
from cnnrun.search.search_results import SearchResults, scores_of, values_text
from cnnrun.search.trials import Trial, ranked
from cnnrun.wording import counted

WINNER_FILE: Final = "winner.yaml"
OPTIMISM_COLUMNS: Final = ("trial", "when chosen", "on fresh seeds", "optimism")
SHOWN_TRIALS: Final = 10
_TRIALS_PLOT: Final = "trials.png"
_SAMPLERS: Final = {
    "quasi-random": "spread evenly by a scrambled Sobol sequence",
    "random": "drawn at random",
    "tpe": "suggested by Optuna's tree-structured Parzen estimator",
}


def search_report(results: SearchResults, plots: list[Plot]) -> str:
    """report.md: the answer first, then what it rests on."""
    return "\n".join(part for part in _parts(results, plots) if part)


def search_plots(results: SearchResults) -> Iterator[Plot]:
    """The figures of a search, none of them drawn yet."""
    found = results.confirmation
    if found is not None:
        yield from study_plots(found.results, found.outcomes)
    yield Plot(
        _TRIALS_PLOT,
        "The trials along each axis, the best so far, and the best that fewer are expected to find",
        lambda: _draw_trials(results),
    )


def winner_sentences(results: SearchResults) -> Iterator[str]:
    """Which config is written down, and what may be said of it."""
    plan, found, chosen = results.plan, results.confirmation, results.chosen
    if found is None and plan.search.confirm:
        yield (
            "nothing was confirmed: no trial but the base itself was trained to the end; "
            f"{WINNER_FILE} changes nothing"
        )
        return
    if found is None:
        best = results.best
        yield (
            f"{best.name} ({values_text(plan, best.values)}) has the best {plan.measure} of"
            f" {counted(len(results.trials), 'trial')}, {best.score:.4g}; it was chosen by this"
            " score, which is therefore too good, and nothing was confirmed."
            f" {WINNER_FILE} holds it"
        )
        return
    if chosen is None:
        yield (
            "the base was not beaten: it has the best mean"
            f" {plan.measure} over the fresh seeds itself, and {WINNER_FILE} changes nothing in it"
        )
        return
    yield (
        f"the winner is {chosen.name} ({values_text(plan, chosen.values)}): of the base and"
        f" {counted(len(found.trials), 'trial')} it has the best mean {plan.measure} over"
        f" {len(plan.seeds)} fresh seeds; {WINNER_FILE} holds it"
    )
    yield _beaten(found)
    if math.isfinite(found.unbiased):
        yield (
            "chosen anew without each seed and tested with that seed, the choice changes"
            f" {plan.metric.name} by {found.unbiased:+.3g} on average: an estimate that owes"
            " nothing to the choice of the winner"
        )


def optimism_sentence(results: SearchResults) -> str:
    """How much the search promised; empty where nothing was confirmed."""
    found = results.confirmation
    first = found.optimism[0] if found else None
    if first is None:
        return ""
    measure = results.plan.measure
    return (
        f"{first.trial} was the best of {counted(len(results.trials), 'trial')} with a {measure} of"
        f" {first.when_chosen:.4g}, and has {first.on_fresh_seeds:.4g} on fresh seeds: an optimism"
        f" of {first.optimism:+.2g}"
    )


def optimism_rows(found: Confirmation) -> Iterator[tuple[str, ...]]:
    """The cells of `OPTIMISM_COLUMNS`, a row a trial."""
    for each in found.optimism:
        yield (
            each.trial,
            f"{each.when_chosen:.4g}",
            f"{each.on_fresh_seeds:.4g}",
            f"{each.optimism:+.2g}",
        )


def trial_columns(plan: SearchPlan) -> tuple[str, ...]:
    """The headings of `trial_rows`."""
    epochs = ("epochs",) if plan.rungs else ()
    return ("trial", *(axis.name for axis in plan.axes), *epochs, plan.measure)


def trial_rows(results: SearchResults) -> Iterator[tuple[str, ...]]:
    """The best trials, the best first."""
    plan = results.plan
    for trial in ranked(plan, results.trials)[:SHOWN_TRIALS]:
        yield (
            str(trial.number),
            *(axis.text(trial.values[axis.name]) for axis in plan.axes),
            *([str(trial.epochs)] if plan.rungs else []),
            f"{trial.score:.4g}",
        )


def search_method(results: SearchResults) -> str:
    """What was tried, and how."""
    plan = results.plan
    axes = "; ".join(f"{axis.name}: {range_text(axis)}" for axis in plan.axes)
    rounds = f", {plan.search.round} at a time" if plan.search.sampler == "tpe" else ""
    halving = ""
    if plan.rungs:
        steps = [
            f"{number} to epoch {epochs}"
            for number, epochs in zip(plan.rung_trials, (*plan.rungs, plan.epochs), strict=True)
        ]
        halving = (
            f" By successive halving, {', '.join(steps)} were trained, the best of each going on,"
            " under the schedule of all epochs, to the bits of a trial that did not pause."
        )
    worse = [trial for trial in results.trials if trial.state in ("diverged", "failed")]
    lost = f" {_lost(worse)}" if worse else ""
    return (
        f"{counted(len(results.trials), 'trial')}, {_SAMPLERS[plan.search.sampler]}{rounds}, over"
        f" {axes}. All of them were trained with the seed {plan.trial_seed} and judged by"
        f" {plan.measure} of the epoch that each keeps; none saw a test image.{halving}{lost}"
    )


def _parts(results: SearchResults, plots: list[Plot]) -> Iterator[str]:
    plan, found = results.plan, results.confirmation
    yield f"# {plan.name}: {plan.question}\n"
    yield "## Answer\n"
    yield from (f"- {each}" for each in winner_sentences(results))
    if found is not None:
        yield from (f"- {sentence(each, found.results)}" for each in found.results.findings)
        yield from (f"- {note}" for note in divergence_notes(found.results))
        yield f"- {optimism_sentence(results)}\n"
        yield f"Here {supposition(found.results)}.\n"
        if found.results.warnings:
            yield "Beware:\n"
            yield "\n".join(f"- {warning}" for warning in found.results.warnings) + "\n"
        yield from _confirmation(results, found, plots)
    else:
        yield ""
    yield "## The search\n"
    yield f"{search_method(results)}\n"
    yield markdown_table(trial_columns(plan), trial_rows(results))
    if len(results.trials) > SHOWN_TRIALS:
        yield f"All {len(results.trials)} trials are in `trials.csv`.\n"
    yield from pictures([plot for plot in plots if plot.file == _TRIALS_PLOT])
    yield (
        "The last panel says what more trials are worth: the best score that so many of these,"
        " drawn at random, are expected to find (Dodge et al. 2019, Show Your Work).\n"
    )
    yield (
        f"Each trial{' and each cell of the confirmation' if found else ''} is a run in `runs/`;"
        " `results.json` holds the numbers of this report."
    )


def _confirmation(results: SearchResults, found: Confirmation, plots: list[Plot]) -> Iterator[str]:
    study = found.results
    of_study = [plot for plot in plots if plot.file != _TRIALS_PLOT]
    yield "## Confirmation\n"
    yield (
        f"The best {counted(len(found.trials), 'trial')} and the base config were trained anew"
        f" with {len(results.plan.seeds)} seeds that the search did not use. Their test images"
        " were opened here for the first time, and decided nothing before.\n"
    )
    yield f"{estimand(study)}\n"
    yield study_method(study)
    yield markdown_table(contrast_columns(study), contrast_rows(study))
    yield from pictures(of_study[:1])
    yield markdown_table(arm_columns(study), arm_rows(study))
    yield f"{results.plan.metric.name} of every seed:\n"
    yield markdown_table(seed_columns(study), seed_rows(study))
    yield from pictures(of_study[1:])
    yield from fairness_section(study)
    yield "## How much the search promised\n"
    yield (
        f"{results.plan.measure} when a trial was chosen, and its mean over the fresh seeds, on the"
        " same validation images. The best of many looks better than it is: optimism is by how"
        " much.\n"
    )
    yield markdown_table(OPTIMISM_COLUMNS, optimism_rows(found))
    yield "What was compared:\n"
    yield f"- {BASE}: `{results.plan.base.name}`{_shared(results.plan)}"
    for trial in found.trials:
        yield f"- {trial.name}: {', '.join(f'`{each}`' for each in trial.of.overrides)}"
    yield "\n"


def _shared(plan: SearchPlan) -> str:
    shared = ", ".join(f"`{each}`" for each in plan.shared_texts)
    return f" with {shared}, which all share" if shared else ""


def _beaten(found: Confirmation) -> str:
    finding = found.winners_finding
    if found.is_beaten:
        return "the base was beaten, for such images"
    if finding is None:
        return ""
    verdicts = {
        "these images only": "what differs was seen on these images alone",
        "worse": "the test images say that the winner is worse",
        "withheld": "nothing is said of the winner's mean",
        "equivalent": "the two are equivalent",
    }
    why = verdicts.get(finding.verdict, "the difference may be chance")
    return f"the base was not shown to be beaten: {why}"


def _lost(trials: list[Trial]) -> str:
    words = [
        f"{counted(number, 'trial')} {state}"
        for state in ("diverged", "failed")
        if (number := sum(trial.state == state for trial in trials))
    ]
    first = trials[0]
    return f"{' and '.join(words)}, {first.name} since: {first.why}."


def range_text(axis: Axis) -> str:
    """What is tried along an axis, in words."""
    if axis.choices:
        return ", ".join(axis.text(name) for name in axis.choices)
    low, high = (axis.text(each) for each in axis.ends)
    return f"{low} to {high}{', evenly in the logarithm' if axis.is_logarithmic else ''}"


def _draw_trials(results: SearchResults) -> Figure:
    plan, trials = results.plan, results.trials
    confirmed = results.confirmation.trials if results.confirmation else ()
    kept = {trial.number for trial in confirmed}
    return search_trials(
        {
            axis.name: AxisPoints(
                [_place(axis, trial) for trial in trials],
                axis.is_logarithmic,
                [axis.text(name) for name in axis.choices],
            )
            for axis in plan.axes
        },
        scores_of(trials),
        best=[index for index, trial in enumerate(trials) if trial.number in kept],
        expected=results.expected,
        measure=plan.measure,
        fewer_is_better=plan.sign == 1,
    )


def _place(axis: Axis, trial: Trial) -> float:
    value = trial.values[axis.name]
    return list(axis.choices).index(str(value)) if axis.choices else float(value)
