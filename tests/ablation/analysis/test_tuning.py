"""Oracles: parabolas and their minima in closed form, enumeration of all draws, and simulation."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from cnnrun.ablation.analysis.tuning import NOT_TUNED, TuningError, expected_best, tuned_arm

RATES = tuple(float(rate) for rate in np.geomspace(1e-4, 1e-1, 7))


def losses_of(rates: tuple[float, ...], best: float, *, noise: float = 0.0) -> np.ndarray:
    """A parabola in the logarithm with its minimum at `best`, with two seeds."""
    heights = 0.05 + 0.02 * (np.log(rates) - math.log(best)) ** 2
    return heights[:, None] + np.array([-noise, noise])


@pytest.mark.parametrize("best", [4e-4, 3e-3, 2e-2])
def test_the_minimum_of_a_parabola_is_found_between_the_trials(best: float) -> None:
    found = tuned_arm(
        "arm",
        RATES,
        losses := losses_of(RATES, best),
        measured=losses,
        is_logarithmic=True,
    )
    assert found is not None
    assert found.chosen == pytest.approx(best, rel=0.01)
    assert not found.is_at_edge
    assert found.variance == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("best", "at"), [(1e-6, RATES[0]), (50.0, RATES[-1])])
def test_a_minimum_beyond_the_range_is_taken_at_its_end(best: float, at: float) -> None:
    losses = losses_of(RATES, best)
    found = tuned_arm("arm", RATES, losses, measured=losses, is_logarithmic=True)
    assert found is not None
    assert found.is_at_edge
    assert found.chosen == pytest.approx(at, rel=0.01)


def test_the_minimum_stays_between_the_neighbours_of_the_best_trial() -> None:
    heights = np.array([1.0, 0.5, 0.4999, 0.4999, 0.4998, 0.9, 1.0])
    losses = np.stack([heights, heights], axis=1)
    found = tuned_arm("arm", RATES, losses, measured=losses, is_logarithmic=True)
    assert found is not None
    assert found.best == 4
    assert RATES[3] <= found.chosen <= RATES[5]


def test_a_trial_that_diverged_is_never_chosen_and_leaves_no_parabola_through_it() -> None:
    losses = losses_of(RATES, RATES[5])
    losses[6] = math.nan
    losses[4, 1] = math.nan
    found = tuned_arm("arm", RATES, losses, measured=losses, is_logarithmic=True)
    assert found is not None
    assert found.chosen == float(f"{RATES[5]:.3g}")
    assert found.losses[4] == found.losses[6] == math.inf


@pytest.mark.parametrize("diverged", [[6], [5, 6], [0, 5, 6]])
def test_beside_a_trial_that_diverged_the_choice_has_an_error_all_the_same(
    diverged: list[int],
) -> None:
    """The best trial is the last that learns; oracle: by hand, the parabola through the last three
    is the one that all lie on, whose minimum lies beyond and is cut off at the best."""
    losses = losses_of(RATES, 1.5 * RATES[min(d for d in diverged if d) - 1], noise=0.01)
    losses[diverged] = math.nan
    last = min(d for d in diverged if d) - 1
    found = tuned_arm("arm", RATES, losses, measured=losses, is_logarithmic=True)
    assert found is not None
    assert found.best == last
    assert found.chosen == float(f"{RATES[last]:.3g}")
    assert found.variance > 0


def test_between_two_trials_that_learn_the_choice_has_an_error() -> None:
    losses = np.full((7, 2), math.nan)
    losses[2], losses[3] = [0.30, 0.34], [0.31, 0.35]
    found = tuned_arm("arm", RATES, losses, measured=losses, is_logarithmic=True)
    assert found is not None
    assert found.chosen == float(f"{RATES[2]:.3g}")
    # One of two values a hundredth apart, about as often each: at most half of that, squared.
    assert 0 < found.variance <= 0.005**2 * 30 / 29


def test_a_trial_without_what_is_tested_is_none() -> None:
    losses = losses_of(RATES, RATES[3])
    measured = losses.copy()
    measured[3, 0] = math.nan
    found = tuned_arm("arm", RATES, losses, measured=measured, is_logarithmic=True)
    assert found is not None
    assert found.losses[3] == math.inf
    assert found.best != 3


def test_an_arm_all_of_whose_trials_diverged_has_no_value() -> None:
    losses = np.full((7, 2), math.nan)
    assert tuned_arm("arm", RATES, losses, measured=losses, is_logarithmic=True) is None


def test_values_can_be_evenly_spaced_as_they_are() -> None:
    shares = (0.1, 0.2, 0.3, 0.4, 0.5)
    heights = (np.array(shares) - 0.27) ** 2
    losses = np.stack([heights, heights], axis=1)
    found = tuned_arm("arm", shares, losses, measured=losses, is_logarithmic=False)
    assert found is not None
    assert found.chosen == pytest.approx(0.27)


def test_the_best_of_some_trials_is_what_all_draws_of_them_give() -> None:
    losses = [0.3, 0.1, 0.7, 0.2]
    found = expected_best(losses)
    for budget in (1, 2, 3, 4):
        every = [min(draw) for draw in product(losses, repeat=budget)]
        assert found[budget - 1] == pytest.approx(sum(every) / len(every))


def test_a_diverged_trial_makes_the_best_of_few_infinite() -> None:
    assert expected_best([0.1, math.inf]) == (math.inf, math.inf)


def test_the_error_of_the_choice_is_judged_by_what_is_tested() -> None:
    losses = losses_of(RATES, 3e-3, noise=0.01)
    flat = np.full_like(losses, 0.9)
    of_loss = tuned_arm("arm", RATES, losses, measured=losses, is_logarithmic=True)
    of_flat = tuned_arm("arm", RATES, losses, measured=flat, is_logarithmic=True)
    assert of_loss is not None
    assert of_flat is not None
    assert of_loss.chosen == of_flat.chosen
    assert of_loss.variance > 0
    assert of_flat.variance == pytest.approx(0.0, abs=1e-20)


def test_the_error_of_the_choice_widens_students_interval_and_its_p() -> None:
    """With variance 1 over 4 pairs and as much of the choice: Satterthwaite by hand."""
    differences = [-1.0, 1.0, 3.0, 5.0]
    of_mean = float(np.var(differences, ddof=1)) / 4
    error = TuningError(of_mean, 3)
    variance, freedom = error.added_to(of_mean, 3)
    assert variance == pytest.approx(2 * of_mean)
    assert freedom == pytest.approx(6)
    low, high = error.interval(differences, confidence=0.95)
    assert (low + high) / 2 == pytest.approx(2.0)
    assert high - low == pytest.approx(2 * 2.446912 * math.sqrt(variance), rel=1e-5)
    assert error.p(differences) == pytest.approx(2 * stats.t.sf(2 / math.sqrt(variance), 6))
    assert NOT_TUNED.added_to(of_mean, 3) == (of_mean, 3)
    assert NOT_TUNED.p(differences) == 0.0


def test_equal_arms_that_are_tuned_alike_are_called_different_one_time_in_twenty() -> None:
    """Simulated losses whose curve rises faster above its minimum; 1,000 studies of 7 seeds.

    Without the error of the choice the rate is about .09; tests/benchmarks/measure_tuning.py has
    the whole table.
    """
    random = np.random.default_rng(3)
    called = [study_calls_arms_different(random) for _ in range(1000)]
    assert np.mean(called) <= 0.065


def study_calls_arms_different(random: np.random.Generator) -> bool:
    """One study of two equal arms, each with the rate that its own trials say."""
    noise, seeds = 0.03, 7
    places = math.log(3e-4) + (np.arange(5) + random.random()) / 5 * math.log(100)

    def curve(place: np.ndarray) -> np.ndarray:
        away = place - math.log(3e-3)
        return 0.05 + np.where(away < 0, 0.012, 0.05) * away**2

    means, variance = [], 0.0
    for _ in range(2):
        losses = curve(places)[:, None] + random.normal(0, noise, (5, 2))
        found = tuned_arm("arm", np.exp(places), losses, measured=losses, is_logarithmic=True)
        assert found is not None
        means.append(float(curve(np.array(math.log(found.chosen)))))
        variance += found.variance
    differences = means[0] - means[1] + random.normal(0, noise * math.sqrt(2), seeds)
    return TuningError(variance, 3).p(differences) <= 0.05
