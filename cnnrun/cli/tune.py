"""`cnnrun tune`: a search for a better config, whose winner is confirmed on fresh seeds."""

import signal
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli import completion
from cnnrun.cli.ablate import default_base, refuse_failed_cells
from cnnrun.cli.options import AsJson, NoGit, Overrides, Quiet
from cnnrun.cli.work_shares import Cells, refuse_with_shares, tell_share, work_share
from cnnrun.cli.workers import (
    Address,
    ExecutorName,
    ExecutorOption,
    Experiments,
    Jobs,
    workers_of,
)

if TYPE_CHECKING:
    from cnnrun.ablation.execution.workers import Workers
    from cnnrun.ablation.studies.study import Study
    from cnnrun.runs.work_share import WorkShare
    from cnnrun.search.search_plan import SearchPlan


class SamplerName(StrEnum):
    """How trials are chosen."""

    QUASI_RANDOM = "quasi-random"
    RANDOM = "random"
    TPE = "tpe"


def tune(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="A config, or a study file with `search`.",
            autocompletion=completion.configs,
        ),
    ],
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="ADDRESS=LOW..HIGH",
            help="What is searched: a range, such as learning_rate=1e-4..3e-2, or values, such as"
            " model.blocks.activation=relu,elu. Repeatable.",
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="How many configs are tried; 16.")
    ] = None,
    sampler: Annotated[
        SamplerName | None,
        typer.Option("--sampler", help="How they are chosen; quasi-random unless given."),
    ] = None,
    halving: Annotated[
        int | None,
        typer.Option(
            "--halving",
            metavar="N",
            help="Successive halving: one of N trials goes on at each rung.",
        ),
    ] = None,
    confirm: Annotated[
        int | None,
        typer.Option(
            "--confirm",
            metavar="K",
            help="How many of the best are compared with the base on fresh seeds; 3 (0: none).",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", help="How many fresh seeds confirm; 7 or more."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", help="What is confirmed, such as test_accuracy; test_loss unless given."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="Of what is drawn; the config's unless given."),
    ] = None,
    overrides: Overrides = None,
    jobs: Jobs = None,
    executor: ExecutorOption = ExecutorName.LOCAL,
    address: Address = None,
    cells: Cells = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="DIR", help="The search's folder itself.")
    ] = None,
    experiments: Experiments = Path("experiments"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show trials, time and power; train nothing.")
    ] = False,
    no_git: NoGit = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search for a better config by its validation images, and confirm what was found.

    The best trials are compared with the config on fresh seeds and on its test images, which no
    trial has seen; `winner.yaml` holds what won. The same command goes on with what was cut short.

    For example: `cnnrun tune configs/digits.yaml --over learning_rate=3e-4..3e-2 --trials 16`
    """
    from cnnrun.cli.terminal import waiting

    refuse_with_shares(cells, dry_run=dry_run)
    share = None if cells is None else work_share(cells, option="--cells")
    workers = workers_of(executor, jobs=jobs, address=address, with_git=not no_git)
    options = {
        "trials": trials,
        "sampler": None if sampler is None else sampler.value,
        "halving": halving,
        "confirm": confirm,
        "seed": seed,
    }
    with waiting("planning the search", quiet=quiet):
        asked = prepare_search(
            config,
            over=over or [],
            options={name: value for name, value in options.items() if value is not None},
            metric=metric,
            seeds=seeds,
            overrides=overrides or [],
            into=into,
            experiments=experiments,
        )
    if dry_run:
        show_dry_run(asked, jobs=jobs, as_json=as_json, quiet=quiet)
    elif share is not None:
        run_share(asked, share, workers=workers, as_json=as_json, quiet=quiet)
    else:
        run(asked, workers=workers, as_json=as_json, quiet=quiet)


@dataclass(frozen=True)
class PreparedSearch:
    """A search with its plan and folder, and what to beware of."""

    study: "Study"
    plan: "SearchPlan"
    folder: Path
    file: Path | None
    notes: tuple[str, ...]


def prepare_search(
    path: Path,
    *,
    over: list[str],
    options: dict[str, Any],
    metric: str | None,
    seeds: int | None,
    overrides: list[str],
    into: Path | None,
    experiments: Path,
) -> PreparedSearch:
    """The search with everything checked that can be before a trial is trained."""
    from cnnrun.search.asked import asked_search, with_options
    from cnnrun.search.run_search import check_search
    from cnnrun.search.search_plan import plan_search

    asked = asked_search(path, over=over, metric=metric)
    planned = plan_search(
        asked.study,
        with_options(asked.search, options),
        name=asked.name,
        base=asked.base or default_base(),
        overrides=overrides,
        seeds=seeds,
        positions=asked.positions,
    )
    folder = into or experiments / asked.name
    check_search(planned.plan, folder)
    return PreparedSearch(
        replace(asked.study, search=None), planned.plan, folder, asked.file, planned.notes
    )


def show_dry_run(asked: PreparedSearch, *, jobs: int | None, as_json: bool, quiet: bool) -> None:
    """Prints what the search is going to do, how long it takes and what it can confirm."""
    from cnnrun.cli.output import print_json, print_note
    from cnnrun.cli.search_output import print_search_dry_run, search_dry_run
    from cnnrun.cli.terminal import waiting
    from cnnrun.runs.environment import usable_cores

    for note in asked.notes:
        print_note(note, quiet=quiet)
    with waiting("training an epoch of the base and of a trial", quiet=quiet):
        dry_run = search_dry_run(asked.plan, folder=asked.folder, jobs=jobs or usable_cores())
    if as_json:
        print_json(dry_run.as_json())
    else:
        print_search_dry_run(dry_run)


def run(
    asked: PreparedSearch,
    *,
    workers: "Workers",
    as_json: bool,
    quiet: bool,
) -> None:
    """Runs the search, writes its folder and prints its answer."""
    from cnnrun.cli.output import print_json
    from cnnrun.cli.search_output import print_search, search_heading
    from cnnrun.cli.study_progress import study_progress
    from cnnrun.runs.events import Note
    from cnnrun.search.run_search import run_search
    from cnnrun.search.search_results import search_json

    # A scheduler's polite end is treated as Ctrl-C is: the search goes on later.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with study_progress(f"{search_heading(asked.plan)} -> {asked.folder}", quiet=quiet) as listener:
        for note in asked.notes:
            listener(Note(note))
        results = run_search(
            asked.study,
            asked.plan,
            file=asked.file,
            folder=asked.folder,
            workers=workers,
            listener=listener,
        )
    if as_json:
        print_json({"folder": str(asked.folder), **search_json(results)})
    else:
        print_search(results, asked.folder)
    if results.confirmation is not None:
        refuse_failed_cells(results.confirmation.results, asked.folder)


def run_share(
    asked: PreparedSearch, share: "WorkShare", *, workers: "Workers", as_json: bool, quiet: bool
) -> None:
    """Runs what others leave of the search, and prints what was done."""
    from cnnrun.cli.search_output import search_heading
    from cnnrun.cli.study_progress import study_progress
    from cnnrun.runs.events import Note
    from cnnrun.search.run_search import run_search_share

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    heading = f"{search_heading(asked.plan)} -> {asked.folder}, share {share}"
    with study_progress(heading, quiet=quiet) as listener:
        for note in asked.notes:
            listener(Note(note))
        done = run_search_share(
            asked.study,
            asked.plan,
            share,
            file=asked.file,
            folder=asked.folder,
            workers=workers,
            listener=listener,
        )
    tell_share(done, asked.folder, command="tune", as_json=as_json)
