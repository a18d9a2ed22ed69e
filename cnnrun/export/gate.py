"""Whether an exported network answers as the one that it was made of: image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from cnnrun.ablation.analysis.crossed_intervals import image_contrast
from cnnrun.evaluation.label_scores import mean_average_precision
from cnnrun.runs.shares import wilson_interval

Numbers = NDArray[np.float64]

_CONFIDENCE: Final = 0.95


@final
@dataclass(frozen=True)
class Agreement:
    """What comes of comparing two networks on images.

    Attributes:
        images: how many.
        split: of the run: "test", or "validation" where it has no test images.
        top1: the share of images for which both name the same class.
        top1_interval: its 95 % interval.
        accuracy: of the exported network.
        keras_accuracy: of the one that it was made of.
        difference: the first less the second.
        difference_interval: its 95 % interval, over images, which both have seen.
        largest_difference: of all probabilities of all classes.
    """

    images: int
    split: str
    top1: float
    top1_interval: tuple[float, float]
    accuracy: float
    keras_accuracy: float
    difference: float
    difference_interval: tuple[float, float]
    largest_difference: float

    @property
    def decisive(self) -> float:
        """What must not be below what is wanted."""
        return self.top1


@final
@dataclass(frozen=True)
class LabelAgreement:
    """What comes of comparing two networks on images with several labels, at their thresholds.

    Attributes:
        images: how many.
        split: of the run: "test", or "validation" where it has no test images.
        labels: of each label the share of images for which both say it, or both do not.
        lowest: the least of these.
        lowest_label: whose that is.
        lowest_interval: its 95 % interval.
        same_labels: the share of images for which both say the same labels.
        same_labels_interval: its 95 % interval.
        exact_match: the share of images of which the exported network has all known labels right.
        keras_exact_match: that of the one that it was made of.
        difference: the first less the second.
        difference_interval: its 95 % interval, over images, which both have seen.
        mean_average_precision: of the exported network; None where no label has one.
        keras_mean_average_precision: of the one that it was made of.
        largest_difference: of all probabilities of all labels.
    """

    images: int
    split: str
    labels: Mapping[str, float]
    lowest: float
    lowest_label: str
    lowest_interval: tuple[float, float]
    same_labels: float
    same_labels_interval: tuple[float, float]
    exact_match: float
    keras_exact_match: float
    difference: float
    difference_interval: tuple[float, float]
    mean_average_precision: float | None
    keras_mean_average_precision: float | None
    largest_difference: float

    @property
    def decisive(self) -> float:
        """What must not be below what is wanted."""
        return self.lowest


def agreement(
    exported: Numbers, keras: Numbers, labels: NDArray[np.integer[Any]], *, split: str
) -> Agreement:
    """How far two networks agree.

    Args:
        exported: probabilities, `(images, classes)`.
        keras: those of the network that it was made of.
        labels: true class numbers, `(images,)`.
        split: whose images these are.
    """
    images = len(labels)
    answers, expected = exported.argmax(axis=1), keras.argmax(axis=1)
    is_finite = bool(np.isfinite(exported).all())
    agreed = int((answers == expected).sum()) if is_finite else 0
    right, keras_right = (answers == labels).astype(float), (expected == labels).astype(float)
    return Agreement(
        images=images,
        split=split,
        top1=agreed / images,
        top1_interval=wilson_interval(agreed, images),
        accuracy=float(right.mean()),
        keras_accuracy=float(keras_right.mean()),
        difference=float(right.mean() - keras_right.mean()),
        difference_interval=_paired_interval(right - keras_right),
        largest_difference=float(np.abs(exported - keras).max()) if is_finite else float("inf"),
    )


def label_agreement(
    exported: Numbers,
    keras: Numbers,
    labels: NDArray[np.int32],
    *,
    thresholds: Numbers,
    names: Sequence[str],
    split: str,
) -> LabelAgreement:
    """How far two networks agree on which labels images have.

    Args:
        exported: probabilities, `(images, labels)`.
        keras: those of the network that it was made of.
        labels: what is true, `(images, labels)` of 1, 0, and -1 for unknown.
        thresholds: from which probability on a label is said, `(labels,)`.
        names: of the labels.
        split: whose images these are.
    """
    images = len(labels)
    said, expected = exported >= thresholds, keras >= thresholds
    is_finite = bool(np.isfinite(exported).all())
    alike = (said == expected) & is_finite
    agreed = alike.sum(axis=0)
    worst, whole = int(agreed.argmin()), int(alike.all(axis=1).sum())
    right, keras_right = (
        ((each == (labels == 1)) | (labels < 0)).all(axis=1).astype(float)
        for each in (said, expected)
    )
    return LabelAgreement(
        images=images,
        split=split,
        labels=dict(zip(names, (agreed / images).tolist(), strict=True)),
        lowest=float(agreed[worst] / images),
        lowest_label=names[worst],
        lowest_interval=wilson_interval(int(agreed[worst]), images),
        same_labels=whole / images,
        same_labels_interval=wilson_interval(whole, images),
        exact_match=float(right.mean()),
        keras_exact_match=float(keras_right.mean()),
        difference=float(right.mean() - keras_right.mean()),
        difference_interval=_paired_interval(right - keras_right),
        mean_average_precision=mean_average_precision(np.nan_to_num(exported), labels),
        keras_mean_average_precision=mean_average_precision(keras, labels),
        largest_difference=float(np.abs(exported - keras).max()) if is_finite else float("inf"),
    )


def _paired_interval(differences: Numbers) -> tuple[float, float]:
    """The 95 % interval of a mean of -1, 0 and 1.

    Where no image differs nothing is known of the spread, but that the share of those that do is
    below Wilson's bound.
    """
    if not differences.any() or len(differences) < 2:
        bound = wilson_interval(0, len(differences))[1]
        return float(differences.mean()) - bound, float(differences.mean()) + bound
    low, high = image_contrast(differences).interval(confidence=_CONFIDENCE)
    return max(low, -1.0), min(high, 1.0)
