"""Sets of classes that hold the true one as often as was promised: split conformal prediction.

A set has each class whose probability reaches a limit (Sadinle, Lei and Wasserman 2019), and the
most probable one in any case. On average over the draw of the images that the limit is chosen on
and of those that are predicted, it holds the true class at least as often as was promised (Vovk,
Gammerman and Shafer 2005); not within each class, nor for each image.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SetRule:
    """Which classes stand in a set.

    Attributes:
        coverage: how often the true class is promised to.
        least: those whose log-probability is at least this.
    """

    coverage: float
    least: float


def fewest_images_of_sets(coverage: float) -> int:
    """How many images there must be at least, for sets that leave out any class."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def find_set_rule(
    log_probabilities: NDArray[np.float64], labels: NDArray[np.integer[Any]], *, coverage: float
) -> SetRule:
    """The highest limit that keeps the promise.

    Args:
        log_probabilities: `(images, classes)`, of images that had no part in the making of the
            network; at least `fewest_images_of_sets`.
        labels: their true classes, `(images,)`.
        coverage: what is wanted, above 0 and below 1.
    """
    of_labels = np.sort(np.take_along_axis(log_probabilities, labels[:, None], axis=1)[:, 0])
    # Of n + 1 exchangeable values the new one is below the k-th lowest of the others k / (n + 1) of
    # the time at most.
    images = len(of_labels)
    below = math.floor((images + 1) * (1 - coverage) + 1e-9)
    return SetRule(coverage, float(of_labels[below - 1]))


def sets_of(log_probabilities: NDArray[np.float64], rule: SetRule) -> NDArray[np.bool_]:
    """Which classes stand in the set of each image, `(images, classes)`."""
    reaches = log_probabilities >= rule.least
    best = log_probabilities.argmax(axis=1)
    reaches[np.arange(len(best)), best] = True
    return reaches
