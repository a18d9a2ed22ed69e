"""The studies that come with cnnrun: each plans over the digits, and keeps to its claim."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.planning.contrasts import fewest_seeds
from cnnrun.ablation.planning.make_plan import plan_study
from cnnrun.ablation.studies.named_studies import find_study, study_names
from cnnrun.ablation.studies.other_values import with_values
from cnnrun.ablation.studies.study import Study
from cnnrun.starter.example import example_project

from ..conftest import STUDY, complaint

DIGITS = example_project() / "configs" / "digits.yaml"
MOST_CELLS = 110
"""What two cores train in a few minutes."""


def planned(study: Study):
    return plan_study(study.of_example(), name="study", base=DIGITS, overrides=(), seeds=None)


@pytest.mark.parametrize("name", study_names())
def test_each_plans_over_the_digits(name: str) -> None:
    study = find_study(name).study
    whole = planned(study)
    assert whole.notes == ()
    assert len(whole.plan.cells) <= MOST_CELLS
    assert len(whole.plan.seeds) >= fewest_seeds(len(whole.plan.contrasts))
    assert study.claim
    assert study.metric.name in ("test_loss", "val_loss_area"), "it must not tie"
    assert study.target is not None


@pytest.mark.parametrize("name", study_names())
def test_batch_norms_statistics_keep_up(name: str) -> None:
    for arm in planned(find_study(name).study).plan.arms:
        norm = arm.config.model.blocks.batch_norm
        assert norm.position == "none" or norm.arguments["momentum"] <= 0.9


def test_there_is_one_for_each_claim(snapshot: SnapshotAssertion) -> None:
    assert {name: find_study(name).study.question for name in study_names()} == snapshot


def test_what_relu_gains_less_what_tanh_and_sigmoid_gain() -> None:
    study = with_values(find_study("bn-order").study, ["activation=relu,tanh,sigmoid"])
    plan = planned(study).plan
    assert (len(plan.arms), len(plan.family), len(plan.seeds)) == (12, 5, 8)
    # Beside three means over activations stand three effects each.
    assert len(plan.contrasts) == 5 + 9
    assert plan.contrasts[-1].weights == {
        "position after_activation, activation relu": 1.0,
        "position before_activation, activation relu": -1.0,
        "position after_activation, activation sigmoid": -1.0,
        "position before_activation, activation sigmoid": 1.0,
    }


def test_contrasts_without_arms_are_left_out_and_named(snapshot: SnapshotAssertion) -> None:
    study = with_values(find_study("bn-order").study, ["position=none,before_activation"])
    whole = planned(study)
    assert [contrast.name for contrast in whole.plan.contrasts] == [
        "before the activation against none"
    ]
    assert whole.notes == snapshot
    other = planned(with_values(study, ["position=before_activation,before_convolution"]))
    assert [each.name for each in other.plan.contrasts] == [
        "before_convolution against before_activation"
    ]
    assert other.notes == snapshot


def test_names_of_values_stand_for_them() -> None:
    study = find_study("bn-learning-rate").study
    kept = with_values(study, ["batch_norm=with BN,none", "learning_rate=0.1"])
    assert kept.factors["batch_norm"].labels == ("with BN", "none")
    arms = planned(kept).plan.arms
    assert [arm.config.model.blocks.batch_norm.position for arm in arms] == [
        "before_activation",
        "none",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "activatoin=relu",
        "activation",
        "activation=",
        "activation=relu,relu",
        "activation=[relu",
        "activation=relu,tanhh",
    ],
)
def test_values_that_are_refused(text: str, snapshot: SnapshotAssertion) -> None:
    study = find_study("bn-order").study
    assert complaint(lambda: planned(with_values(study, [text]))) == snapshot


def test_levels_that_are_not_there(snapshot: SnapshotAssertion) -> None:
    study = find_study("dropout").study
    assert complaint(lambda: with_values(study, ["dropout=none,Dropout2D"])) == snapshot


@pytest.mark.parametrize("name", ["bn-odrer", "everything", "missing.yaml"])
def test_studies_that_are_not_there(folder: Path, name: str, snapshot: SnapshotAssertion) -> None:
    assert complaint(lambda: find_study(name)) == snapshot


def test_a_file_goes_by_its_name(folder: Path) -> None:
    Path("mine.yaml").write_text(STUDY)
    assert find_study("mine.yaml").name == "mine"
