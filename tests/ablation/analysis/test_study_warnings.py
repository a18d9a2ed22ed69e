"""What stands in the way of believing a study, by cells whose numbers are chosen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.results import study_results

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
