"""What a model card says of images with several labels: each label, its threshold, its limits."""

from collections.abc import Iterator, Sequence
from typing import Any

from cnnrun.config.sections import Config
from cnnrun.config.train_section import ThresholdsSpec
from cnnrun.evaluation.label_scores import LabelScores
from cnnrun.export.card_text import plain
from cnnrun.export.gate import LabelAgreement
from cnnrun.runs.tables import markdown_table


def label_table(names: Sequence[str], scores: LabelScores) -> str:
    """A line for each label: from which probability on it is said, and what comes of that."""
    rows = []
    for name, row, counts in zip(
        names, scores.classes_as_json(names), scores.confusion.tolist(), strict=True
    ):
        (_, wrongly), (missed, _) = counts
        rates = (row["precision"], row["recall"], row["f1"])
        areas = (row["average_precision"], row["roc_auc"])
        rows.append(
            (
                plain(name),
                f"{row['threshold']:.3f}",
                f"{row['images']:,}",
                f"{missed:,}",
                f"{wrongly:,}",
                *map(_cell, (*rates, *areas)),
            )
        )
    headings = (
        "label",
        "said from",
        "images that have it",
        "missed",
        "said wrongly",
        "precision",
        "recall",
        "F1",
        "average precision",
        "ROC-AUC",
    )
    return markdown_table(headings, rows)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.3f}"


def labels_alike(found: LabelAgreement) -> str:
    """How far the file and the Keras network say the same labels."""
    low, high = found.difference_interval
    least = f"{found.lowest:.2%} at least ({plain(found.lowest_label)})"
    return (
        f"The same labels for {found.same_labels:.2%} of the images; each label for"
        f" {'all of them' if found.lowest == 1 else least}; all labels of an image right"
        f" for {found.exact_match:.4f} in place of {found.keras_exact_match:.4f}, a difference of"
        f" {found.difference:+z.4f} ({low:+z.4f} to {high:+z.4f})"
    )


def label_limits(
    config: Config, names: Sequence[str], scores: LabelScores, *, validation_images: int
) -> Iterator[str]:
    """What it does not know, and how its thresholds were chosen."""
    yield (
        f"- It knows these {len(names):,} labels and no others: an image that has none of them, or"
        " something quite different, is said to have whichever reach their thresholds."
    )
    spec = config.train.thresholds or ThresholdsSpec()
    what = "the largest F1" if spec.by == "f1" else f"a precision of {spec.at_least:g}"
    whose = "of each label" if spec.each else "of all labels together"
    if not validation_images:
        yield "- There were no validation images to choose thresholds on."
    else:
        yield (
            f"- The thresholds were chosen for {what} {whose} on the run's validation images: they"
            " suit images in which the labels are as common as there, and other costs of mistakes"
            " want other thresholds."
        )
    unknown = int((scores.images - scores.confusion.sum(axis=(1, 2))).sum())
    if unknown:
        yield f"- {unknown:,} labels of the images above are not known, and count nothing."
