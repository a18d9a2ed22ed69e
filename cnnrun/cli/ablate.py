"""`cnnrun ablate`: a question about a network, answered with error bars."""

import signal
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.cli import completion
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
    from cnnrun.ablation.analysis.results import StudyResults
    from cnnrun.ablation.execution.workers import Workers
    from cnnrun.ablation.planning.plan import StudyPlan
    from cnnrun.ablation.studies.named_studies import FoundStudy
    from cnnrun.runs.work_share import WorkShare

DEFAULT_BASE = Path("configs/digits.yaml")


def ablate(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY",
            help="A study of `--list`, or a study file.",
            autocompletion=completion.studies,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="CONFIG",
            help="The config to study; the study's own, or the digits, when omitted.",
            autocompletion=completion.configs,
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="How often each arm is repeated.")
    ] = None,
    resplit: Annotated[
        bool | None,
        typer.Option(
            "--resplit/--no-resplit",
            help="Whether a seed also draws a new split; else as the study says.",
        ),
    ] = None,
    tune_each_arm: Annotated[
        bool | None,
        typer.Option(
            "--tune-each-arm/--no-tune-each-arm",
            help="Whether each arm gets its own learning rate first; else as the study says.",
        ),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--values",
            metavar="FACTOR=A,B",
            help="Other values of a factor, such as activation=relu,tanh. Repeatable.",
        ),
    ] = None,
    overrides: Overrides = None,
    jobs: Jobs = None,
    executor: ExecutorOption = ExecutorName.LOCAL,
    address: Address = None,
    cells: Cells = None,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="DIR", help="The study's folder itself.")
    ] = None,
    experiments: Experiments = Path("experiments"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show cells, sizes, time and power; train nothing.")
    ] = False,
    list_studies: Annotated[
        bool,
        typer.Option("--list", help="List the studies that come with cnnrun, with last answers."),
    ] = False,
    all_studies: Annotated[
        bool, typer.Option("--all", help="Run all of them, of CONFIG if one is named.")
    ] = False,
    no_git: NoGit = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Answer a question about a network with paired runs, tests and intervals.

    Cells that are done are kept: the same command goes on with a study that was interrupted.

    For example: `cnnrun ablate bn-order --seeds 8 --jobs 2`
    """
    from cnnrun.cli.terminal import waiting

    if list_studies:
        from cnnrun.ablation.reporting.answers import last_answers
        from cnnrun.ablation.studies.named_studies import named_studies
        from cnnrun.cli.study_output import print_studies

        print_studies(named_studies(), last_answers(experiments), as_json=as_json)
        return
    refuse_with_shares(cells, all=all_studies, dry_run=dry_run)
    share = None if cells is None else work_share(cells, option="--cells")
    workers = workers_of(executor, jobs=jobs, address=address, with_git=not no_git)
    prepare = partial(
        prepare_study,
        seeds=seeds,
        resplit=resplit,
        tune_each_arm=tune_each_arm,
        values=values or [],
        overrides=overrides or [],
        into=into,
        experiments=experiments,
    )
    run_asked = partial(
        run,
        workers=workers,
        quiet=quiet,
    )
    if all_studies:
        from cnnrun.cli.course import config_of_course, prepare_course, run_course, show_course

        config = config_of_course(study, config, values=values or [], into=into)
        with waiting("planning the studies", quiet=quiet):
            course = prepare_course(config, prepare, experiments=experiments)
        if dry_run:
            show_course(course, jobs=jobs, as_json=as_json, quiet=quiet)
        else:
            silently = partial(run_asked, as_json=as_json, is_one_of_many=True)
            run_course(course, silently, as_json=as_json, quiet=quiet)
        return
    with waiting("planning the study", quiet=quiet):
        asked = prepare(study, config)
    if dry_run:
        show_dry_run(asked, jobs=jobs, as_json=as_json, quiet=quiet)
    elif share is not None:
        run_share(asked, share, workers=workers, as_json=as_json, quiet=quiet)
    else:
        run_asked(asked, as_json=as_json)


@dataclass(frozen=True)
class AskedStudy:
    """A study that the command line asks for: its file, its plan, its folder, what to beware of."""

    found: "FoundStudy"
    plan: "StudyPlan"
    folder: Path
    notes: tuple[str, ...]


def prepare_study(
    name: str | None,
    config: Path | None,
    *,
    seeds: int | None,
    resplit: bool | None,
    tune_each_arm: bool | None,
    values: list[str],
    overrides: list[str],
    into: Path | None,
    experiments: Path,
) -> AskedStudy:
    """The study with everything checked that can be before a cell is trained."""
    from cnnrun.ablation.planning.make_plan import plan_study
    from cnnrun.ablation.planning.plan_file import continued_plan
    from cnnrun.ablation.studies.named_studies import find_study
    from cnnrun.ablation.studies.other_values import with_values
    from cnnrun.ablation.studies.tune import Tune
    from cnnrun.errors import StudyError

    if name is None:
        raise StudyError.at(
            "",
            rule="a study is required",
            received="none",
            advice="`cnnrun ablate --list` names some",
        )
    found = find_study(name)
    if found.study.search is not None:
        raise StudyError.at(
            found.path,
            rule="must have `factors`, whose values are compared",
            received="a search",
            advice=f"`cnnrun tune {found.path}` runs it",
        )
    study = with_values(found.study, values)
    if resplit is not None:
        study = replace(study, resplit=resplit)
    if tune_each_arm is not None:
        study = replace(study, tune=(study.tune or Tune()) if tune_each_arm else None)
    if config is None:
        study = study.of_example()
    found = replace(found, study=study)
    planned = plan_study(
        found.study,
        name=found.name,
        base=config or found.study.base or default_base(),
        overrides=overrides,
        seeds=seeds,
    )
    own_name = found.name if config is None else f"{found.name}-{config.stem}"
    folder = into or experiments / own_name
    plan = continued_plan(planned.plan, found.study, folder=folder, seeds=seeds)
    example = () if config is None or not study.example else (example_note(found, config),)
    return AskedStudy(found, plan, folder, (*example, *planned.notes))


def default_base() -> Path:
    """The digits' config of the current folder, or else the packaged one."""
    from cnnrun.starter.example import example_project

    return DEFAULT_BASE if DEFAULT_BASE.is_file() else example_project() / DEFAULT_BASE


def example_note(found: "FoundStudy", config: Path) -> str:
    """That what a study sets of its own example does not hold for the user's config."""
    shown = ", ".join(change.address for change in found.study.example)
    return (
        f"{config} trains as it says; what the study sets for its own example does not hold"
        f" ({shown})"
    )


def show_dry_run(asked: AskedStudy, *, jobs: int | None, as_json: bool, quiet: bool) -> None:
    """Prints what the study is going to do, how long it takes and what it can find."""
    from cnnrun.ablation.analysis.power import equivalence_power_of, power_of
    from cnnrun.ablation.execution.run_cells import study_seconds, time_trial
    from cnnrun.cli.output import print_json, print_note
    from cnnrun.cli.study_output import DryRun, print_dry_run
    from cnnrun.cli.terminal import waiting
    from cnnrun.runs.environment import usable_cores

    for note in asked.notes:
        print_note(note, quiet=quiet)
    plan = asked.plan
    with waiting("training an epoch of each arm", quiet=quiet):
        trial = time_trial(
            {arm.name: arm.config for arm in plan.arms},
            diagnostics=any(cell.diagnostics for cell in plan.cells),
            folder=asked.folder.parent,
        )
    workers = jobs or usable_cores()
    pairs, contrasts = max(len(plan.seeds), *plan.repetition.looks, 2), len(plan.family)
    dry_run = DryRun(
        study=asked.found.study,
        plan=plan,
        folder=asked.folder,
        parameters=trial.parameters,
        multiply_adds=trial.multiply_adds,
        jobs=workers,
        seconds=study_seconds(plan, trial, jobs=workers),
        power=power_of(pairs=pairs, contrasts=contrasts, tuning=plan.tuning),
        equivalence_power=equivalence_power_of(pairs=pairs, contrasts=contrasts, tuning=plan.tuning)
        if asked.found.study.metric.margin
        else (),
    )
    if as_json:
        print_json(dry_run.as_json())
    else:
        print_dry_run(dry_run)


def run(
    asked: AskedStudy,
    *,
    workers: "Workers",
    as_json: bool,
    quiet: bool,
    is_one_of_many: bool = False,
) -> None:
    """Runs the study, writes its folder and prints its answer: of one of many its claim's alone."""
    from cnnrun.ablation.run_study import run_study
    from cnnrun.cli.study_progress import study_progress
    from cnnrun.runs.events import Note

    # A scheduler's polite end is treated as Ctrl-C is: the study goes on later.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = asked.plan
    with study_progress(heading_of(asked), quiet=quiet) as listener:
        for note in asked.notes:
            listener(Note(note))
        results = run_study(
            asked.found,
            asked.plan,
            folder=asked.folder,
            workers=workers,
            listener=listener,
        )
    # After the study, for they load what no worker should wait for.
    from cnnrun.ablation.analysis.results import results_json
    from cnnrun.ablation.reporting.sentences import claim_sentences
    from cnnrun.cli.output import print_json, print_sentence
    from cnnrun.cli.study_output import print_results

    if is_one_of_many:
        for line in claim_sentences(results.claim) if results.claim and not as_json else ():
            print_sentence(f"{plan.name}: {line}")
    elif as_json:
        print_json({"folder": str(asked.folder), **results_json(results)})
    else:
        print_results(results, asked.folder)
    refuse_failed_cells(results, asked.folder)


def run_share(
    asked: AskedStudy, share: "WorkShare", *, workers: "Workers", as_json: bool, quiet: bool
) -> None:
    """Runs a share of the study's cells, and prints what was done."""
    from cnnrun.ablation import run_study
    from cnnrun.cli.study_progress import study_progress
    from cnnrun.runs.events import Note

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    heading = f"{heading_of(asked)}, share {share}"
    with study_progress(heading, quiet=quiet) as listener:
        for note in asked.notes:
            listener(Note(note))
        done = run_study.run_share(
            asked.found,
            asked.plan,
            share,
            folder=asked.folder,
            workers=workers,
            listener=listener,
        )
    tell_share(done, asked.folder, command="ablate", as_json=as_json)


def heading_of(asked: AskedStudy) -> str:
    """What stands above a study while it runs."""
    plan = asked.plan
    cells = f"{len(plan.arms)} arms x {len(plan.seeds)} seeds"
    if plan.tuning is not None:
        cells = f"{plan.tuning.trials} trials to tune each arm, then {cells}"
    return f"{plan.name}: {asked.found.study.question}\n{cells} -> {asked.folder}"


def refuse_failed_cells(results: "StudyResults", folder: Path) -> None:
    """Ends the command as failed work ends, when some cells have no result.

    Raises:
        WorkError: some cells failed.
    """
    from cnnrun.errors import WorkError

    failed = sum(len(each.failed) for each in results.arms)
    if failed:
        raise WorkError.at(
            folder / "report.md",
            rule="says which cells failed and why",
            received=f"{failed} of {len(results.plan.cells)} that did",
            advice="the same command tries them again, and nothing else",
        )
