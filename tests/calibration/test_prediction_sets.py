"""Prediction sets hold the true class as often as they promise. Oracle: simulated networks."""

import numpy as np
import pytest
from scipy.special import log_softmax

from cnnrun.calibration.prediction_sets import (
    fewest_images_of_sets,
    find_set_rule,
    sets_of,
)


def simulated(images: int, *, temperature: float, random: np.random.Generator) -> tuple:
    """A network of six classes whose probabilities are off by a temperature."""
    logits = random.normal(size=(images, 6)) * 1.5
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return log_softmax(logits * temperature, axis=1), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("images", [40, 270])
def test_95_of_100_sets_hold_the_true_class(images: int, temperature: float) -> None:
    """95 % plus or minus 1: beyond it, by at most one in images + 1, the promise has to go."""
    random = np.random.default_rng(images)
    held = []
    for _ in range(600):
        rule = find_set_rule(
            *simulated(images, temperature=temperature, random=random), coverage=0.95
        )
        log_probabilities, labels = simulated(200, temperature=temperature, random=random)
        held.append(sets_of(log_probabilities, rule)[np.arange(200), labels].mean())
    assert 0.94 <= np.mean(held) <= 0.96 + 1 / (images + 1)


def test_sets_are_never_empty() -> None:
    random = np.random.default_rng(0)
    rule = find_set_rule(*simulated(500, temperature=1.0, random=random), coverage=0.2)
    log_probabilities, _ = simulated(100, temperature=1.0, random=random)
    sets = sets_of(log_probabilities, rule)
    assert sets.any(axis=1).all()
    assert sets[np.arange(100), log_probabilities.argmax(axis=1)].all()


def test_a_higher_promise_has_larger_sets() -> None:
    random = np.random.default_rng(0)
    drawn = simulated(500, temperature=1.0, random=random)
    sizes = [
        sets_of(drawn[0], find_set_rule(*drawn, coverage=each)).sum() for each in (0.8, 0.9, 0.99)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize(("coverage", "fewest"), [(0.9, 9), (0.95, 19), (0.99, 99), (0.5, 1)])
def test_the_fewest_images_that_leave_out_a_class(coverage: float, fewest: int) -> None:
    assert fewest_images_of_sets(coverage) == fewest
    random = np.random.default_rng(0)
    find_set_rule(*simulated(fewest, temperature=1.0, random=random), coverage=coverage)
