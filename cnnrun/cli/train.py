"""`cnnrun train`: from a config to a run."""

import shlex
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli import completion
from cnnrun.cli.options import AsJson, ConfigFile, NoGit, Overrides, Quiet
from cnnrun.cli.workers import Experiments
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from cnnrun.config.sections import Config
    from cnnrun.runs.folder import RunFolder


def train(
    config: ConfigFile,
    overrides: Overrides = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="RUN",
            help="The run's folder itself.",
            autocompletion=completion.runs,
        ),
    ] = None,
    experiments: Experiments = Path("experiments"),
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue RUN, or the newest unfinished run of CONFIG."),
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Measure where the time goes, and what to change.")
    ] = False,
    no_git: NoGit = False,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="K",
            help="Train K networks, each tested on another part of the images.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", min=1, metavar="N", help="Folds at a time; else one a core."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network, evaluate it once on the test images, and write a run.

    For example: `cnnrun train configs/digits.yaml --set train.epochs=5`
    """
    began = time.perf_counter()
    from cnnrun.cli.terminal import waiting

    with waiting("reading the config", quiet=quiet):
        from cnnrun.cli.folds import train_folds
        from cnnrun.config.load import load_config
        from cnnrun.runs.folder import run_name
        from cnnrun.runs.resumable import run_to_resume
        from cnnrun.runs.unbegun import refuse_used_place

        checked = load_config(config, overrides=overrides or [])
    if folds is not None:
        refuse_with_folds(resume=resume, profile=profile)
        train_folds(
            checked,
            folds=folds,
            into=into,
            experiments=experiments,
            jobs=jobs,
            with_git=not no_git,
            quiet=quiet,
            as_json=as_json,
        )
        return
    if jobs is not None:
        raise InputError.at(
            "--jobs",
            rule="goes with --folds",
            received="no --folds",
            advice="add --folds, or leave --jobs out",
        )
    run = run_to_resume(experiments, name=run_name(config), into=into) if resume else None
    if into is not None and not resume:
        refuse_used_place(into)
    run = trained(
        checked,
        run,
        into=into,
        experiments=experiments,
        profiled_from=began if profile else None,
        with_git=not no_git,
        quiet=quiet,
    )
    tell(run, with_profile=profile, as_json=as_json)
    tell_of_earlier_images(run, quiet=quiet)


def trained(
    config: "Config",
    run: "RunFolder | None",
    *,
    into: Path | None,
    experiments: Path,
    profiled_from: float | None,
    with_git: bool,
    quiet: bool,
) -> "RunFolder":
    """The run of a config, trained to its end.

    Args:
        config: what to train.
        run: the run to go on with; None for a new one.
        into: the new run's folder itself, if it is named.
        experiments: where the new run is made else.
        profiled_from: when the command began, by the clock of a profile; None for no profile.
        with_git: whether git is asked what has changed.
        quiet: whether to keep from telling how far it is.
    """
    from cnnrun.cli.progress import training_progress
    from cnnrun.cli.tensorflow_chatter import load_tensorflow

    # A scheduler's polite end is treated as Ctrl-C is: the run stays resumable.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load_tensorflow(quiet=quiet)
    from cnnrun.training.profiling import NOT_WATCHED, Profiler
    from cnnrun.training.train import resume as resume_training
    from cnnrun.training.train import train as start_training

    watch = NOT_WATCHED if profiled_from is None else Profiler(began=profiled_from)
    with training_progress(quiet=quiet) as listener:
        if run is not None:
            resume_training(config, run=run, listener=listener, watch=watch, with_git=with_git)
            return run
        return start_training(
            config,
            experiments=experiments,
            into=into,
            listener=listener,
            watch=watch,
            with_git=with_git,
        )


def tell(run: "RunFolder", *, with_profile: bool, as_json: bool) -> None:
    """Prints what a run came to."""
    from cnnrun.cli.output import print_json, print_text
    from cnnrun.runs.files import read_json
    from cnnrun.runs.result import read_result

    result = read_result(run).as_json()
    profiled = {"profile": read_json(run.profile_json)} if with_profile else {}
    if as_json:
        print_json({"run": str(run.path), **result, **profiled})
        return
    if with_profile:
        print_profile(profiled["profile"])
    print_text(summary(run, result))


def tell_of_earlier_images(run: "RunFolder", *, quiet: bool) -> None:
    """Says which earlier run on other images the run can be held against, if there is one."""
    from cnnrun.cli.output import print_note
    from cnnrun.runs.earlier_data import earlier_run_on_other_images

    if quiet or (earlier := earlier_run_on_other_images(run)) is None:
        return
    runs = " ".join(shlex.quote(str(each.path)) for each in (earlier.run, run))
    print_note(
        "the images have changed since an earlier run of this config;"
        f" on the {earlier.images:,} test images of both: `cnnrun compare {runs}`"
    )


def refuse_with_folds(**asked: bool) -> None:
    """Ends the command where options are given that folds do not know."""
    for name, wanted in asked.items():
        if wanted:
            raise InputError.at(
                f"--{name}",
                rule="does not go with --folds",
                received="both",
                advice="leave one of the two out; the same command goes on with interrupted folds",
            )


def summary(run: "RunFolder", result: dict[str, Any]) -> str:
    """What a run came to, in a few lines."""
    from cnnrun.runs.result import test_metrics_of

    lines = []
    test = result["test"]
    if test is None:
        lines.append("no test images; see val_ in metrics.jsonl")
    else:
        names = [name for name in test_metrics_of(test) if name in test["intervals"]]
        width = max(18, *map(len, names))
        for name in names:
            low, high = test["intervals"][name]
            lines.append(
                f"test {name:<{width}} {test[name]:.4f}   95 % interval {low:.4f} to {high:.4f}"
            )
        lines.append(baseline_line(result["baselines"]))
    lines.append(
        f"best epoch {result['best_epoch']} of {result['epochs']},"
        f" {result['images_per_second']:,.0f} images/s, {result['seconds']['total']:.1f} s in all"
    )
    lines.append(f"{run.path}")
    return "\n".join(lines)


def baseline_line(baselines: dict[str, float]) -> str:
    """What an accuracy, or a mean average precision, has to beat."""
    if "prevalence" in baselines:
        return f"mean average precision of any order {baselines['prevalence']:.4f}"
    return (
        f"accuracy of chance {baselines['chance']:.4f}, of always the commonest training class"
        f" {baselines['majority']:.4f}"
    )


def print_profile(profile: dict[str, Any]) -> None:
    """Prints where the time went, phase by phase, and what to change."""
    from cnnrun.cli.output import print_sentence, print_table, print_text

    rows = [
        (phase, f"{spent['seconds']:.2f}", f"{spent['share']:.0%}", spent["what"])
        for phase, spent in profile["phases"].items()
    ]
    print_table(
        ("phase", "seconds", "share", "what"),
        rows,
        numeric=frozenset({"seconds", "share"}),
        expendable=["what"],
        totals=("total", f"{profile['seconds']:.2f}", "", ""),
    )
    if profile["steps"]:
        print_text(
            f"{1000 * profile['step_seconds']:.1f} ms a training step after the first ones,"
            f" measured over {profile['steps']:,}"
        )
    print_sentence(profile["advice"])
