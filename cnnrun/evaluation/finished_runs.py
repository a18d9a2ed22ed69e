"""A finished run at work again: on its test images, or on a folder of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnrun.assembly.automatic_choices import use_threads
from cnnrun.assembly.image_stores import open_rows, open_store, readable_splits
from cnnrun.assembly.targets import (
    encode_labels,
    output_of,
    target_form,
)
from cnnrun.calibration.calibration_file import require_calibration
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.images import Rows
from cnnrun.data.manifest import TRAIN, Manifest
from cnnrun.data.new_images import read_new_images, rows_to_measure, seen_in_training
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.errors import DataError, RunError
from cnnrun.evaluation.baselines import Baselines, run_baselines
from cnnrun.evaluation.calibrated import as_calibrated, carried_over, read_map
from cnnrun.evaluation.evaluate import Evaluated, Examination, Judge, Judged, score
from cnnrun.evaluation.views import Look, averaged, views_of
from cnnrun.models.saved import load_model
from cnnrun.runs.data_states import images_of
from cnnrun.runs.files import RESTORE, read_json
from cnnrun.runs.folder import RunFolder, require_files
from cnnrun.runs.made_by import load_resolved
from cnnrun.runs.thresholds import read_thresholds


@dataclass(frozen=True, eq=False)
class RunEvaluation:
    """A run's evaluation.

    Attributes:
        manifest: the images that it was evaluated on, among others perhaps.
        evaluation: what came of it.
        skipped: (path, reason) of each image left out.
        notes: what a person should know about which images these are.
        seen: how many of them the run was trained on, byte for byte; None where these are the run's
            own test images, or where its training images are not there any more.
        baselines: what other than a network reaches on them; None where that was not asked.
        averaged: which views of each image the predictions are means over, in words; "" for the
            image alone.
    """

    manifest: Manifest
    evaluation: Evaluated
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    seen: int | None
    baselines: Baselines | None = None
    averaged: str = ""


def evaluate_run(
    run: RunFolder,
    *,
    data: Path | None,
    calibrated: bool = False,
    baselines: bool = False,
    augment: Sequence[str] = (),
) -> RunEvaluation:
    """Evaluate a run's model.

    Args:
        run: a run with a model.
        data: a folder, a CSV file or an .npz file of images of the run's classes; where it has
            splits, its test images are evaluated, and else all. None for the run's own test images.
        calibrated: whether its probabilities are those of `cnnrun calibrate`.
        baselines: whether to say what other than a network reaches.
        augment: the ways of augmenting over whose views predictions are averaged.

    Raises:
        RunError: the run has no model, no test images, no calibration, or, for baselines, no
            training images any more.
        DataError: the images cannot be used.
        ModelFileError: the model cannot be used.
    """
    config = open_config(run)
    if calibrated:
        require_calibration(run)
    notes: tuple[str, ...] = ()
    seen = None
    if data is None:
        manifest = read_manifest(config.data)
    else:
        manifest = read_new_images(data, config.data, classes=_classes_of(run))
    model = load_model(run.model_keras)
    if data is None:
        store = open_store(config.data, manifest, cache_folder=run.path)
        rows = readable_splits(config.data, manifest, store).test
    else:
        chosen, note = rows_to_measure(data, manifest)
        notes = (*manifest.notes, *([note] if note else []))
        store = open_rows(config.data, manifest, chosen, cache_folder=run.path)
        rows = store.rows
        seen = _seen(run, config, manifest, rows)
    if not len(rows):
        raise RunError.at(
            run.path,
            rule="a run that is evaluated must have test images, or be given some",
            received="none, as data.split.test is 0",
            advice="name images with --data",
        )
    loss = loss_of(config)
    output = output_of(model, loss, is_multi_label=config.data.is_multi_label)
    applied = read_map(run, output) if calibrated else None
    judge = Judge(loss=loss, metrics=config.train.metrics, output=output)
    targets = encode_labels(
        manifest.labels, form=target_form(loss, output), classes=len(manifest.classes)
    )
    examination = Examination(model, judge, store=store, targets=targets)
    views = views_of(augment, image_size=store.shape[:2])

    def seen_as(look: Look) -> Judged:
        found = examination.of(rows, batch_size=config.train.batch_size, look=look)
        if applied is None:
            return found
        return as_calibrated(found, applied, judge=judge, targets=targets[rows])

    found, *others = [seen_as(look) for look in views.looks]
    if others:
        found = averaged([found, *others], judge=judge, targets=targets[rows])
    evaluation = score(
        found,
        output=output,
        rows=rows,
        labels=manifest.labels,
        seed=config.seed,
        thresholds=carried_over(np.array(read_thresholds(run, manifest.classes)), applied)
        if output.is_multi_label
        else None,
    )
    reached = None
    if baselines:
        own = manifest if data is None else read_manifest(config.data)
        reached = run_baselines(
            run, config, own, lambda some: store.read(rows[some]), manifest.labels[rows]
        )
    said = views.sentence if others else ""
    return RunEvaluation(manifest, evaluation, store.skipped, notes, seen, reached, said)


def _seen(run: RunFolder, config: Config, manifest: Manifest, rows: Rows) -> int | None:
    """How many of the images the run was trained on, as it recorded them itself."""
    try:
        recorded = images_of(run)
    except RunError:
        recorded = None
    if recorded is not None:
        trained = {image.content for image in recorded if image.split == TRAIN} - {""}
        contents = content_hashes(manifest, notes_folder=None)
        return sum(contents[row] in trained for row in rows.tolist())
    try:
        own = read_manifest(config.data)
        splits = cut_splits(own, config.data)
    except DataError:
        return None
    return seen_in_training(manifest, rows, own, splits.train)


def open_config(run: RunFolder) -> Config:
    """The config of a run that has a model; this process computes with as many threads as it did.

    Raises:
        RunError: the run has no model, or another version made it, whose config cannot be read.
    """
    require_files(run, run.resolved_yaml, run.classes_json, run.model_keras)
    config = load_resolved(run)
    use_threads(config.train.threads or 1)
    return config


def _classes_of(run: RunFolder) -> tuple[str, ...]:
    return tuple(read_json(run.classes_json))


def loss_of(config: Config) -> KerasCall:
    """The loss that a run was trained with.

    Raises:
        RunError: its config does not name one.
    """
    if config.train.loss is None:
        raise RunError.at(
            config.source,
            rule="must name train.loss, as every resolved config does",
            received="none",
            advice=RESTORE,
        )
    return config.train.loss
