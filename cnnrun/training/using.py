"""A finished run at work: on its test images, on a folder of others, on single files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from cnnrun.config.load import load_config
from cnnrun.config.values import Config, KerasCall
from cnnrun.data.decode import decode_image
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Manifest
from cnnrun.data.sources import read_manifest
from cnnrun.errors import DataError, RunError
from cnnrun.models.saved import load_model
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder, require_files
from cnnrun.training.evaluation import Evaluation, evaluate
from cnnrun.training.resolution import use_threads
from cnnrun.training.stores import open_store, readable_splits
from cnnrun.training.targets import (
    class_probabilities,
    encode_labels,
    output_of,
    target_form,
)


@dataclass(frozen=True, eq=False)
class RunEvaluation:
    """A run's evaluation, the images that it was evaluated on, and those that were left out."""

    manifest: Manifest
    evaluation: Evaluation
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a run takes an image for: classes and their probabilities, the most probable first."""

    image: Path
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


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


def predict_images(run: RunFolder, images: Sequence[Path], *, top: int) -> tuple[Prediction, ...]:
    """The most probable classes of image files.

    Args:
        run: a run with a model.
        images: image files.
        top: how many classes are wanted for each.

    Raises:
        RunError: the run has no model.
        DataError: an image cannot be read.
        ModelFileError: the model cannot be used.
    """
    config = _config_of(run)
    classes = _classes_of(run)
    model = load_model(run.model_keras)
    output = output_of(model)
    batch_size = config.train.batch_size
    predictions = []
    for start in range(0, len(images), batch_size):
        files = images[start : start + batch_size]
        pixels = np.stack([_decode(file, config) for file in files])
        raw = model(tf.constant(pixels), training=False).numpy()
        for file, probabilities in zip(files, class_probabilities(raw, output), strict=True):
            best = np.argsort(-probabilities, kind="stable")[:top]
            predictions.append(
                Prediction(
                    image=file,
                    classes=tuple(classes[index] for index in best),
                    probabilities=tuple(float(probabilities[index]) for index in best),
                )
            )
    return tuple(predictions)


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


def _decode(file: Path, config: Config) -> np.ndarray:
    size, mode = config.data.image_size, config.data.color_mode
    if size is None or mode is None:
        raise DataError(f"{config.source} names no image_size or color_mode: files do not fit it")
    return decode_image(
        file,
        image_size=size,
        color_mode=mode,
        interpolation=config.data.resize.interpolation,
        keep_aspect=config.data.resize.keep_aspect,
    )
