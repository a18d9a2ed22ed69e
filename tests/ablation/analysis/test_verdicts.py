"""What may be said of contrasts: better, worse, undecided, equivalent, or nothing."""

from collections.abc import Sequence

import numpy as np
import pytest

from cnnrun.ablation.analysis.verdicts import Finding, findings, is_difference_of_differences
from cnnrun.ablation.planning.plan import Contrast
from cnnrun.ablation.studies.study import Metric

SEEDS = tuple(range(8))
NOISE = np.random.default_rng(1).normal(0, 0.01, (3, len(SEEDS)))


def found(
    *effects: float,
    metric: Metric | None = None,
    seeds: Sequence[int] = SEEDS,
    has_added_seeds: bool = False,
    without: Sequence[int] = (),
) -> tuple[Finding, ...]:
    """Findings of arms "b", "c" ... against "a", from which they differ by these effects."""
    names = "abcd"[: len(effects) + 1]
    values = {
        name: {seed: 1 + effect + NOISE[number - 1, seed] * bool(number) for seed in seeds}
        for number, (name, effect) in enumerate(zip(names, (0.0, *effects), strict=True))
    }
    for seed in without:
        del values["b"][seed]
    contrasts = [Contrast(f"{name} against a", {name: 1.0, "a": -1.0}) for name in names[1:]]
    return findings(
        contrasts,
        values,
        seeds=seeds,
        metric=metric or Metric(),
        has_added_seeds=has_added_seeds,
    )


def test_less_loss_is_better_and_less_accuracy_worse() -> None:
    assert [each.verdict for each in found(-0.1, 0.1, 0.0)] == ["better", "worse", "undecided"]
    higher = Metric(better="higher")
    assert [each.verdict for each in found(-0.1, 0.1, metric=higher)] == ["worse", "better"]


def test_equivalent_needs_a_margin_and_an_interval_within() -> None:
    assert found(0.001, metric=Metric(margin=0.05))[0].verdict == "equivalent"
    assert found(0.001, metric=Metric(margin=0.001))[0].verdict == "undecided"
    assert found(0.1, metric=Metric(margin=0.05))[0].verdict == "worse"
    # Without a margin even no difference at all is only undecided.
    assert found(0.0)[0].verdict == "undecided"


def test_too_few_pairs_are_named_and_nothing_is_claimed() -> None:
    few = found(-0.5, -0.5, -0.5, seeds=range(6))
    assert {each.verdict for each in few} == {"undecided"}
    assert {each.why for each in few} == {
        "6 differences are too few: to tell anything from chance takes 7"
    }


def test_a_pair_that_failed_is_left_out_and_named() -> None:
    finding = found(-0.5, without=[0, 3, 4])[0]
    assert finding.seeds == (1, 2, 5, 6, 7)
    assert finding.why == "5 differences are too few: to tell anything from chance takes 6"


def test_holms_later_steps_need_fewer_pairs() -> None:
    # The others are found first; what is left is tested at 5 %, which six pairs can reach.
    finding = found(-0.5, -0.5, -0.5, without=[0, 1])[0]
    assert (finding.test.pairs, finding.verdict) == (6, "better")


def test_equal_pairs_do_not_count() -> None:
    contrast = Contrast("b against a", {"b": 1.0, "a": -1.0})
    values = {"a": dict.fromkeys(SEEDS, 1.0), "b": dict.fromkeys(SEEDS, 1.0) | {0: 2.0, 1: 2.0}}
    finding = findings([contrast], values, seeds=SEEDS, metric=Metric(), has_added_seeds=False)[0]
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
    values = {"a": dict.fromkeys(SEEDS, 1.0), "b": dict.fromkeys(SEEDS, 2.0)}
    declared = Contrast("b against a", {"b": 1.0, "a": -1.0})
    later = Contrast("a against b", {"a": 1.0, "b": -1.0}, is_declared=False)
    tested, described = findings(
        [declared, later], values, seeds=SEEDS, metric=Metric(), has_added_seeds=False
    )
    assert (tested.verdict, described.verdict) == ("worse", "not tested")
    # The family has one member: what is described costs nothing.
    assert tested.adjusted_p == tested.test.p == 2 / 2**8
    assert described.adjusted_p is None


def test_a_difference_of_differences_is_larger_or_smaller() -> None:
    weights = {"a": 1.0, "b": -1.0, "c": -1.0, "d": 1.0}
    assert is_difference_of_differences(Contrast("x", weights))
    values = {name: {seed: NOISE[0, seed] for seed in SEEDS} for name in "abcd"}
    values["a"] = {seed: 1 + NOISE[1, seed] for seed in SEEDS}
    for sign, verdict in ((1, "larger"), (-1, "smaller")):
        contrast = Contrast("x", {name: sign * weight for name, weight in weights.items()})
        finding = findings(
            [contrast], values, seeds=SEEDS, metric=Metric(margin=5.0), has_added_seeds=False
        )[0]
        assert finding.verdict == verdict


def test_the_mean_over_other_factors_is_a_difference() -> None:
    averaged = Contrast("x", {"a": 0.5, "b": 0.5, "c": -0.5, "d": -0.5})
    assert not is_difference_of_differences(averaged)


@pytest.mark.parametrize("margin", [None, 0.02])
def test_the_family_is_wrong_at_most_one_time_in_twenty(margin: float | None) -> None:
    """Three planned contrasts, of independent arms: of which one each would be wrong too often.

    The truth is no difference at all, or one that is just not equivalent any more. At 5 % each,
    uncorrected, the differences would be found in 1 - 0.95^3 = 14 % of the studies, and equality
    in 1 - 0.975^3 = 7.3 % where a claim takes a 95 % interval, 14 % where it takes a 90 % one.
    """
    random = np.random.default_rng(11)
    studies, pairs, wrong = 4000, 8, 0
    contrasts = [Contrast(f"{b} against {a}", {b: 1.0, a: -1.0}) for a, b in ("ab", "cd", "ef")]
    claims = {"better", "worse"} if margin is None else {"equivalent"}
    for study in random.normal(0, 0.01, (studies, 6, pairs)):
        study[1::2] += margin or 0.0
        values = {name: dict(enumerate(row)) for name, row in zip("abcdef", study, strict=True)}
        family = findings(
            contrasts,
            values,
            seeds=range(pairs),
            metric=Metric(margin=margin),
            has_added_seeds=False,
        )
        wrong += any(each.verdict in claims for each in family)
    # Three standard errors of a simulated 5 %; the least of the faults lies three beyond that.
    assert wrong / studies <= 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5
