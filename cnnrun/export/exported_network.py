"""An exported network at work: on images that a user names, or on labelled ones."""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from cnnrun.assembly.image_stores import open_rows
from cnnrun.assembly.targets import Output
from cnnrun.config.data_section import DataSpec, ResizeSpec
from cnnrun.data.decode import decode_image
from cnnrun.data.new_images import read_new_images, rows_to_measure
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.errors import DataError, ExportError
from cnnrun.evaluation.evaluate import Evaluated, Evaluation, LabelEvaluation
from cnnrun.evaluation.finished_runs import RunEvaluation
from cnnrun.evaluation.prediction import BATCH_SIZE, Classifier, NamedClass
from cnnrun.export.folder import EXPORT, Exported
from cnnrun.export.networks import open_network
from cnnrun.export.scoring import label_scores_of, scores_of
from cnnrun.runs.folder import RunFolder, looks_like_run
from cnnrun.runs.made_by import load_resolved


def exported_classifier(exported: Exported) -> Classifier:
    """The network of an exported folder, run by its own runtime.

    Raises:
        ExportError: its file is no such network.
        DataError: it takes arrays, which no file fits.
    """
    if exported.rule.of_arrays:
        raise DataError.at(
            exported.folder.path,
            rule="a network that predicts files must have been trained on files",
            received="one for arrays",
            advice="its predict.py takes .npy files; `cnnrun evaluate --data` takes .npz files",
        )
    infer = open_network(exported.form, exported.network, threads=None)
    return Classifier(
        model=None,
        infer=lambda pixels: infer(pixels.astype(np.float32)),
        output=Output(
            len(exported.classes), "probabilities", is_multi_label=exported.thresholds is not None
        ),
        classes=tuple(map(NamedClass, exported.classes)),
        decode=partial(decode_image, decoding=exported.rule.decoding),
        decoding=exported.rule.decoding,
        batch_size=BATCH_SIZE,
        is_float32=True,
        notes=(),
        thresholds=exported.thresholds,
    )


def evaluate_exported(exported: Exported, *, data: Path | None) -> RunEvaluation:
    """Evaluate an exported network; its loss is the cross-entropy of its probabilities.

    Args:
        exported: the folder.
        data: a folder, a CSV file or an .npz file of images of its classes; where it has splits,
            its test images are evaluated, and else all. None for the test images of the run that
            the folder stands beside.

    Raises:
        ExportError: its file is no such network; or it stands beside no run, and no images are
            given.
        DataError: the images cannot be used.
    """
    spec = _run_beside(exported) or _data_spec(exported)
    notes: tuple[str, ...] = ()
    if data is None:
        manifest = read_manifest(_of_run(exported, spec))
        rows = cut_splits(manifest, spec).test
    else:
        manifest = read_new_images(data, spec, classes=exported.classes)
        rows, note = rows_to_measure(data, manifest)
        notes = (*manifest.notes, *([note] if note else []))
    if not len(rows):
        raise _no_images(exported, "a run without test images")
    infer = open_network(exported.form, exported.network, threads=None)
    store = open_rows(spec, manifest, rows, cache_folder=Path(tempfile.gettempdir()))
    rows = np.intersect1d(rows, store.rows)
    probabilities = np.concatenate(
        [
            infer(store.read(rows[start : start + BATCH_SIZE]).astype(np.float32))
            for start in range(0, len(rows), BATCH_SIZE)
        ]
    ).astype(np.float64)
    evaluation = _scored(exported, rows, probabilities, manifest.labels[rows])
    return RunEvaluation(manifest, evaluation, store.skipped, notes, seen=None)


def _scored(
    exported: Exported, rows: np.ndarray, probabilities: np.ndarray, labels: np.ndarray
) -> Evaluated:
    if exported.thresholds is None:
        scores = scores_of(probabilities, labels, seed=0)
        return Evaluation(rows, probabilities, scores, metrics={})
    thresholds = np.array(exported.thresholds)
    of_labels = label_scores_of(probabilities, labels, thresholds=thresholds, seed=0)
    return LabelEvaluation(rows, probabilities, of_labels, metrics={})


def _run_beside(exported: Exported) -> DataSpec | None:
    """The `data` section of the run in whose folder an export stands; None for one elsewhere."""
    parent = exported.folder.path.absolute().parent
    run = RunFolder(parent.parent)
    if parent.name != EXPORT or not looks_like_run(run.path) or not run.resolved_yaml.exists():
        return None
    return load_resolved(run).data


def _data_spec(exported: Exported) -> DataSpec:
    """How new images become pixels, where nothing but the folder says it."""
    decoding = exported.rule.decoding
    values: Mapping[str, Any] = {
        "image_size": decoding.image_size,
        "color_mode": decoding.color_mode,
        "resize": ResizeSpec(
            interpolation=cast("Any", decoding.interpolation),
            keep_aspect=decoding.keep_aspect,
            shrink_on_load=decoding.shrink_on_load,
        ),
        "value_range": decoding.value_range,
        "bands": decoding.bands,
        "megapixels_at_most": decoding.megapixels_at_most,
        "task": "single_label" if exported.thresholds is None else "multi_label",
    }
    return DataSpec(**values)


def _of_run(exported: Exported, spec: DataSpec) -> DataSpec:
    if spec == _data_spec(exported):
        raise _no_images(exported, "none, and no run that the folder stands beside")
    return spec


def _no_images(exported: Exported, received: str) -> ExportError:
    return ExportError.at(
        exported.folder.path,
        rule="an exported network that is evaluated must be given images",
        received=received,
        advice="name images with --data",
    )
