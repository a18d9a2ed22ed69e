"""The straight line from a run to a folder to hand over, with a network that was tried."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.automatic_choices import use_threads
from cnnrun.assembly.image_stores import open_rows
from cnnrun.assembly.targets import output_of
from cnnrun.config.sections import Config
from cnnrun.data.images import ImageStore
from cnnrun.data.manifest import TEST, VALIDATION, Manifest
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import Splits
from cnnrun.errors import ExportError, RunError
from cnnrun.evaluation.calibrated import carried_over, probabilities_of, read_map
from cnnrun.evaluation.label_scores import LabelScores
from cnnrun.evaluation.recorded_rows import recorded_rows
from cnnrun.evaluation.scores import Scores
from cnnrun.export.folder import EXPORT, ExportFolder, network_bytes, network_hash, whole_folder
from cnnrun.export.formats import OPSET, Format, Precision, refuse_too_many_parameters
from cnnrun.export.gate import Agreement, LabelAgreement, agreement, label_agreement
from cnnrun.export.image_rule import ImageRule, rule_of
from cnnrun.export.memory import refuse_too_little_memory
from cnnrun.export.model_card import model_card
from cnnrun.export.networks import module_of, open_network
from cnnrun.export.predict_script import predict_script
from cnnrun.export.report import ExportReport
from cnnrun.export.scoring import label_scores_of, scores_of
from cnnrun.export.speeds import Speed, measured_speeds
from cnnrun.export.tracing import Classifying, compiled, float32_twin
from cnnrun.models.saved import load_model
from cnnrun.runs.data_states import SPLITS
from cnnrun.runs.files import json_text, read_json, write_json, write_text
from cnnrun.runs.folder import RunFolder, require_files
from cnnrun.runs.made_by import load_resolved
from cnnrun.runs.result import read_result
from cnnrun.runs.thresholds import read_thresholds

Pixels = NDArray[np.float32]
Floats = NDArray[np.float64]
Labels = NDArray[np.int32]

CALIBRATION_IMAGES: Final = 256
"""How many training images int8 learns from which values occur."""
_BATCH: Final = 32


@final
@dataclass(frozen=True)
class Wanted:
    """What a run is exported as.

    Attributes:
        form: the format.
        precision: of the network's file.
        opset: of ONNX's operations; None for the usual one.
        calibrated: whether the run's calibration becomes the last layer.
        min_agreement: the least share of images for which both networks name the same class, or say
            any one label alike.
    """

    form: Format
    precision: Precision
    opset: int | None
    calibrated: bool
    min_agreement: float


@final
@dataclass(frozen=True)
class ExportedRun:
    """A folder to hand over, and what there is to say of it."""

    folder: Path
    report: ExportReport
    notes: tuple[str, ...]


Waiting = Callable[[str], AbstractContextManager[None]]
"""Says what is going on while a block works."""


def default_folder(run: RunFolder, wanted: Wanted) -> Path:
    """The folder beside a run's other files, one a format and precision."""
    precision = "" if wanted.precision == "float32" else f"-{wanted.precision}"
    return run.path / EXPORT / f"{wanted.form.name}{precision}"


def export_run(run: RunFolder, wanted: Wanted, *, out: Path, waiting: Waiting) -> ExportedRun:
    """Export a run's network, try the file, and write what goes with it.

    Args:
        run: a run with a model.
        wanted: as what.
        out: the new folder, which may hold an earlier export.
        waiting: is told what takes long.

    Raises:
        RunError: the run lacks files.
        ExportError: it cannot be exported so; or `out` holds something else.
        DataError: its images cannot be used.
        StorageError: the folder cannot be written.
        WorkError: the memory is too small, or a process that measures was ended.
    """
    require_files(run, run.resolved_yaml, run.classes_json, run.model_keras)
    config = load_resolved(run)
    use_threads(config.train.threads or 1)
    trained = load_model(run.model_keras)
    network = _classifying(run, trained, config, wanted)
    thresholds = _thresholds(run, network)
    refuse_too_many_parameters(wanted.form, network.parameters)
    refuse_too_little_memory(wanted.form, network.parameters)
    rule = rule_of(config.data, pixel_shape=network.pixel_shape)
    with waiting("looking at the images"):
        tried = _tried_images(run, config)
    with whole_folder(out) as folder:
        file = folder.path / f"{wanted.form.file}{wanted.form.suffix}"
        with waiting(f"writing {wanted.form.name}"):
            _write(network, file, wanted, rule=rule, tried=tried, thresholds=thresholds)
        with waiting("comparing it with the Keras network"):
            probabilities = _run_file(wanted.form, file, tried)
            expected = tried.through(compiled(network.model), network)
            found = _agreement(probabilities, expected, tried, thresholds)
            trained_top1 = _top1_as_trained(trained, network, tried, expected, thresholds)
        with waiting("measuring how fast both are"):
            speeds = measured_speeds(wanted.form.name, file, network.pixel_shape)
            keras_speeds = measured_speeds("keras", run.path, network.pixel_shape)
        if found.decisive < wanted.min_agreement:
            file = file.rename(file.with_name(_name_of_failed(wanted)))
        report = _report(
            run,
            config,
            wanted,
            network=network,
            tried=tried,
            file=file,
            found=found,
            trained_top1=trained_top1,
            speeds=speeds,
            keras_speeds=keras_speeds,
        )
        _write_texts(folder, report, run, config, wanted, rule, tried, probabilities, thresholds)
    return ExportedRun(out, report, tried.notes)


def _classifying(run: RunFolder, trained: Any, config: Config, wanted: Wanted) -> Classifying:
    output = output_of(trained, config.train.loss, is_multi_label=config.data.is_multi_label)
    calibration = read_map(run, output) if wanted.calibrated else None
    network = Classifying(float32_twin(trained), output, calibration)
    if len(network.model.inputs) != 1 or None in network.pixel_shape:
        raise ExportError.at(
            run.model_keras,
            rule="a network that is exported must take images of one size",
            received=f"{len(network.model.inputs)} inputs of {network.model.input_shape}",
            advice="train it with data.image_size",
        )
    return network


def _thresholds(run: RunFolder, network: Classifying) -> Floats | None:
    """The thresholds of the labels' probabilities that the file gives; None of classes."""
    if not network.output.is_multi_label:
        return None
    own = np.array(read_thresholds(run, read_json(run.classes_json)))
    return carried_over(own, network.calibration)


@final
@dataclass(frozen=True, eq=False)
class TriedImages:
    """The images of a run that a network is tried on, and those from which int8 learns.

    Attributes:
        manifest: all of the run's images.
        splits: which of them train, validate and test.
        store: the pixels of those below.
        rows: those that it is tried on, `(images,)`.
        split: whose they are, "test" or "validation".
        calibration_rows: some training images.
        notes: what a person should know about them, a sentence each.
    """

    manifest: Manifest
    splits: Splits
    store: ImageStore
    rows: NDArray[np.int64]
    split: str
    calibration_rows: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def labels(self) -> Labels:
        """The true class numbers, `(images,)`, or what is true of each label."""
        return self.manifest.labels[self.rows]

    def batches(self) -> Iterator[Pixels]:
        """The images that it is tried on, `(images, height, width, channels)` each."""
        for start in range(0, len(self.rows), _BATCH):
            yield self.store.read(self.rows[start : start + _BATCH]).astype(np.float32)

    def calibration_images(self) -> Iterator[Pixels]:
        """The images from which int8 learns, one a batch."""
        for row in self.calibration_rows:
            yield self.store.read(np.array([row])).astype(np.float32)

    def through(self, infer: Callable[[Pixels], Any], network: Classifying) -> Floats:
        """The probabilities that a Keras network gives, `(images, classes)`."""
        predictions = np.concatenate([infer(batch) for batch in self.batches()])
        return probabilities_of(predictions, network.output, network.calibration)


def _tried_images(run: RunFolder, config: Config) -> TriedImages:
    manifest = read_manifest(config.data)
    recorded = recorded_rows(run, config, manifest)
    splits = recorded.splits
    split = TEST if len(splits.test) else VALIDATION
    rows = splits.test if len(splits.test) else splits.validation
    if not len(rows):
        raise RunError.at(
            run.path,
            rule="a run that is exported must have images to try the file on",
            received="no test and no validation images that are as they were",
            advice="restore its images, or train it with data.split.test above 0",
        )
    # By the hash of their paths: the same ones each time, and from all classes.
    training = splits.train[np.argsort(manifest.ids[splits.train])][:CALIBRATION_IMAGES]
    store = open_rows(config.data, manifest, np.union1d(rows, training), cache_folder=run.path)
    return TriedImages(
        manifest=manifest,
        splits=splits,
        store=store,
        rows=np.intersect1d(rows, store.rows),
        split=split,
        calibration_rows=training[np.isin(training, store.rows)],
        notes=recorded.notes(*SPLITS),
    )


def _write(
    network: Classifying,
    file: Path,
    wanted: Wanted,
    *,
    rule: ImageRule,
    tried: TriedImages,
    thresholds: Floats | None,
) -> None:
    metadata = {
        "classes": json_text(list(tried.manifest.classes), indent=None),
        "preprocessing": json_text(rule.as_json(), indent=None),
    }
    if thresholds is not None:
        by_name = dict(zip(tried.manifest.classes, thresholds.tolist(), strict=True))
        metadata["thresholds"] = json_text(by_name, indent=None)
    module_of(wanted.form).write_network(
        network,
        file,
        precision=wanted.precision,
        opset=wanted.opset,
        images=tried.calibration_images,
        metadata=metadata,
    )


def _run_file(form: Format, file: Path, tried: TriedImages) -> Floats:
    """What the file itself gives for the images, run by its own runtime."""
    infer = open_network(form, file, threads=None)
    return np.concatenate([infer(batch) for batch in tried.batches()]).astype(np.float64)


def _agreement(
    probabilities: Floats, expected: Floats, tried: TriedImages, thresholds: Floats | None
) -> Agreement | LabelAgreement:
    if thresholds is None:
        return agreement(probabilities, expected, tried.labels, split=tried.split)
    return label_agreement(
        probabilities,
        expected,
        tried.labels,
        thresholds=thresholds,
        names=tried.manifest.classes,
        split=tried.split,
    )


def _top1_as_trained(
    trained: Any,
    network: Classifying,
    tried: TriedImages,
    expected: Floats,
    thresholds: Floats | None,
) -> float | None:
    """The share of images for which 16 bits name the same class, or the same labels, as float32."""
    if trained is network.model:
        return None
    found = tried.through(compiled(trained), network)
    if thresholds is not None:
        is_alike = (found >= thresholds) == (expected >= thresholds)
        return float(is_alike.all(axis=1).mean())
    return float((found.argmax(axis=1) == expected.argmax(axis=1)).mean())


def _name_of_failed(wanted: Wanted) -> str:
    return f"{wanted.form.file}.agrees-below-{wanted.min_agreement:g}{wanted.form.suffix}"


def _report(
    run: RunFolder,
    config: Config,
    wanted: Wanted,
    *,
    network: Classifying,
    tried: TriedImages,
    file: Path,
    found: Agreement | LabelAgreement,
    trained_top1: float | None,
    speeds: tuple[Speed, ...],
    keras_speeds: tuple[Speed, ...],
) -> ExportReport:
    return ExportReport(
        name=run.path.resolve().name,
        data_name=_data_name(config, tried.manifest),
        format=wanted.form.name,
        precision=wanted.precision,
        opset=(wanted.opset or OPSET) if wanted.form.name == "onnx" else None,
        calibrated=wanted.calibrated,
        file=file.name,
        hash=network_hash(file),
        bytes=network_bytes(file),
        keras_bytes=network_bytes(run.model_keras),
        parameters=network.parameters,
        task=config.data.task or "single_label",
        classes=network.output.classes,
        agreement=found,
        min_agreement=wanted.min_agreement,
        trained_in=config.train.precision,
        trained_top1=trained_top1,
        speeds=speeds,
        keras_speeds=keras_speeds,
    )


def _data_name(config: Config, manifest: Manifest) -> str:
    """What the images are called; no path of this machine's."""
    data = config.data
    if data.keras_dataset is not None:
        return data.keras_dataset
    if data.arrays is not None:
        return data.arrays.file.name
    return manifest.root.name if manifest.root is not None else "images"


def _write_texts(
    folder: ExportFolder,
    report: ExportReport,
    run: RunFolder,
    config: Config,
    wanted: Wanted,
    rule: ImageRule,
    tried: TriedImages,
    probabilities: Floats,
    thresholds: Floats | None,
) -> None:
    classes = tried.manifest.classes
    write_json(folder.classes_json, list(classes))
    write_json(folder.preprocessing_json, rule.as_json())
    is_multi_label = thresholds is not None
    script = predict_script(wanted.form, report.file, rule, is_multi_label=is_multi_label)
    write_text(folder.predict_py, script)
    scores: Scores | LabelScores
    if thresholds is None:
        scores = scores_of(probabilities, tried.labels, seed=config.seed)
    else:
        by_name = dict(zip(classes, thresholds.tolist(), strict=True))
        write_json(folder.thresholds_json, by_name)
        scores = label_scores_of(
            probabilities, tried.labels, thresholds=thresholds, seed=config.seed
        )
    card = model_card(
        report,
        form=wanted.form,
        config=config,
        rule=rule,
        classes=classes,
        images=tried.splits.counts(tried.manifest),
        totals={name: len(rows) for name, rows in tried.splits.by_name.items()},
        scores=scores,
        best_epoch=read_result(run).best_epoch if run.result_json.exists() else None,
    )
    write_text(folder.readme_md, card)
    hashes = folder.hashes(is_multi_label=is_multi_label)
    write_json(folder.export_json, report.as_json() | {"hashes": hashes})
