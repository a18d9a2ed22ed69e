"""What a run's folder says of the work: its state, its beginning, what it came to."""

import math
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from cnnrun.assembly.preparing import Prepared
from cnnrun.assembly.recorded_images import record_images_of
from cnnrun.assembly.stages import plan_stages
from cnnrun.config.composition import files_of
from cnnrun.config.dump import dump_config
from cnnrun.errors import CnnrunError, InterruptedRunError, StorageError
from cnnrun.evaluation.class_frequencies import baseline_accuracies, mean_prevalence
from cnnrun.evaluation.evaluate import Evaluated, LabelEvaluation
from cnnrun.runs.disk_room import require_room
from cnnrun.runs.environment import describe_environment, peak_memory_bytes
from cnnrun.runs.events import TrainingBegins
from cnnrun.runs.files import write_bytes, write_json, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import RunResult, write_result
from cnnrun.runs.state import write_state
from cnnrun.training.checkpoints import CHECKPOINTS_KEPT
from cnnrun.training.sitting import Sitting


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
        with suppress(StorageError):  # what failed first is what is told
            write_state(run, "failed", why=str(error))
        raise
    except KeyboardInterrupt as error:
        with suppress(StorageError):
            write_state(run, "interrupted", why="stopped by the user")
        # The resolved config, because it holds what `--set` changed.
        raise InterruptedRunError.at(
            "",
            rule="interrupted",
            received="",
            advice=f"go on with `cnnrun train {shlex.quote(str(run.resolved_yaml))}"
            f" --into {shlex.quote(str(run.path))} --resume`",
        ) from error


def environment_of(prepared: Prepared, *, with_git: bool) -> dict[str, Any]:
    """What the run is made with; the images are hashed for it.

    Args:
        prepared: the run.
        with_git: whether git is asked what has changed in its config and in cnnrun.
    """
    return describe_environment(
        threads=prepared.config.train.threads or 1,
        data=prepared.images.fingerprint,
        configs=files_of(prepared.config.source) if with_git else None,
    )


def write_beginning(run: RunFolder, prepared: Prepared, environment: Mapping[str, Any]) -> None:
    """Write what is known before the first epoch: configs, classes, environment.

    Args:
        run: the run.
        prepared: what is about to be trained.
        environment: what `environment_of` gave, so that nothing here takes time.

    Raises:
        StorageError: there is no room for what the run is going to write.
    """
    # Weights in float32: those of the model, and in each checkpoint the present and the best ones
    # and an optimizer's two averages. One checkpoint is written before an old one goes.
    copies = 1 + 4 * (CHECKPOINTS_KEPT + 1)
    needed = 4 * copies * prepared.costs.parameters
    require_room(run.path, needed, what="the model and the checkpoints of the run")
    write_text(run.resolved_yaml, dump_config(prepared.config, relative_to=run.path))
    write_bytes(run.config_yaml, prepared.config.source.read_bytes())
    write_json(run.classes_json, list(prepared.manifest.classes))
    described = {**environment, "data": record_images_of(run, prepared)}
    write_json(run.environment_json, described)


def training_begins(prepared: Prepared, sitting: Sitting) -> TrainingBegins:
    """What a run is about to do, from where it stands."""
    train = prepared.config.train
    return TrainingBegins(
        run=str(sitting.run.path),
        training_images=len(prepared.splits.train),
        validation_images=len(prepared.splits.validation),
        test_images=len(prepared.splits.test),
        classes=len(prepared.manifest.classes),
        parameters=prepared.costs.parameters,
        epochs=plan_stages(prepared.config)[-1].last_epoch,
        first_epoch=sitting.progress.epoch + 1,
        batch_size=train.batch_size,
        steps_per_epoch=math.ceil(len(prepared.splits.train) / train.batch_size),
        monitor=prepared.monitor.name if prepared.monitor else None,
        noun="labels" if prepared.manifest.is_multi_label else "classes",
    )


def write_result_of(prepared: Prepared, sitting: Sitting, tested: Evaluated | None) -> RunResult:
    """Write result.json: what the run came to.

    Args:
        prepared: the run.
        sitting: the sitting that finished it.
        tested: what the network made of the test images; None without any.
    """
    progress, model = sitting.progress, prepared.built.network.model
    # The first epoch of a sitting also traces the step.
    steady = progress.training_seconds[1:] or progress.training_seconds or [math.nan]
    result = RunResult(
        best_epoch=progress.best.epoch if progress.best else progress.epoch,
        epochs=progress.epoch,
        test=None if tested is None else _tested(prepared, tested),
        parameters=prepared.costs.parameters,
        trainable_parameters=sum(math.prod(weight.shape) for weight in model.trainable_weights),
        multiply_adds=prepared.costs.multiply_adds,
        seconds={"total": sitting.seconds, "fit": progress.fit_seconds},
        images_per_second=len(prepared.splits.train) / float(np.median(steady)),
        peak_memory_bytes=peak_memory_bytes(),
        baselines={} if tested is None else _baselines(prepared),
    )
    write_result(sitting.run, result)
    return result


def _tested(prepared: Prepared, tested: Evaluated) -> dict[str, Any]:
    test = {**tested.metrics, **tested.scores.as_json()}
    if isinstance(tested, LabelEvaluation):
        test["labels"] = tested.scores.classes_as_json(prepared.manifest.classes)
    return test


def _baselines(prepared: Prepared) -> dict[str, float]:
    labels, splits = prepared.manifest.labels, prepared.splits
    if prepared.manifest.is_multi_label:
        return {"prevalence": mean_prevalence(labels[splits.test])}
    classes = len(prepared.manifest.classes)
    return baseline_accuracies(labels[splits.train], labels[splits.test], classes)
