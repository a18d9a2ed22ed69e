"""What `cnnrun tune` prints: a search before it runs, and its answer."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from cnnrun.ablation.analysis.power import Power, power_of
from cnnrun.ablation.execution.cell_room import BYTES_A_PARAMETER
from cnnrun.ablation.execution.run_cells import time_trial
from cnnrun.ablation.execution.tasks import Trial as TimedTrial
from cnnrun.ablation.reporting.sentences import sentence, supposition
from cnnrun.cli.output import print_sentence, print_table, print_text
from cnnrun.cli.study_output import print_contrasts, print_power
from cnnrun.runs.disk_room import size_text
from cnnrun.search.confirmation import BASE
from cnnrun.search.sampling import first_trials
from cnnrun.search.search_plan import SearchPlan, trial_config
from cnnrun.search.search_report import (
    OPTIMISM_COLUMNS,
    optimism_rows,
    optimism_sentence,
    range_text,
    trial_columns,
    trial_rows,
    winner_sentences,
)
from cnnrun.search.search_results import SearchResults
from cnnrun.wording import counted, duration

_BUILT: Final = 4
"""So many trials are built, beside the base, to see what a network costs."""


@dataclass(frozen=True)
class SearchDryRun:
    """A search before it runs.

    Attributes:
        plan: what it is going to do.
        folder: where it would go.
        jobs: cells at a time.
        seconds: the wall time to expect.
        model_bytes: the room that the models of all cells take.
        power: of the confirmation, at several effects; none where nothing is confirmed.
    """

    plan: SearchPlan
    folder: Path
    jobs: int
    seconds: float
    model_bytes: int
    power: Sequence[Power]

    def as_json(self) -> dict[str, Any]:
        """The dry run as maps and lists."""
        return {
            "folder": str(self.folder),
            "question": self.plan.question,
            **self.plan.as_json(),
            "cells": self.plan.trials + confirming_cells(self.plan),
            "rungs": list(self.plan.rungs),
            "jobs": self.jobs,
            "seconds": self.seconds,
            "bytes": self.model_bytes,
            "power": [asdict(power) for power in self.power],
        }


def search_dry_run(plan: SearchPlan, *, folder: Path, jobs: int) -> SearchDryRun:
    """What a search takes, by one timed trial.

    Raises:
        ConfigError: the values of a trial do not go together.
        WorkError: a network cannot be built or trained; the reason is told.
    """
    spread = first_trials(plan.axes, number=_BUILT, is_random=False, seed=plan.seed)
    configs = {BASE: plan.config}
    for number, values in enumerate(spread, start=1):
        configs[f"trial {number}"] = trial_config(plan, values).config
    timed = time_trial(configs, diagnostics=False, folder=folder.parent)
    cells = plan.trials + confirming_cells(plan)
    return SearchDryRun(
        plan=plan,
        folder=folder,
        jobs=jobs,
        seconds=_seconds(plan, timed, jobs=jobs),
        model_bytes=BYTES_A_PARAMETER * max(timed.parameters.values()) * cells,
        power=power_of(pairs=len(plan.seeds), contrasts=plan.search.confirm)
        if plan.search.confirm
        else (),
    )


def confirming_cells(plan: SearchPlan) -> int:
    """How many cells the confirmation has."""
    return (plan.search.confirm + 1) * len(plan.seeds)


def search_heading(plan: SearchPlan) -> str:
    """What a search is about to do."""
    confirming = (
        f", then {plan.search.confirm} of them and the base x {len(plan.seeds)} seeds"
        if plan.search.confirm
        else ""
    )
    return f"{plan.name}: {plan.question}\n{counted(plan.trials, 'trial')}{confirming}"


def print_search_dry_run(dry_run: SearchDryRun) -> None:
    """Prints what a search is going to do, how long it takes and what it can confirm."""
    plan = dry_run.plan
    print_text(f"{search_heading(plan)} -> {dry_run.folder}")
    for number, epochs in zip(plan.rung_trials, (*plan.rungs, plan.epochs), strict=True):
        if plan.rungs:
            print_text(f"  {counted(number, 'trial')} to epoch {epochs}")
    print_text(
        f"about {duration(dry_run.seconds)}, {dry_run.jobs} at a time, by one timed trial\n"
        f"about {size_text(dry_run.model_bytes)} on the disk, for the models of all cells\n"
    )
    print_table(
        ("searched", "values"),
        [(axis.name, range_text(axis)) for axis in plan.axes],
    )
    print_sentence(
        f"\ntrials are judged by {plan.measure} with the seed {plan.trial_seed}, and see no test"
        " image"
    )
    if not plan.search.confirm:
        print_sentence("nothing is confirmed: the best score of a search is too good")
        return
    print_sentence(
        f"what {len(plan.seeds)} fresh seeds find of a difference to the base in"
        f" {plan.metric.name} (over seeds alone; that other images could be tested takes more):\n"
    )
    print_power(dry_run.power, "true difference", "chance to find it", of=plan.search.confirm)


def print_search(results: SearchResults, folder: Path) -> None:
    """Prints a search's best trials, its confirmation, and what to beware of."""
    plan, found = results.plan, results.confirmation
    print_sentence(f"{plan.name}: {plan.question}\n")
    columns = trial_columns(plan)
    choices = {axis.name for axis in plan.axes if axis.choices}
    print_table(columns, list(trial_rows(results)), numeric=frozenset(columns) - choices)
    print_text("")
    if found is not None:
        print_contrasts(found.results)
        print_sentence(f"{supposition(found.results)}\n")
        print_table(
            OPTIMISM_COLUMNS, list(optimism_rows(found)), numeric=frozenset(OPTIMISM_COLUMNS[1:])
        )
        print_text("")
        for finding in found.results.findings:
            print_sentence(sentence(finding, found.results))
        print_sentence(optimism_sentence(results))
    for each in winner_sentences(results):
        print_sentence(each)
    if found is not None:
        for warning in found.results.warnings:
            print_sentence(f"beware: {warning}")
    print_text(f"{folder / 'winner.yaml'}\n{folder / 'report.md'}")


def _seconds(plan: SearchPlan, timed: TimedTrial, *, jobs: int) -> float:
    """The wall time: each trial traces a network, to whatever rung it comes."""
    trained = float(plan.trials)
    if plan.rungs:
        ends = (0, *plan.rungs, plan.epochs)
        parts = zip(plan.rung_trials, pairwise(ends), strict=True)
        trained = sum(number * (end - start) for number, (start, end) in parts) / plan.epochs
    cells = confirming_cells(plan)
    work = (trained + cells) * timed.seconds_a_cell
    work += (plan.trials + (plan.search.confirm + 1) * jobs) * timed.seconds_an_arm
    return work / jobs
