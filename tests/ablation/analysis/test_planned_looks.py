"""Planned looks against enumeration, the published table's numbers, and simulated studies."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from cnnrun.ablation.analysis.paired_tests import sign_flip_p
from cnnrun.ablation.analysis.planned_looks import looks_at, sequential_p
from cnnrun.ablation.planning.looks import can_reject


def by_enumeration(
    differences: list[float], looks: list[int], reached: int, alpha: float
) -> list[bool]:
    """Whether each look rejects the observed signs: every sign vector in a dictionary."""
    rejected: set[tuple[int, ...]] = set()
    answers = []
    for seeds in looks[:reached]:
        vectors = list(product((1, -1), repeat=seeds))
        dropped = {v for v in vectors if any(v[: len(r)] == r for r in rejected)}
        share = seeds / looks[-1]
        budget = math.floor(
            (2 - 2 * norm.cdf(norm.ppf(1 - alpha / 2) / math.sqrt(share))) * len(vectors)
        ) - len(dropped)
        sizes = {
            v: round(abs(sum(a * b for a, b in zip(v, differences[:seeds], strict=True))), 9)
            for v in vectors
            if v not in dropped
        }
        order = sorted(sizes.values(), reverse=True)
        edge = order[budget] if 0 <= budget < len(order) else math.inf
        now = {v for v, size in sizes.items() if budget > 0 and size > edge}
        answers.append((1,) * seeds in now)
        rejected |= now
    return answers


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5])
def test_a_look_rejects_what_enumeration_rejects(alpha: float) -> None:
    random = np.random.default_rng(1)
    looks = [5, 7, 9]
    shares = [seeds / 9 for seeds in looks]
    seen = set()
    for _ in range(12):
        differences = list(random.normal(0.9, 1, 9))
        found = looks_at(differences, pairs=looks, shares=shares, alpha=alpha)
        assert [each.pairs for each in found] == looks
        answers = by_enumeration(differences, looks, 3, alpha)
        assert [each.rejects for each in found] == answers
        seen.update(answers)
        p = sequential_p(
            differences, pairs=looks, shares=shares, other_p=[0, 0, 0], signs_count=True
        )
        assert (p <= alpha) == any(answers)
    assert seen == {True, False}


def test_ties_are_ties_also_where_rounding_parts_them() -> None:
    """Whole numbers, whose sums are exact, are the oracle of sevenths, small and large."""
    looks, shares, nothing = [6, 9], [6 / 9, 1.0], [0.0, 0.0]
    for seed in range(8):
        whole = np.random.default_rng(seed).integers(-2, 8, 9).astype(float)
        p, *others = (
            sequential_p(list(each), pairs=looks, shares=shares, other_p=nothing, signs_count=True)
            for each in (whole, whole / 7, whole * 1e6 / 7)
        )
        assert others == [p, p]


def test_one_look_at_the_end_is_the_sign_flip_test() -> None:
    for seed in range(6):
        differences = list(np.random.default_rng(seed).normal(0.6, 1, 9))
        p = sequential_p(differences, pairs=[9], shares=[1.0], other_p=[0.0], signs_count=True)
        assert p == pytest.approx(sign_flip_p(differences), abs=1e-9)


@pytest.mark.parametrize(
    ("looks", "alpha", "critical"),
    [
        ((7, 10, 14), 0.05, (0, 0.0195, 0.041)),
        ((7, 10, 14), 0.05 / 3, (0, 0.0039, 0.0145)),
        ((10, 14), 0.05, (0.0195, 0.041)),
    ],
)
def test_critical_values_are_those_of_the_simulations(
    looks: tuple[int, ...], alpha: float, critical: tuple[float, ...]
) -> None:
    random = np.random.default_rng(2)
    shares = [seeds / looks[-1] for seeds in looks]
    found = [
        [
            look.critical_p
            for look in looks_at(
                list(random.normal(0, 1, 14)), pairs=looks, shares=shares, alpha=alpha
            )
        ]
        for _ in range(20)
    ]
    assert np.mean(found, axis=0) == pytest.approx(critical, abs=0.0012)
    assert can_reject(looks, alpha=alpha) == [each > 0 for each in critical]


def test_another_tests_p_has_to_pass_the_looks_critical_p() -> None:
    differences = [1.0, 1.2, 0.9, 1.1, 1.3, 0.8, 1.05, 0.95, 1.15, 0.85]
    given = {"pairs": [10], "shares": [10 / 14], "signs_count": True}
    alone = sequential_p(differences, other_p=[0.0], **given)
    assert alone < 0.02
    # 20 of 1,024 sign vectors are rejected at .05, so just that passes and .0205 does not.
    assert sequential_p(differences, other_p=[20 / 1024], **given) <= 0.05
    assert sequential_p(differences, other_p=[0.0205], **given) > 0.05
    without_signs = {**given, "signs_count": False}
    mixed = [1.0, -1.0] * 5
    assert sequential_p(mixed, other_p=[0.001], **given) == 1.0
    assert sequential_p([1.0, -1.1, 0.3, *differences[3:]], other_p=[0.001], **without_signs) < 0.05


def test_a_look_that_can_reject_nothing_lets_no_other_test_do_it() -> None:
    # Of the 8 sign vectors of three pairs none may be rejected that early at .05.
    three = {"pairs": [3], "shares": [3 / 14], "signs_count": False}
    assert sequential_p([1.0, 1.1, 0.9], other_p=[0.0], **three) > 0.05
    assert sequential_p([1.0, 1.1, 0.9], other_p=[1.0], **three) == 1.0


def test_what_an_earlier_look_has_spent_is_not_spent_again() -> None:
    # Two of the 32 sign vectors; the second look has no more share than the first.
    share = 0.5
    alpha = 2 * norm.sf(norm.isf(2.1 / 32 / 2) * math.sqrt(share))
    first, second = looks_at(
        [1.0, 1.1, 0.9, 1.2, 1.05, 0.95, 1.15], pairs=[5, 7], shares=[share, share], alpha=alpha
    )
    assert (first.critical_p, first.rejects) == (2 / 32, True)
    assert (second.critical_p, second.rejects) == (0.0, False)


def test_no_difference_at_all_is_never_rejected() -> None:
    nothing = [0.0] * 8
    (look,) = looks_at(nothing, pairs=[8], shares=[1.0], alpha=0.5)
    assert (look.critical_p, look.rejects) == (0.0, False)
    given = {"pairs": [8], "shares": [1.0], "signs_count": True}
    assert sequential_p(nothing, other_p=[0.0], **given) == 1.0


def test_numbers_that_do_not_belong_together_are_refused() -> None:
    given = {"pairs": [5, 6], "shares": [5 / 6, 1.0], "signs_count": True}
    with pytest.raises(ValueError, match="shorter"):
        sequential_p([1.0] * 6, other_p=[0.0], **given)
    with pytest.raises(ValueError, match="shorter"):
        looks_at([1.0] * 6, pairs=[5, 6], shares=[1.0], alpha=0.05)


def test_two_looks_find_too_much_at_most_one_time_in_twenty_and_almost_all_that_one_finds() -> None:
    random = np.random.default_rng(3)
    looks, shares = (10, 14), (10 / 14, 1.0)

    def found(effect: float, studies: int) -> tuple[float, float]:
        planned = at_the_end = 0
        for _ in range(studies):
            differences = random.normal(effect, 1, 14)
            planned += any(
                look.rejects
                for look in looks_at(differences, pairs=looks, shares=shares, alpha=0.05)
            )
            at_the_end += sign_flip_p(differences) <= 0.05
        return planned / studies, at_the_end / studies

    # Exact: at most .05 whatever the differences; four Monte Carlo errors of .0069 beside.
    assert found(0.0, 1000)[0] <= 0.05 + 0.0276
    planned, at_the_end = found(1.0, 400)
    assert planned >= at_the_end - 0.03


def test_beyond_twenty_seeds_random_vectors_serve() -> None:
    differences = list(np.random.default_rng(4).normal(0.8, 1, 26))
    p = sequential_p(
        differences, pairs=[20, 26], shares=[20 / 26, 1.0], other_p=[0, 0], signs_count=True
    )
    assert p < 0.01
