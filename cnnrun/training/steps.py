"""The steps of a run, in the order in which `train` and a study's cells take them."""

import math
import resource
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from cnnrun.assembly.compiling import CompileModel
from cnnrun.assembly.preparing import Prepared
from cnnrun.assembly.stages import plan_stages
from cnnrun.config.dump import dump_config
from cnnrun.errors import CnnrunError, InterruptedRunError
from cnnrun.evaluation.evaluate import Evaluation, evaluate
from cnnrun.runs.environment import describe_environment
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listeners import Plan, Reporter
from cnnrun.runs.metrics import read_epochs, write_epochs
from cnnrun.runs.result import RunResult
from cnnrun.runs.state import write_state
from cnnrun.training.batches import batches_of
from cnnrun.training.callbacks import Progress
from cnnrun.training.checkpoints import Checkpoint
from cnnrun.training.fitting import fit_stages


@contextmanager
def recorded(run: RunFolder) -> Iterator[None]:
    """Keeps state.json true to what becomes of the work inside.

    Raises:
        InterruptedRunError: Ctrl-C; it says how to go on.
    """
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


def write_beginning(run: RunFolder, prepared: Prepared) -> None:
    """Write what is known before the first epoch: configs, classes, environment."""
    write_text(run.resolved_yaml, dump_config(prepared.config, relative_to=run.path))
    shutil.copyfile(prepared.config.source, run.config_yaml)
    write_json(run.classes_json, list(prepared.manifest.classes))
    write_json(
        run.environment_json,
        describe_environment(
            threads=prepared.config.train.threads or 1, data=prepared.images.fingerprint
        ),
    )


def progress_of(run: RunFolder, checkpoint: Checkpoint | None) -> Progress:
    """Where the run stands; lines of epochs after the checkpoint go, for they come again."""
    if checkpoint is None:
        write_epochs(run, ())
        return Progress()
    write_epochs(run, [row for row in read_epochs(run) if row.epoch <= checkpoint.epoch])
    return Progress(checkpoint.epoch, checkpoint.best, checkpoint.fit_seconds)


def plan_of(run: RunFolder, prepared: Prepared, progress: Progress) -> Plan:
    """What the run is about to do, from where it stands."""
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


def fit(
    run: RunFolder,
    prepared: Prepared,
    *,
    compile_model: CompileModel,
    observers: Sequence[keras.callbacks.Callback],
    checkpoint: Checkpoint | None,
    progress: Progress,
    reporter: Reporter,
) -> None:
    """Train the network through all stages; see `fit_stages`."""
    with prepared.feed.naming_failures():
        fit_stages(
            prepared.built.network,
            prepared.config,
            loss=prepared.built.loss,
            stages=plan_stages(prepared.config),
            batches_of=lambda stage: batches_of(
                stage, prepared, progress=progress, reporter=reporter
            ),
            compile_model=compile_model,
            observers=observers,
            monitor=prepared.monitor,
            checkpoint=checkpoint,
            progress=progress,
            run=run,
            reporter=reporter,
        )


def evaluate_test_images(prepared: Prepared) -> Evaluation | None:
    """What the network makes of the test images; None when there are none."""
    if not len(prepared.splits.test):
        return None
    return evaluate(
        prepared.built.network.model,
        output=prepared.built.output,
        store=prepared.images.store,
        rows=prepared.splits.test,
        labels=prepared.manifest.labels,
        targets=prepared.feed.targets,
        loss=prepared.built.loss,
        metrics=prepared.config.train.metrics,
        batch_size=prepared.config.train.batch_size,
        seed=prepared.config.seed,
    )


def result_of(
    prepared: Prepared, progress: Progress, tested: Evaluation | None, *, seconds: float
) -> RunResult:
    """What the run came to, after `seconds` of wall time."""
    # The first epoch of a sitting also traces the step.
    model = prepared.built.network.model
    steady = progress.training_seconds[1:] or progress.training_seconds or [math.nan]
    return RunResult(
        best_epoch=progress.best.epoch if progress.best else progress.epoch,
        epochs=progress.epoch,
        test=None if tested is None else {**tested.metrics, **tested.scores.as_json()},
        parameters=prepared.costs.parameters,
        trainable_parameters=sum(math.prod(weight.shape) for weight in model.trainable_weights),
        multiply_adds=prepared.costs.multiply_adds,
        seconds={"total": seconds, "fit": progress.fit_seconds},
        images_per_second=len(prepared.splits.train) / float(np.median(steady)),
        peak_memory_bytes=_peak_memory_bytes(),
    )


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB
