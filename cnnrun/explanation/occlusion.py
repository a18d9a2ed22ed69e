"""Occlusion: how much less sure a network is of a class where a part of the image is covered.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014,
arXiv:1311.2901): a square of one colour is moved over the image. It needs no gradient, and so says
of any network, an exported one too, whether what Grad-CAM points at matters.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from cnnrun.assembly.targets import class_probabilities, log_probabilities
from cnnrun.calibration.probability_map import floored_logarithm
from cnnrun.errors import InputError
from cnnrun.evaluation.prediction import Classifier, batches, inference

_SQUARES_A_SIDE: Final = 6
_SMALLEST_SQUARE: Final = 2
_PIXELS_AT_ONCE: Final = 2_000_000
_MOST_AT_ONCE: Final = 64


@dataclass(frozen=True)
class Squares:
    """Where an image is covered.

    Attributes:
        side: of the square, in pixels.
        tops: the rows where it begins.
        lefts: the columns where it begins.
    """

    side: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Occlusion:
    """What covering does to a class.

    Attributes:
        fall: how far its log-odds fall, `(tops, lefts)`; below 0 where they rise.
        least: the smallest probability that is left to it.
    """

    fall: NDArray[np.float64]
    least: float


def squares_of(height: int, width: int, *, side: int | None) -> Squares:
    """The squares of an image, each half over the next, the last ones at its edge.

    Args:
        height: of the image.
        width: of the image.
        side: of the square, in pixels; None for a sixth of the image's shorter side.

    Raises:
        InputError: the square would leave nothing of the image.
    """
    shorter = min(height, width)
    side = side or max(_SMALLEST_SQUARE, round(shorter / _SQUARES_A_SIDE))
    if side >= shorter:
        raise InputError.at(
            "--square",
            rule=f"must be smaller than the image, which is {height}x{width} for this network",
            received=str(side),
            advice="leave it out for a sixth of its shorter side",
        )
    step = max(1, side // 2)
    return Squares(side, *(_begins(length, side, step) for length in (height, width)))


def occlude(
    classifier: Classifier, pixels: NDArray[Any], classes: Sequence[int], squares: Squares
) -> list[Occlusion]:
    """What covering one image does to some classes.

    The square has the image's mean colour. Log-odds, the logarithm of p / (1 - p), tell apart what
    is certain and what is more than certain, where probabilities are all nearly 1.

    Args:
        classifier: the network.
        pixels: `(height, width, channels)`, 0 to 255.
        classes: the numbers of the classes.
        squares: where to cover it.
    """
    odds = _log_odds_of(classifier, classes)
    at_once = min(_MOST_AT_ONCE, max(1, _PIXELS_AT_ONCE // (pixels.shape[0] * pixels.shape[1])))
    whole = odds(pixels[None].astype(np.float32))[0]
    covered = np.concatenate(
        [odds(np.stack(batch)) for batch in batches(_covered(pixels, squares), at_once)]
    ).reshape(len(squares.tops), len(squares.lefts), len(classes))
    return [
        Occlusion(
            fall=whole[place] - covered[..., place],
            least=float(expit(covered[..., place].min())),
        )
        for place in range(len(classes))
    ]


def over_the_image(
    fall: NDArray[np.float64], squares: Squares, *, height: int, width: int
) -> NDArray[np.float64]:
    """For each pixel the mean of the squares that cover it, `(height, width)`."""
    total, times = np.zeros((height, width)), np.zeros((height, width))
    for row, top in enumerate(squares.tops):
        for column, left in enumerate(squares.lefts):
            place = np.s_[top : top + squares.side, left : left + squares.side]
            total[place] += fall[row, column]
            times[place] += 1
    return total / times


def _begins(length: int, side: int, step: int) -> tuple[int, ...]:
    begins = range(0, length - side + 1, step)
    last = length - side
    return (*begins, last) if begins[-1] < last else tuple(begins)


def _covered(pixels: NDArray[Any], squares: Squares) -> Iterator[NDArray[np.float32]]:
    image = pixels.astype(np.float32)
    mean = image.mean(axis=(0, 1))
    for top in squares.tops:
        for left in squares.lefts:
            covered = image.copy()
            covered[top : top + squares.side, left : left + squares.side] = mean
            yield covered


def _log_odds_of(
    classifier: Classifier, classes: Sequence[int]
) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """From pixels to the log-odds of some classes, `(images, classes)`."""
    infer = inference(classifier, compiled=False)

    def log_odds(pixels: NDArray[Any]) -> NDArray[np.float64]:
        predictions = infer(pixels)
        if classifier.output.is_multi_label:  # whose labels do not compete
            own = class_probabilities(predictions, classifier.output)[:, list(classes)]
            return np.asarray(floored_logarithm(own) - floored_logarithm(1 - own))
        logs = log_probabilities(predictions, classifier.output)
        others = [logsumexp(np.delete(logs, number, axis=1), axis=1) for number in classes]
        odds: NDArray[np.float64] = logs[:, list(classes)] - np.stack(others, axis=1)
        return odds

    return log_odds
