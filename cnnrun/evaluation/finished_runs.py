"""A finished run at work again: on its test images, or on a folder of others."""

from dataclasses import dataclass
from pathlib import Path

from cnnrun.assembly.automatic_choices import use_threads
from cnnrun.assembly.image_stores import open_store, readable_splits
from cnnrun.assembly.targets import (
    encode_labels,
    output_of,
    target_form,
)
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Manifest
from cnnrun.data.sources import read_manifest
from cnnrun.errors import RunError
from cnnrun.evaluation.evaluate import Evaluation, evaluate
from cnnrun.models.saved import load_model
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder, require_files


@dataclass(frozen=True, eq=False)
class RunEvaluation:
    """A run's evaluation, the images that it was evaluated on, and those that were left out."""

    manifest: Manifest
    evaluation: Evaluation
    skipped: tuple[tuple[str, str], ...]


def evaluate_run(run: RunFolder, *, data_directory: Path | None) -> RunEvaluation:
    """Evaluate a run's model.

    Args:
        run: a run with a model.
        data_directory: a folder of class folders, whose names are the run's; all its images are
            evaluated. None for the run's own test images.

    Raises:
        RunError: the run has no model, or no test images.
        DataError: the images cannot be used.
        ModelFileError: the model cannot be used.
    """
    config = _config_of(run)
    if data_directory is None:
        manifest = read_manifest(config.data)
    else:
        manifest = manifest_from_directory(data_directory, classes=_classes_of(run), partial=True)
    model = load_model(run.model_keras)
    store = open_store(config.data, manifest, cache_folder=run.path)
    rows = store.rows if data_directory else readable_splits(config.data, manifest, store).test
    if not len(rows):
        raise RunError(
            f"{run.path} was trained without test images (data.split.test is 0); name images with"
            " --data"
        )
    output, loss = output_of(model), _loss_of(config)
    evaluation = evaluate(
        model,
        output=output,
        store=store,
        rows=rows,
        labels=manifest.labels,
        targets=encode_labels(
            manifest.labels, form=target_form(loss, output), classes=len(manifest.classes)
        ),
        loss=loss,
        metrics=config.train.metrics,
        batch_size=config.train.batch_size,
        seed=config.seed,
    )
    return RunEvaluation(manifest, evaluation, store.skipped)


def _config_of(run: RunFolder) -> Config:
    require_files(run, run.resolved_yaml, run.classes_json, run.model_keras)
    config = load_config(run.resolved_yaml)
    use_threads(config.train.threads or 1)
    return config


def _classes_of(run: RunFolder) -> tuple[str, ...]:
    return tuple(read_json(run.classes_json))


def _loss_of(config: Config) -> KerasCall:
    if config.train.loss is None:
        raise RunError(f"{config.source} must name train.loss, as every resolved config does")
    return config.train.loss
