"""From a study to its arms, contrasts, seeds and cells, and what is refused before any cell."""

from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.planning.contrasts import fewest_seeds
from cnnrun.ablation.planning.make_plan import measured_names, plan_study
from cnnrun.ablation.studies.study import load_study
from cnnrun.config.values import BatchNorm

from ..conftest import BLOCKS, SPELLED_OUT, STUDY, PlanStudy, complaint

CROSSED = """\
question: Where?
factors:
  position:
    path: model.blocks.batch_norm.position
    values: [none, before_activation, after_activation]
  activation: {path: model.blocks.activation, values: [relu, tanh]}
contrasts:
  - name: after against before
    of: {position: after_activation}
    against: {position: before_activation}
  - name: the same for relu, less for tanh
    of: {position: after_activation, activation: relu}
    against: {position: before_activation, activation: relu}
    less:
      of: {position: after_activation, activation: tanh}
      against: {position: before_activation, activation: tanh}
  - {name: sigmoid, of: {activation: sigmoid}, against: {activation: relu}, optional: true}
"""

WRONG = {
    "value_that_the_config_refuses": "f: {path: train.epochs, values: [1, 0, many]}",
    "unknown_address": "f: {path: model.blocks.activatoin, values: [relu, tanh]}",
    "no_address": "f: {path: model..blocks, values: [relu, tanh]}",
    "unknown_address_in_a_level": "f: {levels: {a: {train.epoch: 2}, b: {}}}",
    "one_arm": "f: {path: train.epochs, values: [1]}",
    "equal_arms": "f: {path: train.epochs, values: {two: 2, as in the config: 2}}",
    "leading_zero": "f: {path: 'model.layers[stem].conv_block.filters', values: [4, 04]}",
}


@pytest.mark.parametrize("factor", WRONG.values(), ids=WRONG)
def test_what_is_refused(plan: PlanStudy, factor: str, snapshot: SnapshotAssertion) -> None:
    text = f"question: Which?\nfactors:\n  {factor}\n"
    assert complaint(lambda: plan(text)) == snapshot


def test_blocks_that_do_not_care(plan: PlanStudy, snapshot: SnapshotAssertion) -> None:
    own = BLOCKS.replace("kernel_size: 3", "kernel_size: 3, activation: relu")
    text = "question: Which?\nfactors:\n  f: {path: model.blocks.activation, values: [elu, tanh]}\n"
    assert complaint(lambda: plan(text, config=own)) == snapshot
    assert complaint(lambda: plan(text, config=SPELLED_OUT)) == snapshot


@pytest.mark.parametrize("devices", ["all", "2"])
def test_cells_on_several_devices(
    plan: PlanStudy, devices: str, snapshot: SnapshotAssertion
) -> None:
    config = BLOCKS.replace("epochs: 2", f"epochs: 2, batch_size: 8, devices: {devices}")
    assert complaint(lambda: plan(STUDY, config=config)) == snapshot


@pytest.mark.parametrize("metric", ["test_los", "epochs_to_target", "val_f1_area"])
def test_metrics_that_are_not_there(
    plan: PlanStudy, metric: str, snapshot: SnapshotAssertion
) -> None:
    assert complaint(lambda: plan(f"{STUDY}metric: {metric}\n")) == snapshot


@pytest.mark.parametrize(
    ("given", "tested"),
    [
        ("FBetaScore", "test_fbeta_score"),
        ("{Precision: {thresholds: [0.4, 0.6]}}", "val_precision_area"),
        ("LogCoshError", "test_log_cosh_error"),
    ],
)
def test_metrics_that_are_no_single_number_of_their_name(
    plan: PlanStudy, given: str, tested: str, snapshot: SnapshotAssertion
) -> None:
    config = BLOCKS.replace("epochs: 2", f"epochs: 2, metrics: [{given}]")
    assert complaint(lambda: plan(f"{STUDY}metric: {tested}\n", config=config)) == snapshot


@pytest.mark.parametrize(
    ("given", "tested"),
    [
        ("{FBetaScore: {average: macro, beta: 2.0}}", "test_fbeta_score"),
        ("FBetaScore", "test_fbeta_score_3"),
        ("LogCoshError", "val_logcosh_area"),
        ("MSE", "test_MSE"),
        ("mape", "test_mape"),
        ("AUC, {AUC: {curve: PR}}", "val_auc_1_area"),
    ],
)
def test_metrics_are_planned_under_the_name_of_their_logs(
    plan: PlanStudy, given: str, tested: str
) -> None:
    config = BLOCKS.replace("epochs: 2", f"epochs: 2, metrics: [{given}]")
    assert plan(f"{STUDY}metric: {tested}\n", config=config).plan


def test_metrics_of_the_config_count(plan: PlanStudy) -> None:
    config = BLOCKS.replace(
        "epochs: 2",
        "epochs: 2, metrics: [{TopKCategoricalAccuracy: {k: 2, name: top2}}, MeanSquaredError]",
    )
    planned = plan(f"{STUDY}metric: val_top2_area\n", config=config)
    assert {"test_top2", "val_mean_squared_error_area"} <= set(
        measured_names(planned.plan.arms[0].config)
    )


def test_one_seed(plan: PlanStudy, snapshot: SnapshotAssertion) -> None:
    assert complaint(lambda: plan(STUDY, seeds=1)) == snapshot


def test_arms_are_all_combinations(plan: PlanStudy) -> None:
    planned = plan(CROSSED).plan
    assert [arm.name for arm in planned.arms] == [
        "position none, activation relu",
        "position none, activation tanh",
        "position before_activation, activation relu",
        "position before_activation, activation tanh",
        "position after_activation, activation relu",
        "position after_activation, activation tanh",
    ]
    last = planned.arms[-1]
    assert last.overrides == (
        "model.blocks.batch_norm.position=after_activation",
        "model.blocks.activation=tanh",
    )
    assert last.config.model.blocks.batch_norm == BatchNorm("after_activation", {"momentum": 0.9})
    assert {arm.config.train.threads for arm in planned.arms} == {1}


def test_factors_of_one_value_are_not_named(plan: PlanStudy) -> None:
    text = STUDY + "  activation: {path: model.blocks.activation, values: [tanh]}\n"
    assert [arm.name for arm in plan(text).plan.arms] == ["none", "before_activation"]


def test_contrasts_average_over_what_they_do_not_name(plan: PlanStudy) -> None:
    first, second = plan(CROSSED).plan.family
    assert first.weights == {
        "position before_activation, activation relu": -0.5,
        "position before_activation, activation tanh": -0.5,
        "position after_activation, activation relu": 0.5,
        "position after_activation, activation tanh": 0.5,
    }
    assert second.weights == {
        "position before_activation, activation relu": -1.0,
        "position before_activation, activation tanh": 1.0,
        "position after_activation, activation relu": 1.0,
        "position after_activation, activation tanh": -1.0,
    }


def test_a_mean_says_over_what_and_its_effects_stand_beside(plan: PlanStudy) -> None:
    first, *effects, second = plan(CROSSED).plan.contrasts
    assert first.name == "after against before, mean over activation (relu, tanh)"
    assert [each.name for each in effects] == [
        "after against before, activation relu",
        "after against before, activation tanh",
    ]
    assert effects[1].weights == {
        "position before_activation, activation tanh": -1.0,
        "position after_activation, activation tanh": 1.0,
    }
    for each in effects:
        assert (each.is_declared, each.beside) == (False, first.name)
    # What names all factors is a mean of nothing.
    assert (second.is_declared, second.beside) == (True, "")
    assert plan(CROSSED).plan.family == (first, second)


def test_without_contrasts_several_factors_have_main_effects_and_interactions(
    plan: PlanStudy,
) -> None:
    planned = plan(
        """\
        question: How wide, how long?
        factors:
          filters: {path: 'model.layers[stem].conv_block.filters', values: [4, 8]}
          epochs: {path: train.epochs, values: [1, 2, 3]}
        """
    ).plan
    assert [each.name for each in planned.family] == [
        "filters 8 against 4, mean over epochs (1, 2, 3)",
        "epochs 2 against 1, mean over filters (4, 8)",
        "epochs 3 against 1, mean over filters (4, 8)",
        "filters 8 against 4, with epochs 2 rather than 1",
        "filters 8 against 4, with epochs 3 rather than 1",
    ]
    assert planned.family[3].weights == {
        "filters 4, epochs 1": 1.0,
        "filters 4, epochs 2": -1.0,
        "filters 8, epochs 1": -1.0,
        "filters 8, epochs 2": 1.0,
    }
    # Each main effect's own effects: three, two and two.
    assert len(planned.contrasts) == 5 + 7
    assert len(planned.seeds) == 8


def test_without_contrasts_each_arm_stands_against_the_first(plan: PlanStudy) -> None:
    planned = plan("question: How long?\nfactors: {f: {path: train.epochs, values: [1, 2, 3]}}\n")
    assert [contrast.name for contrast in planned.plan.contrasts] == [
        "f 2 against f 1",
        "f 3 against f 1",
    ]


def test_cells_are_in_the_order_of_seeds(plan: PlanStudy) -> None:
    planned = plan(STUDY + "resplit: true\n", seeds=2).plan
    assert [(cell.arm, cell.seed) for cell in planned.cells] == [
        ("none", 3),
        ("before_activation", 3),
        ("none", 4),
        ("before_activation", 4),
    ]
    assert [cell.config.seed for cell in planned.cells] == [3, 3, 4, 4]
    assert [cell.config.data.split.seed for cell in planned.cells] == [3, 3, 4, 4]


def test_without_resplit_the_split_stays(plan: PlanStudy) -> None:
    assert {cell.config.data.split.seed for cell in plan(STUDY).plan.cells} == {0}


def test_settings_come_before_the_command_line(plan: PlanStudy) -> None:
    text = STUDY + "set: {train.epochs: 5, train.batch_size: 16}\n"
    config = plan(text, overrides=["train.epochs=7"]).plan.arms[0].config
    assert (config.train.epochs, config.train.batch_size) == (7, 16)


def test_seeds_are_as_many_as_the_contrasts_need(plan: PlanStudy) -> None:
    values = "question: Which?\nfactors: {f: {path: train.epochs, values: [1, 2, 3, 4, 5, 6]}}\n"
    assert len(plan(STUDY).plan.seeds) == 7
    assert len(plan(values).plan.seeds) == 8
    # FACTS.md of the project: what Holm's correction needs.
    assert [fewest_seeds(number) for number in (1, 3, 6, 9)] == [6, 7, 8, 9]


def test_too_few_seeds_are_named(plan: PlanStudy, snapshot: SnapshotAssertion) -> None:
    assert plan(STUDY, seeds=5).notes == snapshot
    assert plan(CROSSED, seeds=6).notes == snapshot
    assert plan(STUDY, seeds=6).notes == ()


def test_arms_that_only_their_names_tell_apart(
    plan: PlanStudy, snapshot: SnapshotAssertion
) -> None:
    text = """
    question: Where?
    factors:
      position:
        path: model.blocks.batch_norm.position
        values: [none, before_activation]
        in_layer_lists: move_batch_norm
      activation: {path: model.blocks.activation, values: [relu, tanh]}
    """
    without_blocks = (
        SPELLED_OUT.partition("    - residual")[0] + "    - Flatten\n    - classifier\n"
    )
    assert complaint(lambda: plan(text, config=without_blocks)) == snapshot


FOLDS = STUDY + "repeat: {folds: 3, times: 2}\n"


def test_folds_are_the_test_by_turns_in_each_cut(plan: PlanStudy) -> None:
    planned = plan(FOLDS).plan
    splits = [cell.config.data.split for cell in planned.cells if cell.arm == "none"]
    assert [split.fold for split in splits] == [(1, 3), (2, 3), (3, 3)] * 2
    assert [split.seed for split in splits] == [0, 0, 0, 1, 1, 1]
    assert [cell.seed for cell in planned.cells[::2]] == list(range(3, 9))
    repetition = planned.repetition
    assert (repetition.unit, repetition.draws_splits) == ("fold", True)
    assert (repetition.tested_share, repetition.trained_share) == pytest.approx(
        (1 / 3, 2 / 3 - 0.15)
    )


@pytest.mark.parametrize(
    "key", ["seeds: 7", "looks: [10, 14]", "resplit: true", "repeat: {folds: 1}"]
)
def test_what_folds_do_not_go_with(plan: PlanStudy, key: str, snapshot: SnapshotAssertion) -> None:
    text = STUDY + key if key.startswith("repeat") else FOLDS + key
    assert complaint(lambda: plan(text + "\n")) == snapshot


def test_folds_are_counted_by_the_study(plan: PlanStudy, snapshot: SnapshotAssertion) -> None:
    assert complaint(lambda: plan(FOLDS, seeds=6)) == snapshot
    resplit = replace(load_study(Path("study.yaml")), resplit=True)
    given = {"overrides": (), "seeds": None}
    base = Path("config.yaml")
    assert complaint(lambda: plan_study(resplit, name="study", base=base, **given)) == snapshot
    worded = ("data.split.test=[eval]", "data.split.train=[train]")
    assert complaint(lambda: plan(FOLDS, overrides=worded)) == snapshot


@pytest.mark.parametrize("asked", [False, True])
def test_what_the_base_records_its_cells_record(plan: PlanStudy, asked: bool) -> None:
    planned = plan(STUDY, overrides=(f"train.diagnostics={str(asked).lower()}",)).plan
    assert {cell.diagnostics for cell in planned.cells} == {asked}
