"""What runs say of a contrast: which tests count, from how many pairs on, and at which look."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from cnnrun.ablation.analysis.evidence import Evidence, Measured, evidence_of
from cnnrun.ablation.analysis.image_values import ImageValues
from cnnrun.ablation.analysis.paired_tests import equivalence_p
from cnnrun.ablation.analysis.planned_looks import sequential_p
from cnnrun.ablation.planning.plan import Contrast, Repetition

NO_IMAGES = ImageValues({}, 0, 0, False, "macro_f1 is no mean over test images")
ONE_SPLIT = Repetition(
    draws_splits=False, tested_share=0.15, trained_share=0.7, looks=(), folds=None
)
NEW_SPLITS = replace(ONE_SPLIT, draws_splits=True)
AGAINST_A = Contrast("b against a", {"b": 1.0, "a": -1.0})


def of_pairs(
    differences: Sequence[float],
    *,
    of_image: float | None = None,
    fewer_is_better: bool = True,
    repetition: Repetition = ONE_SPLIT,
) -> Evidence:
    """The evidence of pairs with these differences; images vary by `of_image`, if there are any."""
    values = {
        "a": dict.fromkeys(range(len(differences)), 1.0),
        "b": {seed: 1.0 + each for seed, each in enumerate(differences)},
    }
    measured = Measured(
        values=values,
        images=NO_IMAGES
        if of_image is None
        else replace(around(values, of_image), is_one_test=not repetition.draws_splits),
        diverged={},
        seeds=range(len(differences)),
        fewer_is_better=fewer_is_better,
        repetition=repetition,
    )
    return evidence_of(AGAINST_A, measured)


def around(values: Mapping[str, Mapping[int, float]], deviation: float) -> ImageValues:
    noise = np.random.default_rng(0).normal(0, deviation, 200)
    noise -= noise.mean()
    rows = {
        arm: {seed: value + noise * (arm == "b") for seed, value in runs.items()}
        for arm, runs in values.items()
    }
    return ImageValues(rows, 200, 10, True, "")


def pairs_of(number: int, *, mean: float = -0.1) -> list[float]:
    return list(np.random.default_rng(number).normal(mean, 0.02, number))


@pytest.mark.parametrize("of_image", [0.001, 1.0])
def test_equality_takes_every_test_that_counts(of_image: float) -> None:
    evidence = of_pairs(pairs_of(8, mean=0.0), of_image=of_image)
    for margin in (0.02, 0.05, 0.2):
        over_seeds = equivalence_p(evidence.differences, margin=margin)
        over_both = (evidence.crossed.p_above(-margin), evidence.crossed.p_below(margin))
        assert evidence.equivalence_p(margin) == max(over_seeds, *over_both)
    # With wide margins flips have a smallest p, with images that vary nothing is told.
    largest_is_of_seeds = evidence.equivalence_p(0.2) == 1 / 2**8
    assert largest_is_of_seeds == (of_image == 0.001)


def test_equality_of_new_splits_is_nadeau_and_bengios_alone() -> None:
    evidence = of_pairs(pairs_of(8, mean=0.0), repetition=NEW_SPLITS)
    beyond = evidence.conservative
    assert evidence.equivalence_p(0.2) == max(beyond.p_above(-0.2), beyond.p_below(0.2))
    assert evidence.equivalence_p(0.2) < 1 / 2**8
    assert of_pairs([0.1], repetition=NEW_SPLITS).equivalence_p(10.0) == 1.0


def test_one_pair_says_nothing_and_two_say_little() -> None:
    for repetition, seeds_p in ((ONE_SPLIT, 1.0), (NEW_SPLITS, None)):
        one = of_pairs([-0.1], of_image=0.001, repetition=repetition)
        assert (one.test, one.crossed, one.conservative, one.could_find) == (None,) * 4
        assert (one.seeds_p, one.p, one.spread_ratio) == (seeds_p, 1.0, 1.0)
    two = of_pairs([-0.1, -0.11], of_image=0.001)
    assert two.seeds_p == 2 / 2**2
    assert two.p == max(two.seeds_p, two.crossed.p())
    assert two.test.pairs == 2
    two = of_pairs([-0.1, -0.11], repetition=NEW_SPLITS)
    assert (two.seeds_p, two.p) == (None, two.conservative.p)


def test_without_images_the_p_is_that_over_seeds() -> None:
    evidence = of_pairs(pairs_of(8))
    assert evidence.p == evidence.seeds_p == 2 / 2**8
    assert not evidence.reaches_images


def test_wins_are_counted_in_the_metrics_direction() -> None:
    differences = [-0.2, -0.1, -0.1, 0.0, 0.3]
    for fewer_is_better, won in ((True, 3), (False, 1)):
        wins = of_pairs(differences, fewer_is_better=fewer_is_better).wins
        assert (wins.won, wins.equal, wins.pairs) == (won, 1, 5)
    assert of_pairs([]).wins is None


def test_what_could_be_found_is_of_the_widest_reach() -> None:
    """The textbook's minimal detectable effect: both quantiles of t times the standard error."""
    differences = pairs_of(8)
    deviation = np.std(differences, ddof=1)
    quantiles = t.ppf(0.975, 7) + t.ppf(0.8, 7)
    over_seeds = of_pairs(differences).could_find
    assert over_seeds == pytest.approx(quantiles * deviation / 8**0.5)
    corrected = (1 / 8 + 0.15 / 0.7) ** 0.5  # Nadeau and Bengio's factor
    over_splits = of_pairs(differences, repetition=NEW_SPLITS).could_find
    assert over_splits == pytest.approx(quantiles * deviation * corrected)
    over_both = of_pairs(differences, of_image=1.0)
    assert over_both.could_find == over_both.crossed.could_find > over_splits


def test_a_look_spends_its_share_of_all_planned_seeds() -> None:
    differences = pairs_of(10)
    looks = replace(ONE_SPLIT, looks=(10, 12, 20))
    evidence = of_pairs(differences, repetition=looks)
    assert evidence.seeds_p == sequential_p(
        differences, pairs=[10], shares=[10 / 20], other_p=[0.0], signs_count=True
    )
    assert 2 / 2**10 < evidence.seeds_p < 0.05


def test_looks_cost_new_splits_something_too() -> None:
    differences = pairs_of(10, mean=-0.03)
    once = of_pairs(differences, repetition=NEW_SPLITS)
    looked = of_pairs(differences, repetition=replace(NEW_SPLITS, looks=(10, 20)))
    assert once.p == once.conservative.p
    assert looked.seeds_p is None
    assert once.p < looked.p < 1
