"""How good the probabilities of several labels an image are, with 95 % intervals over images.

Shapes: probabilities and labels are `(images, labels)`, labels of 1, 0, and -1 for unknown, which
nothing counts. Every number is computed with a weight for each image, `(resamples, images)`: of 1
for the number itself, of how often it was drawn for a resample, so that images stay whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import DataError
from cnnrun.evaluation.scores import CONFIDENCE, Interval
from cnnrun.runs.result import LABEL_TEST_METRICS

FloatArray = NDArray[np.float64]
Matrix = NDArray[np.int32]

_RESAMPLES: Final = 2000
_RESAMPLES_AT_LEAST: Final = 200
# So many products of images, labels and resamples take seconds.
_PRODUCTS_AT_MOST: Final = 2 * 10**8
_BLOCK_BYTES: Final = 2**25
_OF_LABELS: Final = ("average_precision", "roc_auc", "precision", "recall", "f1")
"""The numbers of each label, in the order in which they are shown."""


@dataclass(frozen=True, eq=False)
class LabelScores:
    """The scores of a network on some images with several labels, or none.

    A label that no image has, or every one, has no ROC-AUC, and one that no image has no average
    precision; means leave such labels out. Where precision or recall has no denominator it is 0;
    an image without labels that is given none counts 1 in the averages over images. These are
    scikit-learn's rules with `zero_division` 0, and 1 for `average="samples"`.

    Attributes:
        images: how many images were scored.
        metrics: the numbers over all labels, by name; see LABEL_TEST_METRICS.
        intervals: the 95 % interval of each.
        averages: precision, recall and F1 by the kind of their average: `micro` over all labels of
            all images, `macro` over labels, `samples` over images.
        of_labels: each label's numbers, `(labels,)`, by name; NaN for one that is not defined.
        label_intervals: their intervals, `(2, labels)`, by name.
        thresholds: `(labels,)`, from which probability on an image is said to have a label.
        confusion: `(labels, 2, 2)`, images by truth (no, yes) and by what is said (no, yes).
        together: `(labels, labels)`, how many images have both labels; the diagonal has each.
    """

    images: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    averages: Mapping[str, Mapping[str, float]]
    of_labels: Mapping[str, FloatArray]
    label_intervals: Mapping[str, FloatArray]
    thresholds: FloatArray
    confusion: NDArray[np.int64]
    together: NDArray[np.int64]

    @property
    def rarer(self) -> NDArray[np.int64]:
        """How many images have each label, or have it not, whichever are fewer: `(labels,)`."""
        return np.asarray(self.confusion.sum(axis=2).min(axis=1))

    @property
    def loss(self) -> float:
        """The mean of the losses of the images."""
        return self.metrics["loss"]

    def as_json(self) -> dict[str, Any]:
        """What `test` of result.json holds."""
        return {
            **{name: _or_none(value) for name, value in self.metrics.items()},
            "intervals": {
                name: list(interval)
                for name, interval in self.intervals.items()
                if np.isfinite(interval).all()
            },
            "images": self.images,
            "averages": {kind: dict(each) for kind, each in self.averages.items()},
        }

    def classes_as_json(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Each label's numbers: a map for each name in `classes`."""
        return [
            {
                "label": name,
                **{key: _or_none(values[row]) for key, values in self.of_labels.items()},
                "images": int(self.confusion[row, 1].sum()),
                "known": int(self.confusion[row].sum()),
                "threshold": float(self.thresholds[row]),
                "intervals": {
                    key: [float(low), float(high)]
                    for key, bounds in self.label_intervals.items()
                    for low, high in [bounds[:, row]]
                    if np.isfinite((low, high)).all()
                },
            }
            for row, name in enumerate(classes)
        ]


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def score_labels(
    probabilities: NDArray[np.floating[Any]],
    labels: Matrix,
    *,
    thresholds: FloatArray,
    per_image_loss: NDArray[np.floating[Any]],
    seed: int,
) -> LabelScores:
    """The scores of predicted probabilities, each with a 95 % interval.

    Intervals are percentiles of 2,000 bootstrap resamples of the images (Efron and Tibshirani 1993,
    chapter 13), of fewer where images times labels are more than 100,000.

    Args:
        probabilities: `(images, labels)`.
        labels: `(images, labels)`.
        thresholds: `(labels,)`; a label is said of an image from there on.
        per_image_loss: `(images,)`.
        seed: of the bootstrap.

    Raises:
        DataError: there are no images.
    """
    images = len(labels)
    if images == 0:
        raise DataError.at(
            "",
            rule="scores need at least one image",
            received="none",
            advice="add images to this split",
        )
    scored = _Scored.of(probabilities, labels, thresholds, per_image_loss)
    own = scored.values(np.ones((1, images)))
    drawn = _joined(scored.values(weights) for weights in _resamples(labels.shape, seed))
    bounds = {name: _interval(values) for name, values in drawn.items()}
    averages = {
        kind: {name: float(own[f"{kind}_{name}"][0]) for name in ("precision", "recall", "f1")}
        for kind in ("micro", "macro", "samples")
    }
    return LabelScores(
        images=images,
        metrics={name: float(own[name][0]) for name in LABEL_TEST_METRICS},
        intervals={
            name: (float(bounds[name][0]), float(bounds[name][1])) for name in LABEL_TEST_METRICS
        },
        averages=averages,
        of_labels={name: own[name][0] for name in _OF_LABELS},
        label_intervals={name: bounds[name] for name in _OF_LABELS},
        thresholds=thresholds,
        confusion=label_confusion(scored.said, labels),
        together=images_with_both(labels),
    )


def mean_average_precision(probabilities: FloatArray, labels: Matrix) -> float | None:
    """The mean over labels of average precision, of what is known; None where no label has one."""
    numbers = np.arange(len(labels))
    once = np.ones((1, len(labels)))
    each = [
        _Ranking.of(given, truth, numbers).areas(once)[0]
        for given, truth in zip(probabilities.T, labels.T, strict=True)
    ]
    return _or_none(float(_mean_of_defined(np.stack(each, axis=1))[0]))


def label_confusion(said: NDArray[np.bool_], labels: Matrix) -> NDArray[np.int64]:
    """Images by truth (no, yes) and by what is said (no, yes): `(labels, 2, 2)`."""
    return np.stack(
        [
            [((labels == truth) & (said == answer)).sum(axis=0) for answer in (False, True)]
            for truth in (0, 1)
        ]
    ).transpose(2, 0, 1)


def images_with_both(labels: Matrix) -> NDArray[np.int64]:
    """How many images have each pair of labels: `(labels, labels)`."""
    present = (labels == 1).astype(np.int64)
    return np.asarray(present.T @ present)


class _Ranking(NamedTuple):
    """Entries that are known, the most probable one first: what a label's ranking is made of.

    Attributes:
        image: of each, `(entries,)`.
        is_positive: of each.
        ends: positions of the last of each run of equal probabilities.
    """

    image: NDArray[np.int64]
    is_positive: NDArray[np.bool_]
    ends: NDArray[np.int64]

    @staticmethod
    def of(
        probabilities: FloatArray, labels: NDArray[np.int32], image: NDArray[np.int64]
    ) -> "_Ranking":
        order = np.argsort(-probabilities, kind="stable")
        order = order[labels[order] >= 0]
        ends = np.flatnonzero(np.diff(probabilities[order], append=np.nan) != 0)
        return _Ranking(image[order], labels[order] == 1, ends)

    def areas(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Average precision and ROC-AUC, `(resamples,)` each; NaN where one is not defined."""
        if not len(self.image):
            return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
        of_entry = weights[:, self.image]
        positive = np.cumsum(of_entry * self.is_positive, axis=1)[:, self.ends]
        total = np.cumsum(of_entry, axis=1)[:, self.ends]
        more_positive = np.diff(positive, axis=1, prepend=0)
        more_negative = np.diff(total - positive, axis=1, prepend=0)
        positives, negatives = positive[:, -1], (total - positive)[:, -1]
        precision = np.divide(positive, total, out=np.zeros_like(total), where=total > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            average_precision = (more_positive * precision).sum(axis=1) / positives
            above = (more_negative * (positive - more_positive / 2)).sum(axis=1)
            return average_precision, above / (positives * negatives)


@dataclass(frozen=True, eq=False)
class _Scored:
    """What the numbers are computed of.

    Attributes:
        rankings: of each label.
        of_all: the ranking of all labels of all images.
        said: `(images, labels)`, which labels are said of which images.
        known: `(images, labels)`, 1 where it is known whether an image has a label.
        present: 1 where it has it.
        losses: `(images,)`.
    """

    rankings: tuple[_Ranking, ...]
    of_all: _Ranking
    said: NDArray[np.bool_]
    known: FloatArray
    present: FloatArray
    losses: FloatArray

    @staticmethod
    def of(
        probabilities: NDArray[np.floating[Any]],
        labels: Matrix,
        thresholds: FloatArray,
        losses: NDArray[np.floating[Any]],
    ) -> "_Scored":
        numbers = np.arange(len(labels))
        given = probabilities.astype(np.float64)
        return _Scored(
            rankings=tuple(
                _Ranking.of(given[:, label], labels[:, label], numbers)
                for label in range(labels.shape[1])
            ),
            of_all=_Ranking.of(given.ravel(), labels.ravel(), np.repeat(numbers, labels.shape[1])),
            said=given >= thresholds,
            known=(labels >= 0).astype(np.float64),
            present=(labels == 1).astype(np.float64),
            losses=losses.astype(np.float64),
        )

    def values(self, weights: FloatArray) -> dict[str, FloatArray]:
        """Every number by name, `(resamples,)` or `(resamples, labels)`."""
        said = self.said * self.known
        hits, wrong = said * self.present, np.abs(said - self.present) * self.known
        right, guessed, support = (weights @ each for each in (hits, said, self.present))
        areas = [ranking.areas(weights) for ranking in self.rankings]
        precisions, areas_under = (np.stack(each, axis=1) for each in zip(*areas, strict=True))
        images = weights.sum(axis=1)
        micro = _rates(right.sum(axis=1), guessed.sum(axis=1), support.sum(axis=1))
        of_label = _rates(right, guessed, support)
        of_image = _rates(hits.sum(axis=1), said.sum(axis=1), self.present.sum(axis=1), empty=1.0)
        micro_precision, micro_area = self.of_all.areas(weights)
        return {
            "loss": weights @ self.losses / images,
            "mean_average_precision": _mean_of_defined(precisions),
            "micro_average_precision": micro_precision,
            "mean_roc_auc": _mean_of_defined(areas_under),
            "micro_roc_auc": micro_area,
            **{f"micro_{name}": each for name, each in micro.items()},
            **{f"macro_{name}": each.mean(axis=1) for name, each in of_label.items()},
            **{f"samples_{name}": weights @ each / images for name, each in of_image.items()},
            "exact_match": weights @ (wrong.sum(axis=1) == 0) / images,
            "hamming_loss": weights @ wrong.sum(axis=1) / (weights @ self.known.sum(axis=1)),
            "average_precision": precisions,
            "roc_auc": areas_under,
            **of_label,
        }


def _rates(
    right: FloatArray, guessed: FloatArray, support: FloatArray, *, empty: float = 0.0
) -> dict[str, FloatArray]:
    """Precision, recall and F1 of counts; `empty` where they have no denominator."""
    return {
        "precision": _ratio(right, guessed, empty),
        "recall": _ratio(right, support, empty),
        "f1": _ratio(2 * right, guessed + support, empty),
    }


def _ratio(numerator: FloatArray, denominator: FloatArray, empty: float) -> FloatArray:
    filled = np.full_like(denominator, empty, dtype=np.float64)
    return np.asarray(np.divide(numerator, denominator, out=filled, where=denominator > 0))


def _mean_of_defined(values: FloatArray) -> FloatArray:
    """The mean over labels of the numbers that are defined; NaN where none is."""
    defined = np.isfinite(values)
    number = defined.sum(axis=1)
    total = np.where(defined, values, 0).sum(axis=1)
    undefined = np.full(len(values), np.nan)
    return np.asarray(np.divide(total, number, out=undefined, where=number > 0))


def _resamples(shape: tuple[int, ...], seed: int) -> Iterator[FloatArray]:
    """How often each image is drawn, `(resamples, images)`, in blocks that keep memory bounded."""
    images, labels = shape
    left = max(_RESAMPLES_AT_LEAST, min(_RESAMPLES, _PRODUCTS_AT_MOST // (images * labels)))
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_BYTES // (8 * images * labels))
    while left > 0:
        size = min(block, left)
        yield generator.multinomial(images, np.full(images, 1 / images), size).astype(np.float64)
        left -= size


def _joined(blocks: Iterator[dict[str, FloatArray]]) -> dict[str, FloatArray]:
    parts = list(blocks)
    return {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}


def _interval(values: FloatArray) -> FloatArray:
    """The bounds `(2,)` or `(2, labels)` of what is defined; NaN where nothing is."""
    tail = (1 - CONFIDENCE) / 2
    columns = values.reshape(len(values), -1)
    bounds = [
        np.quantile(column[np.isfinite(column)], [tail, 1 - tail])
        if np.isfinite(column).any()
        else np.full(2, np.nan)
        for column in columns.T
    ]
    return np.asarray(np.stack(bounds, axis=1).reshape(2, *values.shape[1:]))
