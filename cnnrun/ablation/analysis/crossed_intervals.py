"""A contrast over seeds and images: how far it reaches, for new seeds and other such images.

One formula serves a fixed split, a new split a seed, and folds. Cells are the repetitions (seeds or
folds), images are those that any cell tests. The variance over images joins the one over seeds as
cases join readers in studies of diagnosis: the covariance between cells that test the same images
is a U-statistic (Gallas, Bandos, Samuelson and Wagner 2009, A framework for random-effects ROC
analysis), and images as clusters are its floor. What this covers was simulated with populations
drawn from real predictions, see tests/benchmarks/measure_verdicts.py.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from cnnrun.ablation.analysis.tuning import TuningError

Numbers = NDArray[np.float64]

POWER: Final = 0.8
"""The chance with which a study finds the difference that it is said to be able to find."""
_INFLUENTIAL: Final = 3
_SMALLEST_P: Final = 1e-12
_BISECTIONS: Final = 60


@dataclass(frozen=True)
class CrossedContrast:
    """A contrast with its error over seeds and images.

    Attributes:
        mean: the mean over cells of their means over images.
        cells: how many seeds or folds there are.
        images: how many images any of them tests.
        seed_variance: the variance of the mean by seeds alone.
        image_variance: the same by images alone, which are clusters of cells.
        variance: by both, and by the choice of tuned values.
        freedom: the degrees of freedom of `variance`.
        effective_images: those of `image_variance`: on how many images the difference rests.
        skewness: of the mean over images, as Hall's correction takes it: skewness / sqrt(images).
        influential_share: of the three images that contribute most to the difference; it may exceed
            1, where others speak against it; NaN for no difference.
    """

    mean: float
    cells: int
    images: int
    seed_variance: float
    image_variance: float
    variance: float
    freedom: float
    effective_images: float
    skewness: float
    influential_share: float

    def interval(self, *, confidence: float) -> tuple[float, float]:
        """Both ends of the interval at `confidence`, such as 0.95."""
        tail = (1 - confidence) / 2
        lower, upper = self._below(tail), self._above(tail)
        return self.mean - lower, self.mean + upper

    def p(self) -> float:
        """The two-sided p of no difference: where an interval just reaches 0."""
        return min(1.0, 2 * min(self.p_above(0.0), self.p_below(0.0)))

    def p_above(self, bound: float) -> float:
        """The one-sided p of a difference of at most `bound`: small where it is above."""
        return _tail_reaching(self.mean - bound, self._below)

    def p_below(self, bound: float) -> float:
        """The one-sided p of a difference of at least `bound`: small where it is below."""
        return _tail_reaching(bound - self.mean, self._above)

    @property
    def could_find(self) -> float:
        """The true difference that such a study finds at 5 % with a chance of 80 %."""
        return detectable(variance=self.variance, freedom=self.freedom)

    def with_tuning(self, error: TuningError) -> "CrossedContrast":
        """The same with the error that the choice of tuned values adds."""
        variance, freedom = error.added_to(self.variance, self.freedom)
        return replace(self, variance=variance, freedom=freedom)

    def _below(self, tail: float) -> float:
        """How far the interval reaches down, where `tail` of the probability lies beyond."""
        return self._half_width(tail, hall=self._hall(float(ndtri(1 - tail))))

    def _above(self, tail: float) -> float:
        """How far the interval reaches up, where `tail` of the probability lies beyond."""
        return self._half_width(tail, hall=self._hall(float(ndtri(tail))))

    def _half_width(self, tail: float, *, hall: float) -> float:
        """How far the interval reaches to a side.

        Hall's transformation (1992, On the removal of skewness by transformation) widens only the
        side on which an unseen tail of the images would lie.
        """
        both = float(stdtrit(self.freedom, 1 - tail))
        images = float(stdtrit(self.effective_images, 1 - tail))
        skewed = max(hall**2 - images**2, 0.0)
        return math.sqrt(both**2 * self.variance + skewed * self.image_variance)

    def _hall(self, normal: float) -> float:
        a = self.skewness
        if abs(a) < 1e-9:  # the limit, where the quotient would lose all digits
            return normal
        return 3 / a * (float(np.cbrt(1 + a * (normal - a / 6))) - 1)


def crossed_contrast(differences: Numbers) -> CrossedContrast:
    """The contrast of cells that test images.

    Args:
        differences: the contrast of an image's losses in a cell, `(cells, images)`; NaN where the
            cell does not test the image. At least two cells, each with an image, and two images.
    """
    tested = np.isfinite(differences)
    used = differences[:, tested.any(axis=0)]
    tested = np.isfinite(used)
    cells, images = used.shape
    sizes = tested.sum(axis=1)
    means = np.where(tested, used, 0.0).sum(axis=1) / sizes
    mean = float(means.mean())
    seed_variance = float(means.var(ddof=1)) / cells
    factor = images / (images - 1)
    within = np.where(tested, used - means[:, None], 0.0) / sizes[:, None]
    shared = float((within.sum(axis=0) ** 2).sum() - (within**2).sum())
    covariance = factor * shared / (cells * (cells - 1))
    around = np.where(tested, used - mean, 0.0) / (cells * sizes[:, None])
    of_images = around.sum(axis=0)
    image_variance = factor * float((of_images**2).sum())
    variance = max(seed_variance + max(covariance, 0.0), image_variance)
    skewness, kurtosis = _shape(of_images)
    effective = _effective(images, kurtosis)
    return CrossedContrast(
        mean=mean,
        cells=cells,
        images=images,
        seed_variance=seed_variance,
        image_variance=image_variance,
        variance=variance,
        freedom=_freedom(variance, (seed_variance, cells - 1), (image_variance, effective)),
        effective_images=effective,
        skewness=skewness / math.sqrt(images),
        influential_share=_influential_share(
            np.where(tested, used, 0.0) / (cells * sizes[:, None]), mean
        ),
    )


def image_contrast(differences: Numbers) -> CrossedContrast:
    """The contrast of two networks, over images alone.

    Args:
        differences: of an image's losses, `(images,)`, at least two.
    """
    images = len(differences)
    mean = float(differences.mean())
    weighted = differences / images
    skewness, kurtosis = _shape(weighted - mean / images)
    effective = _effective(images, kurtosis)
    variance = float(differences.var(ddof=1)) / images
    return CrossedContrast(
        mean=mean,
        cells=1,
        images=images,
        seed_variance=0.0,
        image_variance=variance,
        variance=variance,
        freedom=effective,
        effective_images=effective,
        skewness=skewness / math.sqrt(images),
        influential_share=_influential_share(weighted[None, :], mean),
    )


def detectable(*, variance: float, freedom: float) -> float:
    """The true difference that a test at 5 % finds with a chance of 80 %, about.

    Args:
        variance: of the mean difference.
        freedom: its degrees of freedom.
    """
    quantiles = float(stdtrit(freedom, 0.975)) + float(stdtrit(freedom, POWER))
    return quantiles * math.sqrt(variance)


def _effective(images: int, kurtosis: float) -> float:
    """The degrees of freedom of a variance over images: fewer, the heavier their tails are."""
    return min(images - 1.0, 2 * images / max(kurtosis - 1, 1.0))


def _freedom(variance: float, *parts: tuple[float, float]) -> float:
    """Satterthwaite's degrees of freedom (1946) of a variance of parts with theirs."""
    spread = sum(part**2 / freedom for part, freedom in parts)
    return variance**2 / spread if spread > 0 else parts[0][1]


def _shape(values: Numbers) -> tuple[float, float]:
    """Skewness and kurtosis; those of a normal distribution where all values are equal."""
    centred = values - values.mean()
    second = float((centred**2).mean())
    # Rounding alone is no spread.
    if second <= (1e-12 * float(np.abs(values).max(initial=0.0))) ** 2:
        return 0.0, 3.0
    return (
        float((centred**3).mean()) / second**1.5,
        float((centred**4).mean()) / second**2,
    )


def _influential_share(weighted: Numbers, mean: float) -> float:
    if mean == 0:
        return math.nan
    largest = np.sort(weighted.sum(axis=0) * math.copysign(1, mean))[-_INFLUENTIAL:]
    return float(largest.sum()) / abs(mean)


def _tail_reaching(distance: float, half_width: Callable[[float], float]) -> float:
    """The tail whose half-width is this distance, by bisection; 1 where none is."""
    if distance <= half_width(0.5):
        return 1.0
    low, high = math.log(_SMALLEST_P), math.log(0.5)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if half_width(math.exp(middle)) < distance else (middle, high)
    return math.exp(high)
