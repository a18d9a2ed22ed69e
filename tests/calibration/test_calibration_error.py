"""The calibration error: published formulas written out, and simulations of known networks."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import binom

from cnnrun.calibration.calibration_error import BINS, calibration_error, reliability_bins

SIMULATIONS = 1000


def drawn(images: int, *, off: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Confidences of a network that is right less often by `off`, and whether it is right."""
    random = np.random.default_rng(seed)
    confidences = random.beta(5, 1.2, images).clip(0.3, 1)
    return confidences, random.random(images) < confidences - off


def errors_of(images: int, *, off: float) -> Iterator:
    for seed in range(SIMULATIONS):
        yield calibration_error(reliability_bins(*drawn(images, off=off, seed=seed)))


def test_the_plain_error_is_the_formula_of_guo_et_al() -> None:
    """Oracle: the definition, image by image and bin by bin."""
    confidences, is_right = drawn(400, off=0.1, seed=0)
    confidences[:3] = 1.0, 1 / BINS * 9, 0.0
    expected = 0.0
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = (confidences > low) & (confidences <= high)
        inside |= (confidences == 0) & (number == 0)
        if inside.any():
            gap = abs(confidences[inside].mean() - is_right[inside].mean())
            expected += inside.sum() / 400 * gap
    found = calibration_error(reliability_bins(confidences, is_right))
    assert found.value == pytest.approx(expected, rel=1e-12)


def test_the_debiased_square_is_the_formula_of_kumar_et_al() -> None:
    """Oracle: definition 5.1, written out."""
    confidences, is_right = drawn(400, off=0.1, seed=0)
    numbers = np.ceil(confidences * BINS)
    expected = 0.0
    for number in np.unique(numbers):
        inside = numbers == number
        count, share = inside.sum(), is_right[inside].mean()
        if count > 1:
            distance = (confidences[inside].mean() - share) ** 2
            expected += count / 400 * (distance - share * (1 - share) / (count - 1))
    found = calibration_error(reliability_bins(confidences, is_right))
    assert found.debiased_square == pytest.approx(expected, rel=1e-12)
    assert found.debiased == pytest.approx(max(0, expected) ** 0.5)


def test_perfect_probabilities_have_no_debiased_error_but_a_plain_one() -> None:
    """Oracle: a simulated network that is right as often as it says."""
    errors = list(errors_of(270, off=0.0))
    plain = np.array([each.value for each in errors])
    squares = np.array([each.debiased_square for each in errors])
    assert plain.mean() > 0.03
    assert squares.mean() == pytest.approx(0, abs=4 * squares.std() / SIMULATIONS**0.5)
    by_chance = np.mean([each.by_chance for each in errors])
    assert by_chance == pytest.approx(plain.mean(), rel=0.05)


@pytest.mark.parametrize("off", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("images", [60, 270, 2000])
def test_the_interval_holds_the_true_error(images: int, off: float) -> None:
    """Oracle: the bins' true distances, known from how the labels were drawn; at least 94 %."""
    held = 0
    for seed in range(SIMULATIONS):
        confidences, is_right = drawn(images, off=off, seed=seed)
        low, high = calibration_error(reliability_bins(confidences, is_right)).interval
        held += low <= off <= high
    assert held / SIMULATIONS >= 0.94


def test_the_part_of_chance_is_the_mean_deviation_of_a_binomial_distribution() -> None:
    """Oracle: SciPy's binomial distribution, summed."""
    for images, confidence in ((1, 1.0), (7, 0.93), (40, 0.5), (3, 0.999)):
        bins = reliability_bins(np.full(images, confidence), np.ones(images, bool))
        right = np.arange(images + 1)
        distances = np.abs(right / images - confidence)
        expected = binom.pmf(right, images, confidence) @ distances
        assert calibration_error(bins).by_chance == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("images", [1, 2, 300])
def test_a_network_that_is_always_right_and_certain(images: int) -> None:
    found = calibration_error(reliability_bins(np.ones(images), np.ones(images, bool)))
    assert (found.value, found.by_chance, found.debiased) == (0, 0, 0)
    assert found.interval[0] == 0 < found.interval[1] < 1
