"""What each test image adds to the numbers of several labels, most of which are no means.

A number of a test is a function of how often each image counts. Its derivative by that, once for
each image, tells how it varies with the images: the infinitesimal jackknife (Jaeckel 1972, The
infinitesimal jackknife; Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans,
chapter 6), which is the bootstrap over whole images to first order. Labels are 1, 0, and -1 for
unknown.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.runs.predictions import LabelPredictions

Numbers = NDArray[np.float64]

MEANS_OVER_IMAGES: Final = ("test_samples_f1", "test_exact_match")
"""Numbers of which each image has its own."""
_HALF: Final = 0.5


def is_label_metric(metric: str) -> bool:
    """Whether it is a number of several labels an image, as its name in a study says."""
    return metric in _OF_METRIC


def image_influences(predicted: LabelPredictions, metric: str) -> Numbers | None:
    """What each image adds to a number, `(images,)`; their mean is the number.

    For a mean over images it is that of the image. For others it is the number, and on top of it
    how much it would grow for each image like this one, relative to their count.

    Args:
        predicted: what was said of the images, and what they have.
        metric: the number, for which `is_label_metric` holds, as "test_mean_average_precision".

    Returns:
        None where the number is not defined.
    """
    number, derivatives = _OF_METRIC[metric](predicted)
    return number + len(predicted.paths) * derivatives if np.isfinite(number) else None


Derived = tuple[float, Numbers]
"""A number, and its derivative by how often each image counts, `(images,)`."""


def average_precision(scores: Numbers, labels: NDArray[np.int32]) -> Derived:
    """Average precision of entries, `(entries,)`, and its derivative by each entry's weight.

    With the weights w of entries, AP = sum over positives p of w_p P_p / sum of w_p, where P_p is
    the share of positives among all whose score is at least that of p.

    Args:
        scores: the larger, the surer.
        labels: 1, 0, or -1 for entries that count nothing.
    """
    known = labels >= 0
    order = np.flatnonzero(known)[np.argsort(-scores[known], kind="stable")]
    positive = (labels[order] == 1).astype(np.float64)
    derivatives = np.zeros(len(scores))
    positives = positive.sum()
    if not positives:
        return np.nan, derivatives
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0)
    run = np.searchsorted(ends, np.arange(len(order)))  # of equal scores
    total = (ends + 1.0)[run]
    precision = np.cumsum(positive)[ends][run] / total
    number = float((positive * precision).sum() / positives)
    # Whoever stands at or above a positive counts in its precision.
    begins = np.concatenate([[0], ends[:-1] + 1])[run]
    below = _sums_from(positive / total)[begins]
    shares_below = _sums_from(positive * precision / total)[begins]
    derivatives[order] = positive * (precision - number + below) - shares_below
    return number, derivatives / positives


def roc_auc(scores: Numbers, labels: NDArray[np.int32]) -> Derived:
    """The area under the ROC curve of entries, and its derivative by each entry's weight.

    These are the structural components of DeLong, DeLong and Clarke-Pearson 1988, Comparing the
    areas under two or more correlated receiver operating characteristic curves.
    """
    is_positive, is_negative = labels == 1, labels == 0
    positives, negatives = np.sort(scores[is_positive]), np.sort(scores[is_negative])
    derivatives = np.zeros(len(scores))
    if not len(positives) or not len(negatives):
        return np.nan, derivatives
    of_positive = _share_below(negatives, scores[is_positive])
    of_negative = 1 - _share_below(positives, scores[is_negative])
    number = float(of_positive.mean())
    derivatives[is_positive] = (of_positive - number) / len(positives)
    derivatives[is_negative] = (of_negative - number) / len(negatives)
    return number, derivatives


def _sums_from(values: Numbers) -> Numbers:
    """At each place the sum of all values from there on."""
    return np.cumsum(values[::-1])[::-1]


def _share_below(ordered: Numbers, values: Numbers) -> Numbers:
    """The share of `ordered` below each value, half of what is equal to it."""
    both = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return both / (2 * len(ordered))


def _mean_over_labels(
    of_label: Callable[[Numbers, NDArray[np.int32]], Derived],
) -> Callable[[LabelPredictions], Derived]:
    def derived(predicted: LabelPredictions) -> Derived:
        columns = zip(predicted.probabilities.T, predicted.labels.T, strict=True)
        found = [of_label(scores, labels) for scores, labels in columns]
        defined = [each for each in found if np.isfinite(each[0])]
        if not defined:
            return np.nan, np.zeros(len(predicted.paths))
        numbers, derivatives = zip(*defined, strict=True)
        return float(np.mean(numbers)), np.mean(derivatives, axis=0)

    return derived


def _micro_average_precision(predicted: LabelPredictions) -> Derived:
    number, of_entries = average_precision(
        predicted.probabilities.ravel(), predicted.labels.ravel()
    )
    return number, of_entries.reshape(predicted.labels.shape).sum(axis=1)


def _ratio(above: Numbers, below: Numbers) -> Derived:
    """The ratio of two sums over images, `(images,)` each; 0 where the lower one is."""
    if not below.sum():
        return 0.0, np.zeros(len(below))
    number = float(above.sum() / below.sum())
    return number, (above - number * below) / below.sum()


def _hits(predicted: LabelPredictions) -> tuple[Numbers, Numbers]:
    """Twice the labels rightly said, and those said and those that there are, together."""
    known, present = predicted.labels >= 0, predicted.labels == 1
    said = predicted.said & known
    return 2.0 * (said & present), 1.0 * said + present


def _micro_f1(predicted: LabelPredictions) -> Derived:
    above, below = _hits(predicted)
    return _ratio(above.sum(axis=1), below.sum(axis=1))


def _macro_f1(predicted: LabelPredictions) -> Derived:
    found = [
        _ratio(*columns) for columns in zip(*(each.T for each in _hits(predicted)), strict=True)
    ]
    numbers, derivatives = zip(*found, strict=True)
    return float(np.mean(numbers)), np.mean(derivatives, axis=0)


def _mean(values: Numbers) -> Derived:
    return float(values.mean()), (values - values.mean()) / len(values)


def _samples_f1(predicted: LabelPredictions) -> Derived:
    above, below = (each.sum(axis=1) for each in _hits(predicted))
    return _mean(np.divide(above, below, out=np.ones_like(above), where=below > 0))


def _wrong(predicted: LabelPredictions) -> tuple[Numbers, Numbers]:
    known = predicted.labels >= 0
    wrong = known & (predicted.said != (predicted.labels == 1))
    return wrong.sum(axis=1).astype(np.float64), known.sum(axis=1).astype(np.float64)


def _accuracy(predicted: LabelPredictions) -> Derived:
    """Keras's: the share of labels that are right, said from a half on."""
    known = predicted.labels >= 0
    right = known & ((predicted.probabilities > _HALF) == (predicted.labels == 1))
    return _ratio(right.sum(axis=1).astype(np.float64), known.sum(axis=1).astype(np.float64))


def _exact_match(predicted: LabelPredictions) -> Derived:
    return _mean((_wrong(predicted)[0] == 0).astype(np.float64))


def _hamming_loss(predicted: LabelPredictions) -> Derived:
    return _ratio(*_wrong(predicted))


_OF_METRIC: Final[Mapping[str, Callable[[LabelPredictions], Derived]]] = {
    "test_mean_average_precision": _mean_over_labels(average_precision),
    "test_mean_roc_auc": _mean_over_labels(roc_auc),
    "test_micro_average_precision": _micro_average_precision,
    "test_micro_f1": _micro_f1,
    "test_macro_f1": _macro_f1,
    "test_samples_f1": _samples_f1,
    "test_exact_match": _exact_match,
    "test_hamming_loss": _hamming_loss,
    "test_accuracy": _accuracy,
}
