"""The straight line of a search: plan, trials, confirmation, winner, report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cnnrun.ablation.execution.run_cells import ShareDone, cell_runner, share_runner
from cnnrun.ablation.execution.schedule import StudyListener
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.plan_file import ANOTHER_FOLDER, in_words, refuse_used_folder
from cnnrun.ablation.reporting.report import write_results
from cnnrun.ablation.reporting.sentences import sentence
from cnnrun.ablation.reporting.tables import cells_csv
from cnnrun.ablation.studies.study import Study
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.errors import StudyError
from cnnrun.runs.events import Note
from cnnrun.runs.files import (
    json_text,
    read_json,
    storage_errors,
    write_bytes,
    write_new,
    write_text,
)
from cnnrun.runs.listing import TRIALS_FILE
from cnnrun.runs.work_share import WorkShare
from cnnrun.search.confirmation import best_trials, confirm, confirmation_plan
from cnnrun.search.search_plan import SearchPlan
from cnnrun.search.search_report import (
    WINNER_FILE,
    search_plots,
    search_report,
    winner_sentences,
)
from cnnrun.search.search_results import SearchResults, search_json, trials_csv
from cnnrun.search.tree_parzen import load_optuna
from cnnrun.search.trials import run_trials
from cnnrun.search.winner_file import write_winner

_PLAN: Final = "plan.json"


def run_search(
    study: Study,
    plan: SearchPlan,
    *,
    file: Path | None,
    folder: Path,
    workers: Workers,
    listener: StudyListener,
) -> SearchResults:
    """What a search came to, after running those of its cells that are not done.

    Args:
        study: its study, for the metric.
        plan: what `plan_search` gave; `check_search` has nothing against it.
        file: the study file that it stands in, which is kept; None where there is none.
        folder: the search's folder.
        workers: what runs the cells.
        listener: who listens.

    Raises:
        WorkError: trials failed. And what `run_trials` and `run_cells` raise.
        StorageError: the folder cannot be written to.
    """
    _write_beginning(plan, file, folder)
    found = None
    with cell_runner(folder=folder, workers=workers, listener=listener) as run:
        trials = run_trials(plan, run=run)
        searched = SearchResults(plan, trials, None)
        write_text(folder / TRIALS_FILE, trials_csv(searched))
        if plan.search.confirm:
            listener(
                Note(f"{searched.best.name} is the best of {len(trials)}; now it is confirmed")
            )
            found = confirm(plan, study, trials, run=run)
    results = SearchResults(plan, trials, found)
    if found is not None:
        write_text(folder / "cells.csv", cells_csv(found.results.plan, found.outcomes))
    _write_winner(folder, results)
    plots = list(search_plots(results))
    write_results(folder, search_json(results), text=search_report(results, plots), plots=plots)
    return results


def run_search_share(
    study: Study,
    plan: SearchPlan,
    share: WorkShare,
    *,
    file: Path | None,
    folder: Path,
    workers: Workers,
    listener: StudyListener,
) -> ShareDone:
    """What this process has done of a search, of which others on the same disk do other shares.

    A round of trials is nobody's share: whoever is there does it, and waits for its end.

    Args:
        study: its study, for the metric.
        plan: what `plan_search` gave; `check_search` has nothing against it.
        share: which cells of the confirmation are run before all others.
        file: the study file that it stands in, which is kept; None where there is none.
        folder: the search's folder.
        workers: what runs the cells.
        listener: who listens.

    Raises:
        StudyError: another process has planned something else for the folder.
        WorkError: trials failed. And what `run_trials` and `run_cells` raise.
        StorageError: the folder cannot be written to.
    """
    _write_beginning(plan, file, folder)
    with share_runner(folder=folder, workers=workers, listener=listener) as runner:
        trials = run_trials(plan, run=runner.run)
        best = best_trials(plan, trials) if plan.search.confirm else ()
        cells = confirmation_plan(plan, study, best).cells if best else ()
        return runner.run_share(cells, share)


def check_search(plan: SearchPlan, folder: Path) -> None:
    """Raise unless a search can be run, in a folder that is empty or holds this very one.

    Raises:
        StudyError: the folder holds something else, the plan has changed, a package is missing, or
            there are no images to judge or confirm by.
        DataError: the data cannot be used.
        RunError: plan.json is damaged.
    """
    if plan.search.sampler == "tpe":
        load_optuna()
    _check_images(plan)
    if not (folder / _PLAN).exists():
        refuse_used_folder(folder)
        return
    _refuse_another_search(plan, folder)


def _refuse_another_search(plan: SearchPlan, folder: Path) -> None:
    before: Mapping[str, Any] = read_json(folder / _PLAN)
    if not isinstance(before, dict) or "search" not in before:
        raise StudyError.at(
            folder,
            rule="a search needs a folder of its own",
            received="one that holds a study",
            advice=ANOTHER_FOLDER,
        )
    now = plan.as_json()
    if before.get("config") != now["config"]:
        raise StudyError.at(
            folder,
            rule="a search goes on with the config that it was started with",
            received=f"another `{plan.base.name}`, or another `--set`",
            advice=f"take the change back, or {ANOTHER_FOLDER}",
        )
    for key, value in now.items():
        if before.get(key) != value:
            raise StudyError.at(
                folder,
                rule=f"a folder holds one search, here one whose {key} is"
                f" {in_words(before.get(key))}",
                received=in_words(value),
                advice=ANOTHER_FOLDER,
            )


def _write_beginning(plan: SearchPlan, file: Path | None, folder: Path) -> None:
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    text = json_text(plan.as_json(), indent=2) + "\n"
    if not write_new(folder / _PLAN, text.encode("utf-8")):
        _refuse_another_search(plan, folder)
    if file is not None:
        write_bytes(folder / "study.yaml", file.read_bytes())


def _write_winner(folder: Path, results: SearchResults) -> None:
    plan, chosen, found = results.plan, results.chosen, results.confirmation
    comment = [f"{plan.name}: {plan.question}", "", *winner_sentences(results)]
    if found is not None and found.winners_finding is not None:
        comment.append(sentence(found.winners_finding, found.results))
    of = chosen.of if chosen is not None else None
    write_winner(
        folder / WINNER_FILE,
        plan,
        plan.config if of is None else of.config,
        () if of is None else of.changes,
        comment=comment,
    )


def _check_images(plan: SearchPlan) -> None:
    """Raise where a search has no images to judge or confirm by; the data are read for it.

    Raises:
        StudyError: there are none of validation, or none of a test to confirm with.
        DataError: the data cannot be used.
    """
    data = plan.config.data
    splits = cut_splits(read_manifest(data), data)
    if not len(splits.validation):
        raise StudyError.at(
            "data.split.validation",
            rule="must hold images, which the trials of a search are judged by",
            received="0",
            advice="write for example 0.15",
        )
    if plan.search.confirm and not len(splits.test):
        raise StudyError.at(
            "data.split.test",
            rule="must hold images, which the best trials are confirmed on",
            received="0",
            advice="write for example 0.15, or search alone with `--confirm 0`",
        )
