"""Accuracy over the number of training images: an inverse power law, and where it leads.

error(n) = limit + scale * (n / N) ** -exponent, with N training images of the largest arm (Cortes
et al. 1994; Viering and Loog 2022 review which other forms there are).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar, nnls
from scipy.stats import norm, t

from cnnrun.ablation.analysis.arm_results import ArmResult

Floats = npt.NDArray[np.float64]
Advice = Literal["more images", "another network", "open", "nothing to gain"]

FEWEST_SIZES: Final = 4
FEWEST_SEEDS: Final = 5
WORTH: Final = 0.1
"""Twice as many images are worth it where they take away at least this share of the mistakes."""
_MEASURE: Final = "test_accuracy"
_IMAGES: Final = "training_images"
_TAIL: Final = 0.025
RESAMPLES: Final = 999
_FARTHEST: Final = 4
_POINTS: Final = 25  # of the drawn curve
_EXPONENTS: Final = (0.02, 2.0)
_LEAST_WEIGHED: Final = 0.01  # of the largest error


@dataclass(frozen=True)
class PowerLaw:
    """The share of mistakes over the number of training images.

    Attributes:
        limit: what stays, however many there are.
        scale: what more images would take away of the mistakes at `images`.
        exponent: how fast.
        images: the number that the others refer to.
    """

    limit: float
    scale: float
    exponent: float
    images: float

    def errors(self, images: Floats) -> Floats:
        """The share of mistakes with so many training images."""
        return np.asarray(self.limit + self.scale * (images / self.images) ** -self.exponent)


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PointOnCurve:
    """What a network is expected to reach with so many training images."""

    images: float
    accuracy: Estimate


@dataclass(frozen=True)
class Extrapolation:
    """A law that fits, and what follows from it.

    Attributes:
        law: the fitted one.
        curve: from the smallest arm to four times the largest.
        twice: with twice as many images as there are.
        four_times: with four times as many.
        fewer_mistakes: the share of the mistakes that twice as many images take away.
        of_smaller: what the law says of the largest arm if it is fitted to all others.
        off: that less what was measured.
        advice: what is worth it.
    """

    law: PowerLaw
    curve: tuple[PointOnCurve, ...]
    twice: PointOnCurve
    four_times: PointOnCurve
    fewer_mistakes: Estimate
    of_smaller: float
    off: Estimate
    advice: Advice

    @property
    def foretells(self) -> bool:
        """Whether the smaller arms foretold the largest, within its interval."""
        return self.off.low <= 0 <= self.off.high


@dataclass(frozen=True)
class SizeArm:
    """An arm: how many images it trained on, and seed -> its test accuracy."""

    name: str
    images: float
    accuracies: dict[int, float]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(list(self.accuracies.values())))


@dataclass(frozen=True)
class SizeCurve:
    """What a study of training sizes came to.

    Attributes:
        arms: by their images, rising, with the seeds that all of them have.
        fit: None where there are too few to fit a law to.
        why_not: the reason; empty where there is one.
    """

    arms: tuple[SizeArm, ...]
    fit: Extrapolation | None
    why_not: str = ""


def size_curve(arms: Sequence[ArmResult]) -> SizeCurve | None:
    """The curve of a study whose arms differ in their `data.train_share`; None of any other.

    Seeds that failed or diverged in some arm are left out, so that all sizes have the same.
    """
    shares = [each.arm.config.data.train_share for each in arms]
    if None in shares or len(set(shares)) < len(shares):
        return None
    seeds = [
        seed
        for seed in arms[0].measures.get(_MEASURE, {})
        if all(_is_there(each, seed) for each in arms)
    ]
    sized = [
        SizeArm(
            each.arm.name,
            float(np.mean([each.measures[_IMAGES][seed] for seed in seeds])),
            {seed: each.measures[_MEASURE][seed] for seed in seeds},
        )
        for each in (arms if seeds else ())
    ]
    sized.sort(key=lambda each: each.images)
    why_not = ""
    if len(seeds) < FEWEST_SEEDS:
        why_not = f"it takes {FEWEST_SEEDS} seeds that converged in every arm, and {len(seeds)} did"
    elif len(sized) < FEWEST_SIZES:
        why_not = f"it takes {FEWEST_SIZES} sizes, and there are {len(sized)}"
    if why_not:
        return SizeCurve(tuple(sized), None, why_not)
    errors = 1 - np.array([list(each.accuracies.values()) for each in sized])
    if not errors.max():
        return SizeCurve(tuple(sized), None, "no arm made a mistake")
    images = np.array([arm.images for arm in sized])
    return SizeCurve(tuple(sized), extrapolate(images, errors, resamples=RESAMPLES))


def _is_there(arm: ArmResult, seed: int) -> bool:
    measured = all(seed in arm.measures.get(name, {}) for name in (_MEASURE, _IMAGES))
    return measured and seed not in arm.diverged


def extrapolate(images: Floats, errors: Floats, *, resamples: int) -> Extrapolation:
    """The law through the mean errors, with intervals by the bootstrap over seeds.

    A seed is drawn with all of its sizes, since these share its split and its images. The
    percentiles are expanded as for a t interval of so many seeds (Hesterberg 2015, What Teachers
    Should Know About the Bootstrap), without which few seeds make them too narrow. An interval
    holds that of the law without a limit as well, which a limit that is not below 0 shuts out.

    Args:
        images: `(sizes,)`, rising, at least four.
        errors: `(sizes, seeds)`, the share of mistakes.
        resamples: how often seeds are drawn.
    """
    means = errors.mean(axis=1)
    seeds = errors.shape[1]
    drawn = np.random.default_rng(0).integers(seeds, size=(resamples, seeds))
    resampled = [errors[:, each].mean(axis=1) for each in drawn]
    tail = norm.cdf(-np.sqrt(seeds / (seeds - 1)) * t.ppf(1 - _TAIL, seeds - 1))
    there = float(images[-1])
    sizes = np.geomspace(images[0], _FARTHEST * there, _POINTS)
    sizes = np.concatenate([sizes, [2 * there, _FARTHEST * there, there]])
    fitted = partial(fitted_law, images, weights_of(means))
    of_smaller = partial(fitted_law, images[:-1], weights_of(means[:-1]), has_limit=True)

    def promised(of: Floats, *, has_limit: bool) -> Floats:
        """The accuracies at `sizes`, and the share of mistakes that twice as many take away."""
        curve = fitted(of, has_limit=has_limit).errors(sizes)
        return np.array([*(1 - curve), 1 - curve[-3] / curve[-1] if curve[-1] else 0.0])

    def off(of: Floats) -> float:
        """The accuracy of the largest arm by the law of the smaller ones, less its own."""
        return float(of[-1] - of_smaller(of[:-1]).errors(images[-1:])[0])

    ends = np.array(
        [
            np.quantile([promised(of, has_limit=limit) for of in resampled], [tail, 1 - tail], 0)
            for limit in (True, False)
        ]
    )
    lows, highs = ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)
    rows = zip(promised(means, has_limit=True).tolist(), lows.tolist(), highs.tolist(), strict=True)
    *accuracies, taken = [Estimate(*row) for row in rows]
    *curve, twice, four_times, _ = [
        PointOnCurve(*each) for each in zip(sizes.tolist(), accuracies, strict=True)
    ]
    low, high = np.quantile([off(of) for of in resampled], [tail, 1 - tail]).tolist()
    is_off = Estimate(off(means), low, high)
    return Extrapolation(
        law=fitted(means, has_limit=True),
        curve=tuple(curve),
        twice=twice,
        four_times=four_times,
        fewer_mistakes=taken,
        of_smaller=float(1 - means[-1]) + is_off.value,
        off=is_off,
        advice=_advice(taken, is_off, error=float(means[-1])),
    )


def weights_of(errors: Floats) -> Floats:
    """How much each size counts: mistakes are numbers of images, whose variance is their mean."""
    return np.asarray(np.maximum(errors, _LEAST_WEIGHED * errors.max()) ** -0.5)


def fitted_law(images: Floats, weights: Floats, errors: Floats, *, has_limit: bool) -> PowerLaw:
    """The law of least weighted squares, whose limit and scale are not below 0.

    Args:
        images: `(sizes,)`, rising.
        weights: `(sizes,)`, of the residuals.
        errors: `(sizes,)`.
        has_limit: whether its limit may be above 0.
    """
    relative = images / images[-1]

    def solved(exponent: float) -> tuple[Floats, float]:
        limits = np.full_like(relative, float(has_limit))
        terms = np.stack([limits, relative**-exponent], axis=1)
        solution, residual = nnls(terms * weights[:, None], errors * weights)
        return solution, float(residual)

    found = minimize_scalar(
        lambda exponent: solved(exponent)[1],
        bounds=_EXPONENTS,
        method="bounded",
        options={"xatol": 1e-3},
    )
    limit, scale = solved(found.x)[0].tolist()
    return PowerLaw(limit, scale, float(found.x), float(images[-1]))


def _advice(taken: Estimate, off: Estimate, *, error: float) -> Advice:
    if not error:
        return "nothing to gain"
    if not off.low <= 0 <= off.high:
        return "open"
    if taken.low >= WORTH:
        return "more images"
    return "another network" if taken.high < WORTH else "open"


def size_curve_json(curve: SizeCurve) -> dict[str, Any]:
    """The content of results.json about it."""
    return {
        "arms": [{"name": arm.name, "images": arm.images, "mean": arm.mean} for arm in curve.arms],
        "seeds": list(curve.arms[0].accuracies) if curve.arms else [],
        "fit": None if curve.fit is None else asdict(curve.fit),
        "why_not": curve.why_not,
    }
