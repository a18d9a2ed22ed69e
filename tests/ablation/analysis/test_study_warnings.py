"""What stands in the way of believing a study, by cells whose numbers are chosen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.results import study_results
from cnnrun.ablation.analysis.tuning import TunedArm, Tuning
from cnnrun.ablation.planning.plan import TuningPlan
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow, write_epochs

from ..conftest import BLOCKS, STUDY, PlanStudy, WriteStudy
from ..outcomes import outcomes_of

LagWarnings = Callable[..., list[str]]


@pytest.fixture
def lag_warnings(plan: PlanStudy, write_study: WriteStudy) -> LagWarnings:
    """What is said of batch norm's lag, of two seeds with these measures in the second arm."""

    def said(
        measures: Mapping[str, Sequence[float]],
        *,
        arms: Sequence[str] = ("before_activation",),
        config: str = BLOCKS,
    ) -> list[str]:
        planned = plan(STUDY, seeds=2, config=config).plan
        first = planned.seeds[0]
        outcomes = [
            replace(each, values={name: of[each.seed - first] for name, of in measures.items()})
            if each.arm in arms
            else each
            for each in outcomes_of(planned, lambda arm, seed: 1.0, Path("experiments/study"))
        ]
        results = study_results(planned, write_study(STUDY), outcomes)
        return [text for text in results.warnings if "have not caught up" in text]

    return said


@pytest.mark.parametrize(
    ("losses", "accuracies", "lags"),
    [
        ((1.0, 1.0), (0.8, 0.8), False),
        ((0.94, 0.94), (0.8, 0.8), True),
        # Where recomputing harms, there is nothing to catch up with.
        ((1.06, 1.06), (0.8, 0.8), False),
        ((0.96, 0.96), (0.8, 0.8), False),
        ((1.0, 1.0), (0.815, 0.815), True),
        ((1.0, 1.0), (0.785, 0.785), False),
        ((1.01, 1.01), (0.9, 0.9), False),
        ((1.0, 1.0), (0.805, 0.805), False),
        # Of two seeds, one gains what the other loses: the means say nothing.
        ((1.0, 1.0), (0.9, 0.7), False),
    ],
)
def test_lag_is_a_twentieth_of_the_loss_or_a_point_of_accuracy(
    losses: Sequence[float],
    accuracies: Sequence[float],
    lags: bool,
    lag_warnings: LagWarnings,
) -> None:
    said = lag_warnings(
        {
            "test_loss": (1.0, 1.0),
            "test_loss_recomputed": losses,
            "test_accuracy": (0.8, 0.8),
            "test_accuracy_recomputed": accuracies,
        }
    )
    assert len(said) == lags
    assert all("`before_activation` " in text for text in said)


def test_a_loss_that_seeds_move_as_far_is_no_lag(lag_warnings: LagWarnings) -> None:
    # Their deviation is 0.2 * sqrt(2) / 2 = 0.141, the half of which lies between the two gaps.
    seeds = {"test_loss": (0.9, 1.1)}
    assert not lag_warnings(seeds | {"test_loss_recomputed": (0.83, 1.03)})
    assert lag_warnings(seeds | {"test_loss_recomputed": (0.82, 1.02)})


def test_an_arm_without_batch_norm_has_no_lag(lag_warnings: LagWarnings) -> None:
    assert not lag_warnings({"test_loss": (1.0, 1.0), "test_accuracy": (0.8, 0.8)})


def test_advice_that_is_followed_already_is_not_given(
    lag_warnings: LagWarnings, snapshot: SnapshotAssertion
) -> None:
    lagging = {"test_loss": (1.0, 1.0), "test_loss_recomputed": (0.5, 0.5)}
    slow = BLOCKS.replace("momentum: 0.9", "momentum: 0.99")
    assert lag_warnings(lagging) == snapshot(name="momentum 0.9")
    assert lag_warnings(lagging, config=slow) == snapshot(name="momentum 0.99")
    twice = lag_warnings(lagging, arms=("none", "before_activation"))
    assert twice == snapshot(name="once, not once an arm")


@pytest.mark.parametrize(
    ("training_loss", "curve", "metric", "loss", "is_named"),
    [
        (0.3, [1.0] * 10, "test_loss", "", False),  # guessing between two classes is 0.69
        (0.4, [1.0] * 10, "test_loss", "", True),
        (0.4, [1.0] * 10, "val_loss_area", "", True),
        # Guessing costs something else in other losses.
        (0.4, [1.0] * 10, "val_loss_area", "CategoricalHinge", False),
        (0.1, [1.0] * 8 + [1.0, 0.6], "test_loss", "", True),
        (0.1, [1.0] * 8 + [1.0, 0.75], "test_loss", "", False),
        (0.1, [1.0] * 7 + [0.6] * 3, "test_loss", "", False),
        (0.1, [1.0, 0.9, 0.8, 0.1], "test_loss", "", False),  # too few epochs to judge
    ],
)
def test_an_arm_that_is_far_from_fitted_is_named(
    training_loss: float,
    curve: list[float],
    metric: str,
    loss: str,
    is_named: bool,
    plan: PlanStudy,
    write_study: WriteStudy,
    snapshot: SnapshotAssertion,
) -> None:
    study = f"{STUDY}metric: {metric}\n"
    overrides = (f"train.loss={loss}",) if loss else ()
    planned = plan(study, seeds=2, overrides=overrides).plan
    outcomes = outcomes_of(planned, lambda arm, seed: 0.2, Path("experiments/study"))
    for each in outcomes:
        losses = curve if each.arm == "none" else [0.1] * 10
        rows = [EpochRow(n, 1, {"loss": loss}, 1e-3, 1.0) for n, loss in enumerate(losses, 1)]
        write_epochs(RunFolder(each.folder), rows)
    outcomes = [
        replace(each, values={**each.values, "training_loss": training_loss})
        if each.arm == "none"
        else each
        for each in outcomes
    ]
    said = [
        text
        for text in study_results(planned, write_study(study), outcomes).warnings
        if "far from fitted" in text
    ]
    assert len(said) == is_named
    if is_named:
        assert said == snapshot


@pytest.mark.parametrize("arms", [("none",), ("none", "before_activation")])
def test_arms_at_an_end_and_arms_without_a_value_are_named(
    arms: Sequence[str], plan: PlanStudy, write_study: WriteStudy, snapshot: SnapshotAssertion
) -> None:
    planned = plan(STUDY, seeds=2).plan
    outcomes = outcomes_of(planned, lambda arm, seed: 0.2, Path("experiments/study"))
    tuned = ("none", "before_activation")
    tried = TuningPlan("learning_rate", tuned, True, 1e-4, 1e-2, (1e-4, 1e-3, 1e-2), (7, 8))

    def warnings(tuned: Mapping[str, TunedArm]) -> list[str]:
        results = study_results(
            planned, write_study(STUDY), outcomes, tuning=Tuning(tried, tuned, was_widened=False)
        )
        return [text for text in results.warnings if "tune" in text or "trial" in text]

    at_an_end = {
        arm: TunedArm(
            arm=arm,
            values=tried.values,
            losses=(0.1, 0.2, 0.3),
            best=0,
            chosen=1e-4,
            is_at_edge=arm in arms,
            variance=0.0,
            expected=(0.1, 0.1, 0.1),
        )
        for arm in ("none", "before_activation")
    }
    lost = {name: each for name, each in at_an_end.items() if name not in arms}
    assert [warnings(at_an_end), [w for w in warnings(lost) if "no trial" in w]] == snapshot


def test_an_arm_that_is_not_fitted_as_far_as_was_asked_is_named(
    plan: PlanStudy, write_study: WriteStudy, snapshot: SnapshotAssertion
) -> None:
    study = f"{STUDY}set: {{train.until_training_loss: 0.02}}\n"
    planned = plan(study, seeds=3).plan

    def loss(arm: str, seed: int) -> float:
        """The training loss is four fifths of it."""
        return 0.2 if arm == "none" and seed < 5 else 0.025

    outcomes = outcomes_of(planned, loss, Path("experiments/study"))
    results = study_results(planned, write_study(study), outcomes)
    assert [text for text in results.warnings if "did not come" in text] == snapshot
