"""How good probabilities are: metrics with 95 % intervals, the confusion matrix, each class.

Shapes: probabilities are `(images, classes)`, labels and losses `(images,)`, a confusion matrix is
`(classes, classes)` with a row for each true class and a column for each predicted one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.calibration.calibration_error import calibration_error, reliability_bins
from cnnrun.errors import DataError
from cnnrun.runs.result import TEST_METRICS
from cnnrun.runs.shares import wilson_interval

CONFIDENCE = 0.95
_RESAMPLES = 2000
_BLOCK_BYTES = 64 * 1024**2

Interval = tuple[float, float]
FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of a network on some images.

    A class without images is left out of `balanced_accuracy`; one that has no images and is never
    predicted is left out of `macro_f1`, too. Where a ratio has no denominator it is 0. These are
    scikit-learn's rules with `zero_division=0`.

    Attributes:
        images: how many images were scored.
        loss: mean of the losses of the images.
        accuracy: share of images whose most probable class is the true one.
        balanced_accuracy: mean over classes of their recall.
        macro_f1: mean over classes of their F1.
        ece: how far the highest probabilities are from how often they are right; see
            cnnrun/calibration/calibration_error.py.
        intervals: the 95 % interval of each of these five, by name.
        confusion: images by true class (rows) and predicted class (columns), `(classes, classes)`.
        precision: of each class, `(classes,)`.
        recall: of each class, `(classes,)`.
        f1: of each class, `(classes,)`.
        support: images of each class, `(classes,)`.
    """

    images: int
    loss: float
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    ece: float
    intervals: Mapping[str, Interval]
    confusion: CountArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    support: CountArray

    @property
    def metrics(self) -> dict[str, float]:
        """The five numbers, by name."""
        return {name: getattr(self, name) for name in TEST_METRICS}

    def as_json(self) -> dict[str, Any]:
        """What `test` of result.json holds: the five metrics, their intervals, the image count."""
        return {
            **self.metrics,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "images": self.images,
        }

    def classes_as_json(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Precision, recall, F1 and support of each class: a map for each name in `classes`."""
        return [
            {
                "class": name,
                "precision": float(self.precision[row]),
                "recall": float(self.recall[row]),
                "f1": float(self.f1[row]),
                "support": int(self.support[row]),
            }
            for row, name in enumerate(classes)
        ]


def score_probabilities(
    probabilities: NDArray[np.floating[Any]],
    labels: NDArray[np.integer[Any]],
    *,
    per_image_loss: NDArray[np.floating[Any]],
    seed: int,
) -> Scores:
    """The scores of predicted probabilities, each with a 95 % interval.

    Accuracy has Wilson's interval (see `runs.shares`). The others have percentile intervals
    from 2,000 bootstrap resamples of the images (Efron and Tibshirani 1993, chapter 13). Where
    every image is right, the bootstrap sees no error and its intervals have no width: go by
    accuracy's there.

    Args:
        probabilities: `(images, classes)`; the first of equally probable classes is predicted.
        labels: true class numbers, `(images,)`.
        per_image_loss: `(images,)`.
        seed: of the bootstrap; the same seed gives the same intervals.

    Raises:
        DataError: there are no images.
    """
    images, classes = probabilities.shape
    if images == 0:
        raise DataError.at(
            "",
            rule="scores need at least one image",
            received="none",
            advice="add images to this split",
        )
    predicted = probabilities.argmax(axis=1)
    confusion = _count_pairs(labels, predicted, classes=classes)
    correct = np.diag(confusion)
    support, guessed = confusion.sum(axis=1), confusion.sum(axis=0)
    losses = per_image_loss.astype(np.float64)
    error = calibration_error(reliability_bins(probabilities.max(axis=1), predicted == labels))
    loss_generator, confusion_generator = np.random.default_rng(seed).spawn(2)
    balanced_interval, f1_interval = _confusion_intervals(confusion, confusion_generator)
    return Scores(
        images=images,
        loss=float(losses.mean()),
        accuracy=float(correct.sum() / images),
        balanced_accuracy=float(_balanced_accuracy(correct, support)),
        macro_f1=float(_macro_f1(correct, support, guessed)),
        ece=error.value,
        intervals={
            "loss": _loss_interval(losses, loss_generator),
            "accuracy": wilson_interval(int(correct.sum()), images),
            "balanced_accuracy": balanced_interval,
            "macro_f1": f1_interval,
            "ece": error.interval,
        },
        confusion=confusion,
        precision=_ratio(correct, guessed),
        recall=_ratio(correct, support),
        f1=_f1(correct, support, guessed),
        support=support,
    )


def most_confident_mistakes(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], *, count: int
) -> CountArray:
    """Rows of wrongly classified images, the most confidently wrong one first, at most `count`.

    Args:
        probabilities: `(images, classes)`.
        labels: true class numbers, `(images,)`.
        count: how many rows are wanted.
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    confidence = probabilities[wrong].max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    return wrong[order[:count]].astype(np.int64)


def _count_pairs(
    labels: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]], *, classes: int
) -> CountArray:
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


# The metrics below take counts of the classes along the last axis, so that they serve one confusion
# matrix, `(classes,)`, and a block of resampled ones, `(resamples, classes)`, alike.


def _balanced_accuracy(correct: CountArray, support: CountArray) -> FloatArray:
    return _mean_where(_ratio(correct, support), support > 0)


def _macro_f1(correct: CountArray, support: CountArray, guessed: CountArray) -> FloatArray:
    return _mean_where(_f1(correct, support, guessed), support + guessed > 0)


def _f1(correct: CountArray, support: CountArray, guessed: CountArray) -> FloatArray:
    return _ratio(2 * correct, support + guessed)


def _ratio(numerator: CountArray, denominator: CountArray) -> FloatArray:
    """The quotient, 0 where the denominator is 0."""
    return numerator / np.maximum(denominator, 1)


def _mean_where(values: FloatArray, occurs: NDArray[np.bool_]) -> FloatArray:
    return np.asarray((values * occurs).sum(axis=-1) / occurs.sum(axis=-1))


def _loss_interval(losses: FloatArray, generator: np.random.Generator) -> Interval:
    means = []
    for resamples in _blocks(row_bytes=16 * len(losses)):
        drawn = generator.integers(len(losses), size=(resamples, len(losses)), dtype=np.int32)
        means.append(losses[drawn].mean(axis=1))
    return _percentile_interval(np.concatenate(means))


def _confusion_intervals(
    confusion: CountArray, generator: np.random.Generator
) -> tuple[Interval, Interval]:
    """Intervals of balanced accuracy and macro F1.

    Drawing images with replacement makes the counts of a confusion matrix multinomial, so its
    non-zero cells are drawn at once: the work does not grow with the number of images.
    """
    true_class, predicted_class = np.nonzero(confusion)
    cells = confusion[true_class, predicted_class]
    images = int(cells.sum())
    of_true, of_predicted = (
        np.equal.outer(axis_class, np.arange(len(confusion))).astype(np.float32)
        for axis_class in (true_class, predicted_class)
    )  # (cells, classes): sums over cells become one matrix product
    balanced, f1 = [], []
    for resamples in _blocks(row_bytes=16 * len(cells)):
        counts = generator.multinomial(images, cells / images, size=resamples).astype(np.float32)
        hits = counts * (true_class == predicted_class)
        correct, support, guessed = (
            np.rint(product).astype(np.int64)
            for product in (hits @ of_true, counts @ of_true, counts @ of_predicted)
        )
        balanced.append(_balanced_accuracy(correct, support))
        f1.append(_macro_f1(correct, support, guessed))
    return (
        _percentile_interval(np.concatenate(balanced)),
        _percentile_interval(np.concatenate(f1)),
    )


def _blocks(*, row_bytes: int) -> list[int]:
    """Sizes of blocks of resamples that keep the memory bounded; they sum to all resamples."""
    size = max(1, min(_RESAMPLES, _BLOCK_BYTES // row_bytes))
    whole, rest = divmod(_RESAMPLES, size)
    return [size] * whole + ([rest] if rest else [])


def _percentile_interval(estimates: FloatArray) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return float(low), float(high)
