"""README.md of an exported folder: a model card, whose first lines Hugging Face reads."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import yaml

from cnnrun import __version__
from cnnrun.config.sections import Config
from cnnrun.evaluation.label_scores import LabelScores
from cnnrun.evaluation.scores import Scores
from cnnrun.export.card_text import CLASSES_NAMED, FEW_IMAGES, hardly_known, named, plain
from cnnrun.export.formats import Format
from cnnrun.export.gate import Agreement, LabelAgreement
from cnnrun.export.image_rule import ImageRule
from cnnrun.export.label_card import label_limits, label_table, labels_alike
from cnnrun.export.report import ExportReport
from cnnrun.runs.disk_room import size_text
from cnnrun.runs.tables import markdown_table

_MATRIX_CLASSES: Final = 12
_CONFUSIONS: Final = 20
_LIBRARY: Final[Mapping[str, str]] = {
    "onnx": "onnxruntime",
    "litert": "tflite",
    "saved_model": "tensorflow",
}
"""What Hugging Face calls the runtimes."""


_OF_CLASSES: Final = (("accuracy", "accuracy", "accuracy"), ("f1", "macro_f1", "f1"))
_OF_LABELS: Final = (
    ("mean_average_precision", "mean_average_precision", "mean average precision"),
    ("f1", "micro_f1", "micro f1"),
)
"""What the first lines hold: the kind of a number, its name in the scores, and as it is shown."""


def model_card(
    report: ExportReport,
    *,
    form: Format,
    config: Config,
    rule: ImageRule,
    classes: Sequence[str],
    images: Mapping[str, Sequence[int]],
    totals: Mapping[str, int],
    scores: Scores | LabelScores,
    best_epoch: int | None,
) -> str:
    """The text of README.md.

    Args:
        report: what was exported, and how it compares.
        form: its format.
        config: of the run.
        rule: how images become pixels.
        classes: the class names.
        images: how many there are of each class, or with each label, by split.
        totals: how many there are, by split.
        scores: of the exported network, on the images of `report.agreement`.
        best_epoch: whose weights these are, where it is known.
    """
    name = plain(report.name)
    parts = [
        f"---\n{_front_matter(report, form, scores)}---\n",
        f"# {name}\n",
        f"{_does(report, len(classes))}: {named(classes)}.\n",
        *_use(report, form, rule),
        *_results(report, classes, scores),
        *_training(report, config, classes, images, totals, best_epoch),
        *_limits(report, config, classes, images, totals, scores),
    ]
    return "\n".join(parts)


def _does(report: ExportReport, classes: int) -> str:
    if report.task == "multi_label":
        return f"Says which of {classes:,} labels an image has, several or none"
    return f"Names which of {classes:,} classes an image shows"


def _front_matter(report: ExportReport, form: Format, scores: Scores | LabelScores) -> str:
    dataset = {"name": report.data_name, "type": "image-folder", "split": report.agreement.split}
    is_multi_label = isinstance(scores, LabelScores)
    kinds = _OF_LABELS if is_multi_label else _OF_CLASSES
    metrics = [
        {"type": kind, "value": round(scores.metrics[name], 4), "name": shown}
        for kind, name, shown in kinds
        if np.isfinite(scores.metrics[name])
    ]
    tags = ["multi-label"] if is_multi_label else []
    task = {"type": "image-classification", "name": "Image Classification"}
    return yaml.safe_dump(
        {
            "library_name": _LIBRARY[form.name],
            "pipeline_tag": "image-classification",
            "tags": ["image-classification", *tags, "cnnrun", form.name, report.precision],
            "model-index": [
                {
                    "name": report.name,
                    "results": [{"task": task, "dataset": dataset, "metrics": metrics}],
                }
            ],
        },
        sort_keys=False,
        allow_unicode=True,
    )


def _use(report: ExportReport, form: Format, rule: ImageRule) -> Iterator[str]:
    (height, width), channels = rule.image_size, rule.channels
    packages = [] if rule.decoding.bands else ["pillow"]
    runtime = form.runtime.replace("_", "-")
    yield "## Use it\n"
    yield "```bash"
    yield f"pip install numpy {' '.join([*packages, runtime])}"
    yield "python predict.py photo.jpg"
    yield "```\n"
    yield (
        f"`{report.file}` takes `pixels`, float32 of (images, {height}, {width}, {channels}) from 0"
        " to 255, any number of images, standardizes them itself, and gives `probabilities`,"
        f" (images, {report.classes}), in the order of `classes.json`. How an image becomes"
        " pixels stands in `preprocessing.json`; `predict.py` does it.\n"
    )
    if report.task == "multi_label":
        yield (
            "Each probability is of a label by itself, and they need not sum to 1. An image is said"
            " to have the labels whose probability reaches the threshold in `thresholds.json`.\n"
        )
    if report.calibrated:
        yield "The probabilities are calibrated: the last layer is that of `cnnrun calibrate`.\n"


def _results(
    report: ExportReport, classes: Sequence[str], scores: Scores | LabelScores
) -> Iterator[str]:
    split = report.agreement.split
    yield "## How good it is\n"
    yield f"On {scores.images:,} {split} images, this file, with 95 % intervals over such images:\n"
    yield markdown_table(
        ("metric", "value", "95 % interval"),
        [
            (name.replace("_", " "), f"{scores.metrics[name]:.4f}", f"{low:.4f} to {high:.4f}")
            for name, (low, high) in scores.intervals.items()
            if np.isfinite(scores.metrics[name])
        ],
    )
    if split != "test":
        yield (
            "The run has no test images: these are the validation images that chose the best epoch,"
            " and the numbers are better than they would be on others.\n"
        )
    found = report.agreement
    if isinstance(scores, LabelScores):
        yield label_table(classes, scores)
    else:
        yield from _of_classes(classes, scores)
    yield "### Compared with the Keras network\n"
    alike = labels_alike(found) if isinstance(found, LabelAgreement) else _classes_alike(found)
    yield (
        f"{alike}; probabilities differ by {found.largest_difference:.2g} at most."
        f" {report.precision}, {size_text(report.bytes)}.\n"
    )


def _of_classes(classes: Sequence[str], scores: Scores) -> Iterator[str]:
    if len(classes) <= FEW_IMAGES:
        yield markdown_table(
            ("class", "precision", "recall", "F1", "images"),
            [
                (
                    plain(str(row["class"])),
                    *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")),
                    str(row["support"]),
                )
                for row in scores.classes_as_json(classes)
            ],
        )
    yield "### Confusion\n"
    yield _confusion(classes, scores)


def _classes_alike(found: Agreement) -> str:
    low, high = found.difference_interval
    return (
        f"The same class for {found.top1:.2%} of the images; accuracy {found.accuracy:.4f} in place"
        f" of {found.keras_accuracy:.4f}, a difference of {found.difference:+z.4f} ({low:+z.4f} to"
        f" {high:+z.4f})"
    )


def _confusion(classes: Sequence[str], scores: Scores) -> str:
    if len(classes) <= _MATRIX_CLASSES:
        return "A row for each true class, a column for each answer.\n\n" + markdown_table(
            ("truth", *map(plain, classes)),
            [
                (plain(name), *map(str, row))
                for name, row in zip(classes, scores.confusion.tolist(), strict=True)
            ],
        )
    wrong = scores.confusion * (1 - np.eye(len(classes), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = [divmod(int(place), len(classes)) for place in order]
    rows = [
        (plain(classes[truth]), plain(classes[answer]), str(wrong[truth, answer]))
        for truth, answer in pairs
        if wrong[truth, answer]
    ]
    if not rows:
        return "No class was taken for another.\n"
    return markdown_table(("truth", "taken for", "images"), rows)


def _training(
    report: ExportReport,
    config: Config,
    classes: Sequence[str],
    images: Mapping[str, Sequence[int]],
    totals: Mapping[str, int],
    best_epoch: int | None,
) -> Iterator[str]:
    yield "## Data\n"
    of_each = ", ".join(f"{count:,} {split}" for split, count in totals.items() if count)
    yield f"{plain(report.data_name)}: {of_each} images.\n"
    if len(classes) <= CLASSES_NAMED:
        yield markdown_table(
            ("label" if report.task == "multi_label" else "class", *images),
            [
                (plain(name), *(f"{counts[row]:,}" for counts in images.values()))
                for row, name in enumerate(classes)
            ],
        )
    yield "## How it was trained\n"
    train = config.train
    backbone = config.model.backbone
    of = f" on {plain(str(backbone.name or 'an earlier run'))}" if backbone is not None else ""
    stages = f" in {len(train.stages)} stages" if train.stages else ""
    optimizer = train.optimizer.name if not train.stages else "an optimizer a stage"
    yield (
        f"{report.parameters:,} parameters{of}, trained{stages} by cnnrun {__version__} with Keras:"
        f" {optimizer}, batches of {train.batch_size}, {train.precision}, seed {config.seed}"
        + (f"; the weights of epoch {best_epoch}" if best_epoch else "")
        + ". The run's `resolved.yaml` trains it again.\n"
    )


def _limits(
    report: ExportReport,
    config: Config,
    classes: Sequence[str],
    images: Mapping[str, Sequence[int]],
    totals: Mapping[str, int],
    scores: Scores | LabelScores,
) -> Iterator[str]:
    yield "## Limits\n"
    if isinstance(scores, LabelScores):
        validation_images = totals.get("validation", 0)
        yield from label_limits(config, classes, scores, validation_images=validation_images)
    else:
        yield (
            f"- It knows these {len(classes):,} classes and answers with one of them for any image,"
            " whatever it shows."
        )
    yield (
        "- The numbers hold for images like those it was measured on: same cameras, places and"
        " preparation. Of other images they say nothing; `cnnrun evaluate` on this folder with"
        " `--data` measures them."
    )
    support = scores.support if isinstance(scores, Scores) else scores.rarer
    rare = [
        name for name, count in zip(classes, support.tolist(), strict=True) if count < FEW_IMAGES
    ]
    if rare:
        yield hardly_known(rare)
    counts = [count for count in images.get("train", ()) if count]
    if counts and max(counts) > 10 * min(counts):
        yield (
            f"- The training images are unevenly many: from {min(counts):,} to {max(counts):,} of a"
            f" {'label' if report.task == 'multi_label' else 'class'}."
        )
    if not report.calibrated:
        yield "- The probabilities are not calibrated: .9 need not be right nine times in ten."
    yield ""
