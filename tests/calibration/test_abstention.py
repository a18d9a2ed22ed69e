"""Abstention keeps its promise. Oracle: networks whose accuracy at each confidence is known."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from cnnrun.calibration.abstention import (
    CONFIDENCE,
    fewest_images,
    find_abstention,
    highest_accuracy,
)

SIMULATIONS = 2000
# Three standard errors of a share of .05.
ALLOWED = 1 - CONFIDENCE + 3 * (0.05 * 0.95 / SIMULATIONS) ** 0.5


def simulated(images: int, *, power: float, floor: float, seed: int) -> tuple:
    """Confidences s of uniform draws, right with the probability 1 - floor - (1 - s)^power / 2."""
    random = np.random.default_rng(seed)
    scores = random.random(images)
    return np.log(scores), random.random(images) < 1 - floor - (1 - scores) ** power / 2


def true_accuracy(above: float, *, power: float, floor: float) -> float:
    """The accuracy of what is answered: the mean of the formula above a threshold."""
    rest = 1 - math.exp(above)
    return 1 - floor - rest**power / (2 * (power + 1))


@pytest.mark.parametrize(
    ("images", "accuracy", "power", "floor"),
    [
        (60, 0.90, 1.0, 0.0),
        (270, 0.98, 3.0, 0.002),
        (270, 0.95, 1.0, 0.02),
        (1000, 0.98, 3.0, 0.005),
        (1000, 0.90, 0.3, 0.0),
        (200, 0.90, 0.0, -0.4),  # no threshold matters: right with .9 everywhere
        (200, 0.90, 0.0, -0.38),  # nothing is good enough
    ],
)
def test_at_most_5_of_100_promises_are_broken(
    images: int, accuracy: float, power: float, floor: float
) -> None:
    broken = 0
    for seed in range(SIMULATIONS):
        drawn = simulated(images, power=power, floor=floor, seed=seed)
        found = find_abstention(*drawn, accuracy=accuracy)
        if found is not None:
            true = true_accuracy(found.above, power=power, floor=floor)
            broken += true < accuracy - 1e-12
    assert broken / SIMULATIONS <= ALLOWED


def test_it_is_found_where_it_exists() -> None:
    """A network of .875 answers most of what it could, .74 of the images, at .95."""
    found = [
        find_abstention(*simulated(1000, power=3.0, floor=0.0, seed=seed), accuracy=0.95)
        for seed in range(100)
    ]
    shares = [each.answered if each else 0.0 for each in found]
    assert np.mean(shares) > 0.5


def test_a_network_that_is_good_enough_answers_everything() -> None:
    log_confidences, _ = simulated(500, power=1.0, floor=0.0, seed=0)
    found = find_abstention(log_confidences, np.ones(500, bool), accuracy=0.98)
    assert found is not None
    assert (found.above, found.answered) == (-math.inf, 1.0)


def test_a_network_that_is_wrong_everywhere_answers_nothing() -> None:
    log_confidences, _ = simulated(500, power=1.0, floor=0.0, seed=0)
    assert find_abstention(log_confidences, np.zeros(500, bool), accuracy=0.9) is None


def test_images_of_equal_confidence_are_answered_together() -> None:
    """As where float32 has only 1 left to say."""
    log_confidences = np.log(np.repeat([1.0, 0.9, 0.8], 200))
    is_right = np.repeat([True, True, False], 200)
    found = find_abstention(log_confidences, is_right, accuracy=0.95)
    assert found is not None
    assert found.answered == pytest.approx(2 / 3)
    assert found.above == pytest.approx(math.log(0.8))


@pytest.mark.parametrize("accuracy", [0.5, 0.9, 0.98, 0.999])
def test_the_fewest_images_are_those_of_the_binomial_distribution(accuracy: float) -> None:
    """Oracle: SciPy's binomial distribution without an error."""
    fewest = fewest_images(accuracy)
    assert binom.cdf(0, fewest, 1 - accuracy) <= 0.05 < binom.cdf(0, fewest - 1, 1 - accuracy)
    assert highest_accuracy(fewest - 1) < accuracy <= highest_accuracy(fewest)
    right = np.ones(fewest, bool)
    confidences = np.log(np.linspace(0.5, 0.9, fewest))
    assert find_abstention(confidences, right, accuracy=accuracy) is not None
    assert find_abstention(confidences[1:], right[1:], accuracy=accuracy) is None
