"""README.md of an exported folder: a model card, whose first lines Hugging Face reads."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import yaml

from cnnrun import __version__
from cnnrun.config.sections import Config
from cnnrun.evaluation.scores import Scores
from cnnrun.export.formats import Format
from cnnrun.export.image_rule import ImageRule
from cnnrun.export.report import ExportReport
from cnnrun.runs.disk_room import size_text
from cnnrun.runs.tables import markdown_table

_MATRIX_CLASSES: Final = 12
_CONFUSIONS: Final = 20
_CLASSES_NAMED: Final = 30
_FEW_IMAGES: Final = 20
# What Markdown and HTML could take for their own in a class's name.
_SPECIAL: Final = re.compile(r"[&<>\[\]*`|\\~$]")
_LIBRARY: Final[Mapping[str, str]] = {
    "onnx": "onnxruntime",
    "litert": "tflite",
    "saved_model": "tensorflow",
}
"""What Hugging Face calls the runtimes."""


def model_card(
    report: ExportReport,
    *,
    form: Format,
    config: Config,
    rule: ImageRule,
    classes: Sequence[str],
    images: Mapping[str, Sequence[int]],
    scores: Scores,
    best_epoch: int | None,
) -> str:
    """The text of README.md.

    Args:
        report: what was exported, and how it compares.
        form: its format.
        config: of the run.
        rule: how images become pixels.
        classes: the class names.
        images: how many there are of each class, by split.
        scores: of the exported network, on the images of `report.agreement`.
        best_epoch: whose weights these are, where it is known.
    """
    name = plain(report.name)
    parts = [
        f"---\n{_front_matter(report, form, scores)}---\n",
        f"# {name}\n",
        f"Names which of {len(classes):,} classes an image shows: {_named(classes)}.\n",
        *_use(report, form, rule),
        *_results(report, classes, scores),
        *_training(report, config, classes, images, best_epoch),
        *_limits(report, classes, images, scores),
    ]
    return "\n".join(parts)


def plain(text: str) -> str:
    """A text that Markdown and HTML show as it is, on one line."""
    line = " ".join(text.split())
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line)


def _front_matter(report: ExportReport, form: Format, scores: Scores) -> str:
    dataset = {"name": report.data_name, "type": "image-folder", "split": report.agreement.split}
    metrics = [
        {"type": kind, "value": round(getattr(scores, attribute), 4), "name": kind}
        for kind, attribute in (("accuracy", "accuracy"), ("f1", "macro_f1"))
    ]
    task = {"type": "image-classification", "name": "Image Classification"}
    return yaml.safe_dump(
        {
            "library_name": _LIBRARY[form.name],
            "pipeline_tag": "image-classification",
            "tags": ["image-classification", "cnnrun", form.name, report.precision],
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


def _named(classes: Sequence[str]) -> str:
    more = len(classes) - _CLASSES_NAMED
    named = ", ".join(map(plain, classes[:_CLASSES_NAMED]))
    return named + (f" and {more:,} more (classes.json)" if more > 0 else "")


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
    if report.calibrated:
        yield "The probabilities are calibrated: the last layer is that of `cnnrun calibrate`.\n"


def _results(report: ExportReport, classes: Sequence[str], scores: Scores) -> Iterator[str]:
    split = report.agreement.split
    yield "## How good it is\n"
    yield f"On {scores.images:,} {split} images, this file, with 95 % intervals over such images:\n"
    yield markdown_table(
        ("metric", "value", "95 % interval"),
        [
            (name.replace("_", " "), f"{scores.metrics[name]:.4f}", f"{low:.4f} to {high:.4f}")
            for name, (low, high) in scores.intervals.items()
        ],
    )
    if split != "test":
        yield (
            "The run has no test images: these are the validation images that chose the best epoch,"
            " and the numbers are better than they would be on others.\n"
        )
    if len(classes) <= _FEW_IMAGES:
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
    yield "### Compared with the Keras network\n"
    found = report.agreement
    low, high = found.difference_interval
    yield (
        f"The same class for {found.top1:.2%} of the images; accuracy {found.accuracy:.4f} in place"
        f" of {found.keras_accuracy:.4f}, a difference of {found.difference:+z.4f} ({low:+z.4f} to"
        f" {high:+z.4f}); probabilities differ by {found.largest_difference:.2g} at most."
        f" {report.precision}, {size_text(report.bytes)}.\n"
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
    best_epoch: int | None,
) -> Iterator[str]:
    yield "## Data\n"
    totals = ", ".join(f"{sum(counts):,} {split}" for split, counts in images.items() if counts)
    yield f"{plain(report.data_name)}: {totals} images.\n"
    if len(classes) <= _CLASSES_NAMED:
        yield markdown_table(
            ("class", *images),
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
    classes: Sequence[str],
    images: Mapping[str, Sequence[int]],
    scores: Scores,
) -> Iterator[str]:
    yield "## Limits\n"
    yield (
        f"- It knows these {len(classes):,} classes and answers with one of them for any image,"
        " whatever it shows."
    )
    yield (
        "- The numbers hold for images like those it was measured on: same cameras, places and"
        " preparation. Of other images they say nothing; `cnnrun evaluate` on this folder with"
        " `--data` measures them."
    )
    rare = [
        plain(name)
        for name, count in zip(classes, scores.support.tolist(), strict=True)
        if count < _FEW_IMAGES
    ]
    if rare:
        yield (
            f"- Measured on fewer than {_FEW_IMAGES} images each, and so hardly known:"
            f" {', '.join(rare[:_CLASSES_NAMED])}{' and others' * (len(rare) > _CLASSES_NAMED)}."
        )
    counts = [count for count in images.get("train", ()) if count]
    if counts and max(counts) > 10 * min(counts):
        yield (
            f"- The training images are unevenly many: from {min(counts):,} to {max(counts):,} of a"
            " class."
        )
    if not report.calibrated:
        yield "- The probabilities are not calibrated: .9 need not be right nine times in ten."
    yield ""
