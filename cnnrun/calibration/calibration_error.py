"""How far probabilities are from how often they are right: the expected calibration error.

The plain error is the one of Guo et al. (2017): the confidences, which are the highest
probabilities, are put into 15 bins of equal width, and the distances between mean confidence and
accuracy are averaged over the images. It is above 0 for perfect probabilities as well, since the
accuracy of a few images is never quite its expectation: so beside it stand how much of it that
makes, a debiased estimate, and an interval.

Shapes: confidences and whether they are right are `(images,)`.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, ndtri, xlog1py, xlogy

BINS: Final = 15
_CONFIDENCE: Final = 0.95

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReliabilityBins:
    """Images by their confidence; only bins that hold some.

    Attributes:
        images: how many there are, `(bins,)`.
        confidence: their mean, `(bins,)`.
        accuracy: the share that is right, `(bins,)`.
    """

    images: FloatArray
    confidence: FloatArray
    accuracy: FloatArray

    @property
    def weights(self) -> FloatArray:
        """The share of all images, `(bins,)`."""
        return np.asarray(self.images / self.images.sum())

    @property
    def gaps(self) -> FloatArray:
        """How far confidence and accuracy lie apart, `(bins,)`."""
        return np.abs(self.confidence - self.accuracy)


@dataclass(frozen=True)
class CalibrationError:
    """How far probabilities are from how often they are right.

    Attributes:
        value: the plain expected calibration error.
        interval: at least 95 % of such intervals hold the error that these bins would have with
            endlessly many images.
        by_chance: what the plain error would be, on average, if the confidences were right.
        debiased: the root of the mean squared distance, of which the part that chance makes was
            taken off: 0 where nothing is left.
        debiased_square: the square of that, which may be below 0; it is unbiased.
    """

    value: float
    interval: tuple[float, float]
    by_chance: float
    debiased: float
    debiased_square: float


def reliability_bins(confidences: NDArray[Any], is_right: NDArray[np.bool_]) -> ReliabilityBins:
    """The images in bins of equal width, each with its upper edge.

    Args:
        confidences: from 0 to 1, `(images,)`.
        is_right: `(images,)`.
    """
    numbers = bin_numbers(confidences)
    images = np.bincount(numbers, minlength=BINS).astype(np.float64)
    held = images > 0
    sums = (np.bincount(numbers, weights, BINS)[held] for weights in (confidences, is_right))
    confidence, accuracy = (each / images[held] for each in sums)
    return ReliabilityBins(images[held], confidence, accuracy)


def bin_numbers(confidences: NDArray[Any]) -> NDArray[np.int64]:
    """The number of the bin that each confidence is in, of any shape."""
    numbers: NDArray[np.int64] = np.ceil(confidences * BINS).astype(np.int64) - 1
    return np.asarray(np.clip(numbers, 0, BINS - 1))


def calibration_error(bins: ReliabilityBins) -> CalibrationError:
    """The expected calibration error, with what chance makes of it."""
    value = float(bins.weights @ bins.gaps)
    square = _debiased_square(bins)
    return CalibrationError(
        value=value,
        interval=_interval(bins, value),
        by_chance=float(bins.weights @ _deviation_by_chance(bins)),
        debiased=max(0.0, square) ** 0.5,
        debiased_square=square,
    )


def _debiased_square(bins: ReliabilityBins) -> float:
    """The mean squared distance, less the variance of the accuracies.

    Its source: Kumar, Liang and Ma, "Verified uncertainty calibration" (2019), definition 5.1; the
    same as Bröcker's debiased reliability (2012). A bin of one image tells nothing of its variance,
    and is left out.
    """
    several = bins.images > 1
    variances = bins.accuracy * (1 - bins.accuracy) / np.maximum(bins.images - 1, 1)
    return float((bins.weights * (bins.gaps**2 - variances))[several].sum())


def _deviation_by_chance(bins: ReliabilityBins) -> FloatArray:
    """The mean distance of a bin whose images are right as often as their mean confidence says.

    It is the mean absolute deviation of a binomial distribution, by De Moivre's formula (Diaconis
    and Zabell, "Closed form summation for classical distributions", 1991).
    """
    images, share = bins.images, bins.confidence
    first = np.minimum(np.floor(images * share) + 1, images)
    deviation = 2 * first * (1 - share) * _binomial(first, images, share)
    return np.asarray(deviation / images)


def _binomial(successes: FloatArray, trials: FloatArray, probability: FloatArray) -> FloatArray:
    """The probability of so many successes.

    By hand, for SciPy's statistics take a second to load, and every training tests its network.
    """
    others = trials - successes
    ways = -np.log1p(trials) - betaln(successes + 1, others + 1)
    logarithm = ways + xlogy(successes, probability) + xlog1py(others, -probability)
    return np.asarray(np.exp(logarithm))


def _interval(bins: ReliabilityBins, value: float) -> tuple[float, float]:
    """An interval that allows for the bias: the plain error is too high, and never too low."""
    most_bias, error = bias_and_error(bins)
    return around(value, most_bias=most_bias, error=error)


def bias_and_error(bins: ReliabilityBins) -> tuple[float, float]:
    """How much too high the plain error is at most, on average; and its standard error.

    On average it exceeds the true one by at most the mean absolute deviation of the accuracies. The
    variance is that of Agresti and Coull (1998), which is not 0 where all images are right.
    """
    share = (bins.accuracy * bins.images + 2) / (bins.images + 4)
    errors = np.sqrt(share * (1 - share) / bins.images)
    most_bias = float(bins.weights @ errors * np.sqrt(2 / np.pi))
    return most_bias, float(np.sqrt((bins.weights**2) @ (errors**2)))


def around(value: float, *, most_bias: float, error: float) -> tuple[float, float]:
    """The 95 % interval of a plain error that is too high by `most_bias` at most, from 0 to 1."""
    reach = float(ndtri((1 + _CONFIDENCE) / 2)) * error
    return max(0.0, value - most_bias - reach), min(1.0, value + reach)
