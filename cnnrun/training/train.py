"""The straight line from a config to a run."""

import difflib
import math
import resource
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from cnnrun.config.dump import dump_config
from cnnrun.config.load import load_config
from cnnrun.config.values import Config
from cnnrun.data.tensors import Feed
from cnnrun.errors import CnnrunError, InterruptedRunError, RunError
from cnnrun.runs.environment import describe_environment
from cnnrun.runs.files import read_json, write_json, write_text
from cnnrun.runs.folder import RunFolder, create_run, create_run_into, hold
from cnnrun.runs.metrics import read_epochs, write_epochs
from cnnrun.runs.result import RunResult, write_result
from cnnrun.runs.state import read_state, write_state
from cnnrun.training.callbacks import Progress
from cnnrun.training.checkpoints import Checkpoint, assign_variables, newest_checkpoint
from cnnrun.training.evaluation import Evaluation, evaluate
from cnnrun.training.fitting import Batches, fit_stages
from cnnrun.training.preparing import Prepared, prepare
from cnnrun.training.reporting import Logged, Plan, Reporter
from cnnrun.training.stages import plan_stages
from cnnrun.training.writing import write_evaluation, write_model, write_plots


def train(config: Config, *, experiments: Path, into: Path | None, reporter: Reporter) -> RunFolder:
    """Train a config from the beginning, into a run folder of its own.

    Args:
        config: a checked config, from `load_config`.
        experiments: where the run's folder is created, as `<config name>/<time>-seed<seed>`.
        into: the run's folder itself, absent or empty, instead.
        reporter: who listens; `Silent()` for nobody.

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
    with hold(run), _recorded(run):
        _write_beginning(run, prepared)
        _work(run, prepared, checkpoint=None, started=started, reporter=Logged(run, reporter))
    return run


def resume(config: Config, *, run: RunFolder, reporter: Reporter) -> RunFolder:
    """Continue a run that was interrupted, to the same bits as if it had not been.

    Args:
        config: the config that the run was started with.
        run: the run.
        reporter: who listens.

    Raises:
        RunError: the run is finished or busy, its config or data have changed, or all of its
            checkpoints are damaged. And what `train` raises.
    """
    started = time.perf_counter()
    with hold(run):
        _refuse_finished(run)
        earlier = load_config(run.resolved_yaml)
        prepared = prepare(config, earlier=earlier, cache_folder=run.path.parent, reporter=reporter)
        _refuse_changes(run, earlier, prepared)
        found = newest_checkpoint(run)
        for path in found.damaged:
            reporter.note(f"{path.name} is damaged: going on from the checkpoint before it")
        with _recorded(run):
            _work(
                run,
                prepared,
                checkpoint=found.checkpoint,
                started=started,
                reporter=Logged(run, reporter),
            )
    return run


def _work(
    run: RunFolder,
    prepared: Prepared,
    *,
    checkpoint: Checkpoint | None,
    started: float,
    reporter: Reporter,
) -> None:
    progress = _progress_of(run, checkpoint)
    reporter.begin(_plan(run, prepared, progress))
    _fit(run, prepared, checkpoint=checkpoint, progress=progress, reporter=reporter)
    model = prepared.built.network.model
    if progress.best is not None:
        assign_variables(model.weights, progress.best.weights)
    write_model(run, model)
    tested = _test(prepared)
    if tested is not None:
        write_evaluation(run, prepared.manifest, tested)
    result = _result(prepared, progress, tested, seconds=time.perf_counter() - started)
    write_result(run, result)
    write_plots(run, prepared, tested, best_epoch=result.best_epoch)
    write_state(run, "finished", why="")
    reporter.finish(result)


def _fit(
    run: RunFolder,
    prepared: Prepared,
    *,
    checkpoint: Checkpoint | None,
    progress: Progress,
    reporter: Reporter,
) -> None:
    with prepared.feed.naming_failures():
        fit_stages(
            prepared.built.network,
            prepared.config,
            loss=prepared.built.loss,
            stages=plan_stages(prepared.config),
            batches_of=lambda stage: nullcontext(_batches(prepared, prepared.feed)),
            monitor=prepared.monitor,
            checkpoint=checkpoint,
            progress=progress,
            run=run,
            reporter=reporter,
        )


def _batches(prepared: Prepared, feed: Feed) -> Batches:
    """The training and validation images of a feed, in the run's order."""
    splits, seed = prepared.splits, prepared.config.seed
    ids = prepared.manifest.ids[splits.train]
    return Batches(
        training=lambda epoch: feed.training(splits.train, ids, seed=seed, first_epoch=epoch),
        validation=feed.evaluation(splits.validation) if len(splits.validation) else None,
    )


def _test(prepared: Prepared) -> Evaluation | None:
    if not len(prepared.splits.test):
        return None
    return evaluate(
        prepared.built.network.model,
        output=prepared.built.output,
        store=prepared.feed.store,
        rows=prepared.splits.test,
        labels=prepared.manifest.labels,
        targets=prepared.feed.targets,
        loss=prepared.built.loss,
        metrics=prepared.config.train.metrics,
        batch_size=prepared.config.train.batch_size,
        seed=prepared.config.seed,
    )


def _progress_of(run: RunFolder, checkpoint: Checkpoint | None) -> Progress:
    """Where the run stands; lines of epochs after the checkpoint go, for they come again."""
    if checkpoint is None:
        write_epochs(run, ())
        return Progress()
    write_epochs(run, [row for row in read_epochs(run) if row.epoch <= checkpoint.epoch])
    return Progress(checkpoint.epoch, checkpoint.best, checkpoint.fit_seconds)


def _plan(run: RunFolder, prepared: Prepared, progress: Progress) -> Plan:
    train = prepared.config.train
    return Plan(
        run=str(run.path),
        training_images=len(prepared.splits.train),
        validation_images=len(prepared.splits.validation),
        test_images=len(prepared.splits.test),
        classes=len(prepared.manifest.classes),
        parameters=prepared.costs.parameters,
        epochs=plan_stages(prepared.config)[-1].last_epoch,
        first_epoch=progress.epoch + 1,
        batch_size=train.batch_size,
        steps_per_epoch=math.ceil(len(prepared.splits.train) / train.batch_size),
        monitor=prepared.monitor.name if prepared.monitor else None,
    )


def _result(
    prepared: Prepared, progress: Progress, tested: Evaluation | None, *, seconds: float
) -> RunResult:
    # The first epoch of a sitting also traces the step.
    steady = progress.training_seconds[1:] or progress.training_seconds or [math.nan]
    return RunResult(
        best_epoch=progress.best.epoch if progress.best else progress.epoch,
        epochs=progress.epoch,
        test=None if tested is None else {**tested.metrics, **tested.scores.as_json()},
        parameters=prepared.costs.parameters,
        trainable_parameters=prepared.costs.trainable_parameters,
        multiply_adds=prepared.costs.multiply_adds,
        seconds={"total": seconds, "fit": progress.fit_seconds},
        images_per_second=len(prepared.splits.train) / float(np.median(steady)),
        peak_memory_bytes=_peak_memory_bytes(),
    )


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def _write_beginning(run: RunFolder, prepared: Prepared) -> None:
    write_text(run.resolved_yaml, dump_config(prepared.config, relative_to=run.path))
    shutil.copyfile(prepared.config.source, run.config_yaml)
    write_json(run.classes_json, list(prepared.manifest.classes))
    write_json(
        run.environment_json,
        describe_environment(
            threads=prepared.config.train.threads or 1, data=prepared.images.fingerprint
        ),
    )


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


@contextmanager
def _recorded(run: RunFolder) -> Iterator[None]:
    """Keeps state.json true to what becomes of the work inside."""
    write_state(run, "running", why="")
    try:
        yield
    except CnnrunError as error:
        write_state(run, "failed", why=str(error))
        raise
    except KeyboardInterrupt as error:
        write_state(run, "interrupted", why="stopped by the user")
        # The resolved config, because it holds what `--set` changed.
        raise InterruptedRunError(
            f"interrupted; go on with `cnnrun train {shlex.quote(str(run.resolved_yaml))}"
            f" --into {shlex.quote(str(run.path))} --resume`"
        ) from error
