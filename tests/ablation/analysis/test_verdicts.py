"""What may be said of contrasts: for such images, for these images, or nothing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from cnnrun.ablation.analysis.evidence import Measured
from cnnrun.ablation.analysis.image_values import ImageValues
from cnnrun.ablation.analysis.verdicts import Finding, findings, is_difference_of_differences
from cnnrun.ablation.planning.plan import Contrast, Repetition

SEEDS = tuple(range(8))
# Alike in spread, so that the rule of spread has nothing to say.
NOISE = np.random.default_rng(1).permuted(np.tile(np.linspace(-0.02, 0.02, 8), (4, 1)), axis=1)
NO_IMAGES = ImageValues({}, 0, 0, False, "macro_f1 is no mean over test images")
ONE_SPLIT = Repetition(
    draws_splits=False, tested_share=0.15, trained_share=0.7, looks=(), folds=None
)
AGAINST_A = Contrast("b against a", {"b": 1.0, "a": -1.0})


def of_images(values: Mapping[str, Mapping[int, float]], of_image: np.ndarray) -> ImageValues:
    """Images around each run's value, with what an image adds to the arms but "a"."""
    centred = of_image - of_image.mean()
    rows = {
        arm: {seed: value + centred * (arm != "a") for seed, value in runs.items()}
        for arm, runs in values.items()
    }
    return ImageValues(rows, len(of_image), 10, True, "")


def measured(
    values: Mapping[str, Mapping[int, float]],
    *,
    of_image: np.ndarray | None = None,
    seeds: Sequence[int] = SEEDS,
    fewer_is_better: bool = True,
    diverged: Mapping[str, frozenset[int]] | None = None,
    repetition: Repetition = ONE_SPLIT,
) -> Measured:
    quiet = np.random.default_rng(2).normal(0, 0.01, 300)
    return Measured(
        values=values,
        images=of_images(values, quiet if of_image is None else of_image),
        diverged=diverged or {},
        seeds=seeds,
        fewer_is_better=fewer_is_better,
        repetition=repetition,
    )


def found(
    *effects: float,
    margin: float | None = None,
    seeds: Sequence[int] = SEEDS,
    has_added_seeds: bool = False,
    without: Sequence[int] = (),
    **options: object,
) -> tuple[Finding, ...]:
    """Findings of arms "b", "c" ... against "a", from which they differ by these effects."""
    names = "abcd"[: len(effects) + 1]
    values = {
        name: {seed: 1 + effect + NOISE[number, seed] for seed in seeds}
        for number, (name, effect) in enumerate(zip(names, (0.0, *effects), strict=True))
    }
    for seed in without:
        del values["b"][seed]
    contrasts = [Contrast(f"{name} against a", {name: 1.0, "a": -1.0}) for name in names[1:]]
    return findings(
        contrasts,
        measured(values, seeds=seeds, **options),
        margin=margin,
        has_added_seeds=has_added_seeds,
    )


def test_less_loss_is_better_and_less_accuracy_worse() -> None:
    assert [each.verdict for each in found(-0.1, 0.1, 0.0)] == ["better", "worse", "undecided"]
    higher = found(-0.1, 0.1, fewer_is_better=False)
    assert [each.verdict for each in higher] == ["worse", "better"]


def test_the_claims_p_is_the_larger_of_both() -> None:
    finding = found(-0.1)[0]
    evidence = finding.evidence
    assert evidence.seeds_p == 2 / 2**8
    assert evidence.p == max(evidence.seeds_p, evidence.crossed.p())


def test_what_rests_on_few_images_holds_for_these_alone() -> None:
    few = np.zeros(300)
    few[:2] = 3.0
    finding = found(-0.03, of_image=-few)[0]
    assert finding.verdict == "these images only"
    assert finding.adjusted_seeds_p <= 0.05 < finding.adjusted_p
    assert finding.evidence.crossed.effective_images < 5


def test_a_metric_that_is_no_mean_over_images_says_nothing_of_others() -> None:
    values = {"a": dict.fromkeys(SEEDS, 1.0), "b": {s: 0.5 + NOISE[0, s] for s in SEEDS}}
    values["a"] = {s: 1.0 + NOISE[1, s] for s in SEEDS}
    told = measured(values)
    plain = Measured(**{**vars(told), "images": NO_IMAGES})
    finding = findings([AGAINST_A], plain, margin=0.9, has_added_seeds=False)[0]
    assert finding.verdict == "these images only"
    # With new splits Nadeau and Bengio's test speaks for them.
    splits = Repetition(
        draws_splits=True, tested_share=0.15, trained_share=0.7, looks=(), folds=None
    )
    resplit = Measured(**{**vars(plain), "repetition": splits})
    finding = findings([AGAINST_A], resplit, margin=None, has_added_seeds=False)[0]
    assert (finding.verdict, finding.evidence.seeds_p) == ("better", None)
    assert finding.evidence.p == finding.evidence.conservative.p


def test_where_seeds_draw_splits_the_crossed_p_stands_alone() -> None:
    splits = Repetition(
        draws_splits=True, tested_share=0.15, trained_share=0.7, looks=(), folds=None
    )
    values = {
        "a": {seed: 1.0 + NOISE[1, seed] for seed in SEEDS},
        "b": {seed: 0.9 + NOISE[0, seed] for seed in SEEDS},
    }
    images = of_images(values, np.random.default_rng(3).normal(0, 0.02, 300))
    for seed in SEEDS:
        hidden = np.random.default_rng(seed).permutation(300)[:200]
        for arm in "ab":
            images.values[arm][seed][hidden] = math.nan
    told = Measured(
        values={
            arm: {seed: float(np.nanmean(row)) for seed, row in rows.items()}
            for arm, rows in images.values.items()
        },
        images=ImageValues(images.values, 300, 10, False, ""),
        diverged={},
        seeds=SEEDS,
        fewer_is_better=True,
        repetition=splits,
    )
    finding = findings([AGAINST_A], told, margin=None, has_added_seeds=False)[0]
    assert finding.verdict == "better"
    assert finding.evidence.p == finding.evidence.crossed.p()
    assert (finding.evidence.seeds_p, finding.adjusted_seeds_p) == (None, None)
    assert finding.evidence.conservative.p < 0.05


def test_equivalent_needs_a_margin_and_both_intervals_within() -> None:
    assert found(0.001, margin=0.05)[0].verdict == "equivalent"
    assert found(0.001, margin=0.001)[0].verdict == "undecided"
    assert found(0.1, margin=0.05)[0].verdict == "worse"
    # Without a margin even no difference at all is only undecided.
    assert found(0.0)[0].verdict == "undecided"
    # Seeds agree, images do not.
    wide = np.random.default_rng(4).normal(0, 1.0, 300)
    assert found(0.001, margin=0.05, of_image=wide)[0].verdict == "undecided"


def test_a_margin_holds_for_a_difference_of_differences_too() -> None:
    contrast = Contrast("x", {"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0})
    values = {
        name: {seed: 1 + NOISE[number, seed] for seed in SEEDS}
        for number, name in enumerate("abcd")
    }
    assert is_difference_of_differences(contrast)
    for margin, verdict in ((0.5, "equivalent"), (0.0001, "undecided")):
        finding = findings([contrast], measured(values), margin=margin, has_added_seeds=False)[0]
        assert finding.verdict == verdict


def test_too_few_pairs_are_named_and_nothing_is_claimed() -> None:
    few = found(-0.5, -0.5, -0.5, seeds=range(6))
    assert {each.verdict for each in few} == {"undecided"}
    assert {each.why for each in few} == {
        "6 differences are too few: to tell anything from chance takes 7"
    }


def test_a_pair_that_failed_is_left_out_and_named() -> None:
    finding = found(-0.5, without=[0, 3, 4])[0]
    assert finding.evidence.seeds == (1, 2, 5, 6, 7)
    assert finding.why == "5 differences are too few: to tell anything from chance takes 6"


def test_holms_later_steps_need_fewer_pairs() -> None:
    # The others are found first; what is left is tested at 5 %, which six pairs can reach.
    finding = found(-0.5, -0.5, -0.5, without=[0, 1])[0]
    assert (finding.evidence.test.pairs, finding.verdict) == (6, "better")


def test_equal_pairs_do_not_count() -> None:
    values = {"a": dict.fromkeys(SEEDS, 1.0), "b": dict.fromkeys(SEEDS, 1.0) | {0: 0.9, 1: 1.1}}
    finding = findings([AGAINST_A], measured(values), margin=None, has_added_seeds=False)[0]
    assert finding.why == (
        "2 differences beside 6 pairs that are equal are too few: to tell anything from chance"
        " takes 6"
    )


def test_seeds_that_were_added_withdraw_all_claims() -> None:
    finding = found(-0.5, has_added_seeds=True)[0]
    assert (finding.verdict, finding.why) == (
        "not tested",
        "seeds were added after the plan, and looking twice finds too much",
    )


def test_what_was_not_declared_is_described() -> None:
    later = Contrast("a against b", {"a": 1.0, "b": -1.0}, is_declared=False)
    values = {"a": {s: 1 + NOISE[1, s] for s in SEEDS}, "b": {s: 2 + NOISE[0, s] for s in SEEDS}}
    tested, described = findings(
        [AGAINST_A, later], measured(values), margin=None, has_added_seeds=False
    )
    assert (tested.verdict, described.verdict) == ("worse", "not tested")
    # The family has one member: what is described costs nothing.
    assert tested.adjusted_p == tested.evidence.p
    assert described.adjusted_p is None
    assert described.why == ("it was not among the contrasts that were declared before the start")


def test_a_difference_of_differences_is_larger_or_smaller() -> None:
    weights = {"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0}
    values = {
        name: {seed: (name == "a") + NOISE[number, seed] for seed in SEEDS}
        for number, name in enumerate("abcd")
    }
    for sign, verdict in ((1, "larger"), (-1, "smaller")):
        contrast = Contrast("x", {name: sign * weight for name, weight in weights.items()})
        finding = findings([contrast], measured(values), margin=0.1, has_added_seeds=False)[0]
        assert finding.verdict == verdict


def test_the_mean_over_other_factors_is_a_difference() -> None:
    averaged = Contrast("x", {"a": 0.5, "b": 0.5, "c": -0.5, "d": -0.5})
    assert not is_difference_of_differences(averaged)


def diverging(**diverged: set[int]) -> Finding:
    values = {"a": {s: 1 + NOISE[1, s] for s in SEEDS}, "b": {s: 0.5 + NOISE[0, s] for s in SEEDS}}
    for arm, seeds in diverged.items():
        values[arm] |= dict.fromkeys(seeds, 2.3)
    told = measured(values, diverged={arm: frozenset(those) for arm, those in diverged.items()})
    return findings([AGAINST_A], told, margin=None, has_added_seeds=False)[0]


def test_no_mean_is_spoken_of_where_one_arm_alone_diverged() -> None:
    finding = diverging(b={3, 4})
    assert (finding.verdict, finding.adjusted_p) == ("withheld", None)
    assert finding.why == (
        "`b` diverged 2 times and the other side never: a mean over the runs that converged would"
        " leave out what matters"
    )
    # The numbers beside are of pairs that converged.
    assert finding.evidence.seeds == (0, 1, 2, 5, 6, 7)


def test_where_both_diverged_the_verdict_is_about_runs_that_converged() -> None:
    assert diverging(a={3}, b={3, 4}).verdict == "better"
    few = diverging(a={3, 5}, b={4})
    assert few.verdict == "withheld"
    assert few.why == (
        "`b` diverged once and `a` diverged 2 times: with 5 pairs in which all converged, nothing"
        " can be told from chance; it takes 6"
    )


def test_no_mean_is_spoken_of_where_what_looks_better_varies_twice_as_much() -> None:
    steady = {seed: 1 + NOISE[1, seed] / 10 for seed in SEEDS}
    varied = {seed: 0.5 + NOISE[0, seed] for seed in SEEDS}
    told = measured({"a": steady, "b": varied})
    finding = findings([AGAINST_A], told, margin=None, has_added_seeds=False)[0]
    assert finding.verdict == "withheld"
    assert "a rare bad one would not have been seen" in finding.why
    # The other way round a smaller spread comes with a lower loss, as it usually does.
    told = measured({"b": {s: v - 0.8 for s, v in steady.items()}, "a": varied})
    assert findings([AGAINST_A], told, margin=None, has_added_seeds=False)[0].verdict == "better"


STEADY = {seed: NOISE[1, seed] / 10 for seed in SEEDS}
VARIED = {seed: NOISE[0, seed] for seed in SEEDS}
ALMOST_STILL = {seed: value / 1e6 for seed, value in STEADY.items()}
STILL = dict.fromkeys(SEEDS, 0.0)


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ({"a": (1.0, STEADY), "b": (0.5, VARIED)}, "`b` varies 10 times as much over seeds as `a`"),
        ({"a": (0.5, VARIED), "b": (1.0, STEADY)}, "`a` varies 10 times as much over seeds as `b`"),
        (
            {"a": (0.5, VARIED), "b": (1.0, ALMOST_STILL)},
            "`a` varies more than 99 times as much over seeds as `b`",
        ),
        ({"a": (1.0, STILL), "b": (0.5, VARIED)}, "`b` varies over seeds, and `a` does not"),
        ({"a": (0.5, VARIED), "b": (1.0, STILL)}, "`a` varies over seeds, and `b` does not"),
    ],
)
def test_whichever_side_looks_better_and_varies_is_named(
    losses: Mapping[str, tuple[float, Mapping[int, float]]], said: str
) -> None:
    values = {
        arm: {seed: level + of_seed[seed] for seed in SEEDS}
        for arm, (level, of_seed) in losses.items()
    }
    finding = findings([AGAINST_A], measured(values), margin=None, has_added_seeds=False)[0]
    assert (finding.verdict, finding.adjusted_p) == ("withheld", None)
    assert finding.why == (
        f"{said}: with 8 seeds a rare bad one would not have been seen, so nothing is said of the"
        " mean"
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sides_of_several_arms_are_named_by_what_is_done_with_them(sign: float) -> None:
    weights = {"a": sign, "b": -sign, "c": -sign, "d": sign}
    values = {
        arm: {seed: level + of_seed[seed] for seed in SEEDS}
        for arm, level, of_seed in zip(
            "abcd", (0.5, 1.0, 1.0, 0.5), (VARIED, STEADY, STEADY, STEADY), strict=True
        )
    }
    finding = findings(
        [Contrast("x", weights)], measured(values), margin=None, has_added_seeds=False
    )[0]
    added, subtracted = "the side that is added", "the one that is subtracted"
    better, other = (added, subtracted) if sign > 0 else (subtracted, added)
    assert finding.why.startswith(f"{better} varies ")
    assert f" times as much over seeds as {other}: with 8 seeds" in finding.why
    told = measured(values, diverged={"a": frozenset({3})})
    finding = findings([Contrast("x", weights)], told, margin=None, has_added_seeds=False)[0]
    assert finding.why.startswith("`a` diverged once and the other arms never: ")


def test_what_is_withheld_makes_the_others_no_easier_to_claim() -> None:
    values = {
        "a": {seed: 1.0 + STEADY[seed] for seed in SEEDS},
        "b": {seed: 0.9 - STEADY[seed] for seed in SEEDS[1:]},
        "c": {seed: 0.5 + VARIED[seed] for seed in SEEDS},
    }
    against = [Contrast(f"{arm} against a", {arm: 1.0, "a": -1.0}) for arm in "bc"]
    tested, withheld = findings(against, measured(values), margin=None, has_added_seeds=False)
    # It has a pair more, so its p is the smaller one, and would have been Holm's first.
    assert withheld.verdict == "withheld"
    assert withheld.evidence.seeds_p < tested.evidence.seeds_p
    assert tested.adjusted_seeds_p == 2 * tested.evidence.seeds_p
    assert tested.adjusted_p == 2 * tested.evidence.p


@pytest.mark.parametrize("margin", [None, 0.05])
def test_a_contrast_without_pairs_is_not_tested(margin: float | None) -> None:
    lost, kept = found(-0.5, -0.1, without=SEEDS[1:], margin=margin)
    assert (lost.verdict, lost.why) == ("not tested", "fewer than two of its pairs were trained")
    assert (lost.adjusted_p, lost.adjusted_seeds_p, lost.adjusted_equivalence_p) == (None,) * 3
    # It stays in the family, whose p values it does not lower.
    assert kept.verdict == "better"
    assert kept.adjusted_p == 2 * kept.evidence.p


def test_runs_that_all_diverged_are_told_from_runs_that_were_not_trained() -> None:
    neither = diverging(a=set(SEEDS[:4]), b=set(SEEDS[4:]))
    assert (neither.verdict, neither.evidence.test) == ("withheld", None)
    assert "with 0 pairs in which all converged" in neither.why
    assert "with 1 pair in which all converged" in diverging(a={0, 1, 2}, b={3, 4, 5, 6}).why


def test_equivalence_has_a_p_of_its_own_family() -> None:
    one, other = found(0.001, 0.002, margin=0.05)
    p = sorted([one.evidence.equivalence_p(0.05), other.evidence.equivalence_p(0.05)])
    assert one.adjusted_equivalence_p == max(2 * p[0], one.evidence.equivalence_p(0.05))
    assert one.adjusted_equivalence_p <= 0.05
    assert found(0.001)[0].adjusted_equivalence_p is None
    assert diverging(b={3}).adjusted_equivalence_p is None


def test_nothing_is_excused_that_was_found_or_could_have_been() -> None:
    assert found(-0.5)[0].why == ""
    # The others pass first; what is left needs fewer pairs than the family's first.
    assert [each.why for each in found(-0.5, -0.5, -0.5, without=[0, 1])] == [""] * 3
    for seeds in (SEEDS, SEEDS[:6]):
        undecided = found(0.0, seeds=seeds)[0]
        assert (undecided.verdict, undecided.why) == ("undecided", "")


def looked_at(seeds: int, effect: float, looks: tuple[int, ...] = (10, 14)) -> Finding:
    random = np.random.default_rng(5)
    values = {
        "a": dict(enumerate(random.normal(1, 0.01, seeds))),
        "b": dict(enumerate(random.normal(1 + effect, 0.01, seeds))),
    }
    repetition = replace(ONE_SPLIT, looks=looks)
    told = measured(values, seeds=range(seeds), repetition=repetition)
    return findings([AGAINST_A], told, margin=0.5, has_added_seeds=False)[0]


def test_planned_looks_claim_at_any_of_them() -> None:
    early = looked_at(10, -0.05)
    assert early.verdict == "better"
    # What two looks cost: p is above that of a single test.
    assert early.evidence.p > 2 / 2**10
    open_yet = looked_at(10, 0.0)
    # Equivalence is claimed at the last look alone, since nothing was spent on it before.
    assert open_yet.verdict == "undecided"
    assert open_yet.why == "the next look is at 14 seeds (`--seeds 14`)"
    assert looked_at(14, 0.0).verdict == "equivalent"
    assert looked_at(12, 0.0, looks=(10, 12, 14)).verdict == "undecided"


@pytest.mark.parametrize("margin", [None, 0.02])
def test_the_family_is_wrong_at_most_one_time_in_twenty(margin: float | None) -> None:
    """Three planned contrasts, of independent arms: of which one each would be wrong too often.

    The truth is no difference, or one right at the margin. At 5 % each, uncorrected, one of the
    three would be found in 1 - 0.95^3 = 14 % of the studies.
    """
    random = np.random.default_rng(11)
    studies, pairs, wrong = 600, 7, 0
    contrasts = [Contrast(f"{b} against {a}", {b: 1.0, a: -1.0}) for a, b in ("ab", "cd", "ef")]
    claims = {"better", "worse"} if margin is None else {"equivalent"}
    for study in random.normal(0, 0.01, (studies, 6, pairs)):
        study[1::2] += margin or 0.0
        values = {name: dict(enumerate(row)) for name, row in zip("abcdef", study, strict=True)}
        told = measured(values, seeds=range(pairs), of_image=np.linspace(-1e-3, 1e-3, 20))
        family = findings(contrasts, told, margin=margin, has_added_seeds=False)
        wrong += any(each.verdict in claims for each in family)
    assert wrong / studies <= 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5


def test_a_steady_and_a_lognormal_arm_are_called_different_one_time_in_twenty() -> None:
    random = np.random.default_rng(12)
    studies, wrong, without_the_rule = 1500, 0, 0
    for _ in range(studies):
        skewed = random.lognormal(0, 1, 7) - math.exp(0.5)
        values = {
            "a": dict(enumerate(random.normal(0, 0.1, 7))),
            "b": dict(enumerate(skewed)),
        }
        told = measured(values, seeds=range(7), of_image=np.linspace(-1e-3, 1e-3, 20))
        finding = findings([AGAINST_A], told, margin=None, has_added_seeds=False)[0]
        wrong += finding.verdict in ("better", "worse")
        without_the_rule += finding.evidence.p <= 0.05
    # At most .06; the Monte Carlo error of .05 is .0056.
    assert wrong / studies <= 0.06 + 0.0056
    assert without_the_rule / studies > 0.1
