"""The straight line from a config to a run."""

import difflib
import time
from pathlib import Path

from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.preparing import Prepared, prepare
from cnnrun.config.dump import dump_config
from cnnrun.config.load import load_config
from cnnrun.config.values import Config
from cnnrun.errors import RunError
from cnnrun.models.variables import assign_variables
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder, create_run, create_run_into, hold
from cnnrun.runs.listeners import Logged, Reporter
from cnnrun.runs.result import write_result
from cnnrun.runs.state import read_state, write_state
from cnnrun.training.batches import FEATURES
from cnnrun.training.checkpoints import Checkpoint, newest_checkpoint
from cnnrun.training.profiling import NOT_WATCHED, Watch
from cnnrun.training.run_files import write_evaluation, write_model, write_plots
from cnnrun.training.steps import (
    evaluate_test_images,
    fit,
    plan_of,
    progress_of,
    recorded,
    result_of,
    write_beginning,
)


def train(
    config: Config,
    *,
    experiments: Path,
    into: Path | None,
    reporter: Reporter,
    watch: Watch = NOT_WATCHED,
) -> RunFolder:
    """Train a config from the beginning, into a run folder of its own.

    Args:
        config: a checked config, from `load_config`.
        experiments: where the run's folder is created, as `<config name>/<time>-seed<seed>`.
        into: the run's folder itself, absent or empty, instead.
        reporter: who listens; `Silent()` for nobody.
        watch: who looks where the time goes.

    Returns:
        The finished run.

    Raises:
        ConfigError: the network cannot be built or trained.
        DataError: the data cannot be used.
        RunError: `into` is in use.
        DivergedError: the loss became NaN or infinite; the run is kept, as failed.
        StorageError: the run folder cannot be written to.
        InterruptedRunError: Ctrl-C; the run is kept and can be resumed.
    """
    started = time.perf_counter()
    watch.enter("data and network")
    prepared = prepare(
        config,
        earlier=None,
        cache_folder=into.parent if into else experiments,
        reporter=reporter,
    )
    run = (
        create_run_into(into)
        if into
        else create_run(experiments, name=config.source.stem, seed=config.seed)
    )
    with hold(run), recorded(run):
        write_beginning(run, prepared)
        _work(
            run,
            prepared,
            checkpoint=None,
            started=started,
            reporter=Logged(run, reporter),
            watch=watch,
        )
    return run


def resume(
    config: Config, *, run: RunFolder, reporter: Reporter, watch: Watch = NOT_WATCHED
) -> RunFolder:
    """Continue a run that was interrupted, to the same bits as if it had not been.

    Args:
        config: the config that the run was started with.
        run: the run.
        reporter: who listens.
        watch: who looks where the time of this sitting goes.

    Raises:
        RunError: the run is finished or busy, its config or data have changed, or all of its
            checkpoints are damaged. And what `train` raises.
    """
    started = time.perf_counter()
    watch.enter("data and network")
    with hold(run):
        _refuse_finished(run)
        earlier = load_config(run.resolved_yaml)
        prepared = prepare(
            config, earlier=earlier, cache_folder=_cache_folder_of(run), reporter=reporter
        )
        _refuse_changes(run, earlier, prepared)
        found = newest_checkpoint(run)
        for path in found.damaged:
            reporter.note(f"{path.name} is damaged: going on from the checkpoint before it")
        with recorded(run):
            _work(
                run,
                prepared,
                checkpoint=found.checkpoint,
                started=started,
                reporter=Logged(run, reporter),
                watch=watch,
            )
    return run


def _work(
    run: RunFolder,
    prepared: Prepared,
    *,
    checkpoint: Checkpoint | None,
    started: float,
    reporter: Reporter,
    watch: Watch,
) -> None:
    progress = progress_of(run, checkpoint)
    reporter.begin(plan_of(run, prepared, progress))
    fit(
        run,
        watch.prepared(prepared),
        compile_model=watch.compiling(compile_anew),
        observers=watch.observers,
        checkpoint=checkpoint,
        progress=progress,
        reporter=reporter,
    )
    watch.enter("results")
    model = prepared.built.network.model
    if progress.best is not None:
        assign_variables(model.weights, progress.best.weights)
    write_model(run, model)
    tested = evaluate_test_images(prepared)
    if tested is not None:
        write_evaluation(run, prepared.manifest, tested)
    result = result_of(prepared, progress, tested, seconds=time.perf_counter() - started)
    write_result(run, result)
    write_plots(run, prepared, tested, best_epoch=result.best_epoch)
    watch.finish(run, prepared)
    write_state(run, "finished", why="")
    reporter.finish(result)


def _cache_folder_of(run: RunFolder) -> Path:
    """Where `train` kept what other runs can use: beside the run, or beside its config's folder."""
    beside = run.path.parent
    is_above = not (beside / FEATURES).exists() and (beside.parent / FEATURES).exists()
    return beside.parent if is_above else beside


def _refuse_finished(run: RunFolder) -> None:
    if read_state(run).state == "finished":
        raise RunError(
            f"only a run that was cut short can be resumed: {run.path} is finished; train anew,"
            " without --resume"
        )


def _refuse_changes(run: RunFolder, earlier: Config, prepared: Prepared) -> None:
    now = dump_config(prepared.config, relative_to=run.path).splitlines()
    before = dump_config(earlier, relative_to=run.path).splitlines()
    changes = list(difflib.unified_diff(before, now, n=0, lineterm=""))[2:]
    if changes:
        shown = "\n".join(f"    {line}" for line in changes if not line.startswith("@@"))
        raise RunError(
            f"a run goes on with the config that it was started with, and this one differs from"
            f" {run.resolved_yaml}:\n{shown}\ntake the change back, or train anew, without --resume"
        )
    recorded = read_json(run.environment_json)["data"]
    if recorded != prepared.images.fingerprint:
        raise RunError(
            f"a run goes on with the images that it was started with, and they have changed since"
            f" {run.environment_json} was written; restore them, or train anew, without --resume"
        )
