"""What is tried for each arm, on which seeds, at which address; and what cannot be tuned."""

import math
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.planning.plan import TuningPlan
from cnnrun.ablation.planning.tuned_address import present_rate, tuned_address, with_rate
from cnnrun.ablation.planning.tuning import (
    plan_tuning,
    tuning_trials,
    validation_measure,
    widened,
)
from cnnrun.ablation.studies.tune import Tune

from ..conftest import BLOCKS, STUDY, PlanStudy, WriteStudy, complaint

TUNED = STUDY + "tune: {low: 1e-4, high: 1e-2}\n"


def tuning_of(plan: PlanStudy, text: str, **options: Any) -> TuningPlan:
    found = plan(text, **options).plan.tuning
    assert found is not None
    return found


def test_values_are_evenly_spaced_in_their_logarithm_within_the_range(plan: PlanStudy) -> None:
    tuning = tuning_of(plan, TUNED)
    steps = np.diff(np.log(tuning.values))
    assert len(tuning.values) == 5
    assert steps == pytest.approx(math.log(100) / 5, rel=0.02)
    assert min(tuning.values) >= 1e-4
    assert max(tuning.values) <= 1e-2


def test_another_seed_shifts_the_values(plan: PlanStudy) -> None:
    other = BLOCKS.replace("seed: 3", "seed: 4")
    assert tuning_of(plan, TUNED).values != tuning_of(plan, TUNED, config=other).values


def test_values_can_be_evenly_spaced_as_they_are(plan: PlanStudy) -> None:
    text = STUDY + (
        "tune: {path: model.blocks.dropout, low: 0.1, high: 0.6, scale: linear, values: 4}\n"
    )
    assert np.diff(tuning_of(plan, text).values) == pytest.approx(0.125)


def test_the_usual_range_is_a_tenth_to_ten_times_the_rate(plan: PlanStudy) -> None:
    config = BLOCKS.replace("epochs: 2", "epochs: 2, optimizer: {SGD: {learning_rate: 0.05}}")
    tuning = tuning_of(plan, STUDY + "tune: {}\n", config=config)
    assert (tuning.low, tuning.high) == (0.005, 0.5)


def test_trials_have_seeds_and_splits_of_their_own_and_all_arms_the_same_values(
    plan: PlanStudy, write_study: WriteStudy
) -> None:
    planned = plan(TUNED + "resplit: true\n").plan
    tuning = planned.tuning
    assert tuning is not None
    arms_at = dict.fromkeys(tuning.values, planned.arms)
    trials = list(tuning_trials(write_study(TUNED + "resplit: true\n"), tuning, arms_at))
    tried = {
        arm.name: [each.value for each in trials if each.cell.arm == arm.name]
        for arm in planned.arms
    }
    assert len(trials) == 2 * 5 * 2
    assert len({tuple(values) for values in tried.values()}) == 1
    seeds = {each.cell.seed for each in trials}
    assert len(seeds) == 2
    assert not seeds & set(planned.seeds)
    assert {each.cell.config.data.split.seed for each in trials} == seeds


@pytest.mark.parametrize(
    ("train", "address", "rate"),
    [
        ("{}", "train.optimizer.Adam.learning_rate", 1e-3),
        ("{optimizer: {SGD: {learning_rate: 0.2}}}", "train.optimizer.SGD.learning_rate", 0.2),
        (
            "{optimizer: {Adam: {learning_rate: {ExponentialDecay: {initial_learning_rate: 0.03,"
            " decay_steps: 9, decay_rate: 0.5}}}}}",
            "train.optimizer.Adam.learning_rate.ExponentialDecay.initial_learning_rate",
            0.03,
        ),
        (
            "{optimizer: {Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 0.0,"
            " decay_steps: 9, warmup_target: 0.04, warmup_steps: 3}}}}}",
            "train.optimizer.Adam.learning_rate.CosineDecay.warmup_target",
            0.04,
        ),
        (
            "{stages: [{epochs: 1}, {epochs: 2, optimizer: {RMSprop: {learning_rate: 0.01}}}]}",
            "train.stages[1].optimizer.RMSprop.learning_rate",
            0.01,
        ),
        (
            "{optimizer: {LossScaleOptimizer: {inner_optimizer: {Adam: {learning_rate: 0.02}}}}}",
            "train.optimizer.LossScaleOptimizer.inner_optimizer.Adam.learning_rate",
            0.02,
        ),
        ("{stages: [{epochs: 1}]}", "train.optimizer.Adam.learning_rate", 1e-3),
    ],
)
def test_the_learning_rate_is_found_wherever_it_stands(
    plan: PlanStudy, train: str, address: str, rate: float
) -> None:
    config = BLOCKS.replace("train: {epochs: 2}", f"train: {train}")
    found = plan(STUDY, config=config).plan.arms[0].config
    assert tuned_address(Tune(), found) == address
    assert present_rate(found) == rate


def test_a_range_is_widened_by_steps_of_the_same_size(plan: PlanStudy) -> None:
    tuning = tuning_of(plan, TUNED)
    wider = widened(tuning, below=True, above=True)
    assert len(wider.values) == 9
    assert wider.values[2:7] == tuning.values
    assert np.diff(np.log(wider.values)) == pytest.approx(math.log(100) / 5, rel=0.02)
    assert widened(tuning, below=False, above=True).values[:5] == tuning.values


@pytest.mark.parametrize(
    ("metric", "measure"),
    [
        ("test_loss", "val_loss"),
        ("test_accuracy", "val_accuracy"),
        ("test_auc", "val_auc"),
        ("val_loss_area", "val_loss_area"),
        ("generalization_gap", None),
        ("test_macro_f1", None),
        ("test_mean_average_precision", None),
        ("test_exact_match", None),
        ("test_loss_recomputed", None),
    ],
)
def test_what_is_tested_is_known_of_validation_images(metric: str, measure: str | None) -> None:
    assert validation_measure(metric) == measure


PIECES = (
    "optimizer: {SGD: {learning_rate: {PiecewiseConstantDecay: {boundaries: [9], values: [0.1,"
    " 0.01]}}}}"
)
REFUSED = {
    "no_validation_images": (
        TUNED,
        BLOCKS.replace("directory: images", 'directory: images, layout: "{label}/*"'),
        {"data.split.validation=0", "train.best=last"},
    ),
    "a_metric_of_tests_alone": (TUNED + "metric: generalization_gap\n", BLOCKS, set()),
    "what_is_varied": (
        "question: Which rate?\nfactors:\n  rate: {path: train.optimizer.Adam.learning_rate,"
        " values: [1e-3, 1e-2]}\ntune: {path: train.optimizer.Adam.learning_rate, low: 1e-4,"
        " high: 1e-2}\n",
        BLOCKS,
        set(),
    ),
    "low_alone": (STUDY + "tune: {low: 1e-4}\n", BLOCKS, set()),
    "the_wrong_way_round": (STUDY + "tune: {low: 1e-2, high: 1e-4}\n", BLOCKS, set()),
    "a_logarithm_of_nothing": (STUDY + "tune: {low: 0, high: 1e-4}\n", BLOCKS, set()),
    "a_path_without_a_range": (STUDY + "tune: {path: model.blocks.dropout}\n", BLOCKS, set()),
    "two_values": (STUDY + "tune: {low: 1e-4, high: 1e-2, values: 2}\n", BLOCKS, set()),
    "one_seed": (STUDY + "tune: {low: 1e-4, high: 1e-2, seeds: 1}\n", BLOCKS, set()),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_tuned(plan: PlanStudy, case: str, snapshot: SnapshotAssertion) -> None:
    text, config, overrides = REFUSED[case]
    assert complaint(lambda: plan(text, config=config, overrides=tuple(overrides))) == snapshot


def test_a_learning_rate_that_a_factor_sets_is_not_tuned_as_well(
    plan: PlanStudy, snapshot: SnapshotAssertion
) -> None:
    text = (
        "question: Which rate?\nfactors:\n  rate: {path: train.optimizer.Adam.learning_rate,"
        " values: [1e-3, 1e-2]}\ntune: {}\n"
    )
    assert complaint(lambda: plan(text)) == snapshot


def test_folders_may_bring_the_validation_images(plan: PlanStudy) -> None:
    assert plan(TUNED, overrides=("data.split.validation=0",)).plan.tuning is not None


def test_nothing_is_tuned_unless_the_study_says_so(
    plan: PlanStudy, write_study: WriteStudy
) -> None:
    assert plan(STUDY).plan.tuning is None
    arms = plan(STUDY).plan.arms
    assert plan_tuning(write_study(STUDY), arms, arms_at=lambda value: arms) is None


DROPPING = """\
question: Which dropout?
factors:
  dropout:
    levels:
      none: {role.dropout: 0}
      single: {role.dropout: 0.1}
      maps: {role.spatial_dropout: 0.1}
tune: {path: role.dropout_rate, low: 0.05, high: 0.5}
"""


def test_arms_are_tuned_in_which_what_is_tuned_changes_something(plan: PlanStudy) -> None:
    tuning = tuning_of(plan, DROPPING)
    assert (tuning.arms, tuning.trials, tuning.what) == (("single", "maps"), 20, "dropout rate")


def test_what_changes_no_arm_is_refused(plan: PlanStudy, snapshot: SnapshotAssertion) -> None:
    text = f"{STUDY}tune: {{path: role.dropout_rate, low: 0.05, high: 0.5}}\n"
    assert complaint(lambda: plan(text)) == snapshot


def test_rates_of_a_schedule_keep_their_ratios(plan: PlanStudy) -> None:
    planned = plan(STUDY + "tune: {}\n", config=BLOCKS.replace("epochs: 2", PIECES)).plan
    found = planned.arms[0].config
    assert present_rate(found) == 0.1
    assert planned.tuning is not None
    assert (planned.tuning.low, planned.tuning.high) == (0.01, 1.0)
    assert with_rate(found, 0.3) == (
        "train.optimizer.SGD.learning_rate.PiecewiseConstantDecay.values=[0.3, 0.03]"
    )
