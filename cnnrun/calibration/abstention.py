"""Which images to leave unanswered, so that the answers are as accurate as was promised.

Images are answered whose confidence is above a threshold. The promise is that of Learn then Test
(Angelopoulos, Bates, Candès, Jordan and Lei, 2021): with 95 % confidence over the draw of the
images that the threshold is chosen on, the accuracy of what is answered of endlessly many such
images is at least the wanted one.

A threshold is a rank: it lies at the confidence of the image after the k most confident ones. Given
that confidence, these k are independent draws of what would be answered, and their errors are
binomial. Ranks are tried in an order that was fixed beforehand, so that none needs a correction for
the others: from a starting rank on to more and more answers, until one is not good enough
(fixed-sequence testing). From a rank that is small an early error ends this, and few images cannot
speak for a large one: so several starting ranks share the 5 %.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

CONFIDENCE: Final = 0.95
_SPACING: Final = math.sqrt(2)  # between starting ranks


@dataclass(frozen=True)
class Abstention:
    """What is answered.

    Attributes:
        accuracy: of the answers, as promised.
        above: images of a higher log-confidence are answered; minus infinity answers all.
        answered: the share of the images it was chosen on.
    """

    accuracy: float
    above: float
    answered: float


def fewest_images(accuracy: float) -> int:
    """How many images there must be at least, for any threshold to promise an accuracy."""
    return _fewest(accuracy, error=1 - CONFIDENCE)


def highest_accuracy(images: int) -> float:
    """The accuracy that so many images can promise at best, all of them being right."""
    return float((1 - CONFIDENCE) ** (1 / images))


def find_abstention(
    log_confidences: NDArray[np.float64], is_right: NDArray[np.bool_], *, accuracy: float
) -> Abstention | None:
    """The lowest threshold that keeps the promise; None where none can be told to.

    Args:
        log_confidences: logarithms of the highest probabilities, `(images,)`, of images that had
            no part in the making of the network.
        is_right: whether the most probable class is the true one, `(images,)`.
        accuracy: what is wanted, above 0 and below 1.
    """
    order = np.argsort(-log_confidences, kind="stable")
    falling = log_confidences[order]
    images = len(falling)
    wrong = np.concatenate([[0], np.cumsum(~is_right[order])])  # (images + 1,): of the first k
    # What is equally confident is answered together.
    ranks = np.array([*(np.flatnonzero(falling[:-1] > falling[1:]) + 1), images])
    starts = _starting_ranks(images, accuracy)
    limit = (1 - CONFIDENCE) / max(1, len(starts))
    is_good = bdtr(wrong[ranks], ranks, 1 - accuracy) <= limit
    best = max((_last_good(is_good, ranks, start) for start in starts), default=0)
    if not best:
        return None
    above = -math.inf if best == images else float(falling[best])
    return Abstention(accuracy, above, best / images)


def _starting_ranks(images: int, accuracy: float) -> list[int]:
    """All images, and less and less of them, as far as a rank could pass with its share of 5 %."""
    starts: list[int] = []
    rank = images
    while rank >= _fewest(accuracy, error=(1 - CONFIDENCE) / (len(starts) + 1)):
        starts.append(rank)
        rank = int(rank / _SPACING)
    return starts


def _fewest(accuracy: float, *, error: float) -> int:
    """How many right answers without a wrong one it takes to pass."""
    return math.ceil(math.log(error) / math.log(accuracy))


def _last_good(is_good: NDArray[Any], ranks: NDArray[Any], start: int) -> int:
    """The last rank before the first one that is not good, from a starting rank on; else 0."""
    first = int(np.searchsorted(ranks, start))
    bad = np.flatnonzero(~is_good[first:])
    last = first + int(bad[0]) - 1 if len(bad) else len(ranks) - 1
    return int(ranks[last]) if last >= first else 0
