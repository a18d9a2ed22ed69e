"""What a study file may say, and what is said of one that says something else."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.studies.study import Target, load_study

from ..conftest import STUDY, WriteStudy, complaint

WRONG = {
    "unknown_key": STUDY + "metrik: test_loss\n",
    "no_question": "factors: {a: {path: train.epochs, values: [1, 2]}}\n",
    "path_and_levels": STUDY + "  b: {path: train.epochs, values: [1], levels: {one: {}}}\n",
    "values_without_path": STUDY + "  b: {values: [1, 2]}\n",
    "path_without_values": STUDY + "  b: {path: train.epochs}\n",
    "repeated_value": STUDY + "  b: {path: train.epochs, values: [1, 2, 1]}\n",
    "scalar_values": STUDY + "  b: {path: train.epochs, values: 3}\n",
    "level_that_is_no_map": STUDY + "  b: {levels: {one: 1}}\n",
    "levels_that_are_no_map": STUDY + "  b: {levels: [1]}\n",
    "settings_that_are_no_map": STUDY + "set: train.epochs\n",
    "path_that_is_no_text": STUDY + "  b: {path: 3, values: [1]}\n",
    "one_seed": STUDY + "seeds: 1\n",
    "margin_of_nothing": STUDY + "metric: {name: test_loss, margin: 0}\n",
    "unknown_factor": STUDY
    + "contrasts: [{name: x, of: {positon: none}, against: {position: none}}]\n",
    "unknown_level": STUDY
    + "contrasts: [{name: x, of: {position: before}, against: {position: none}}]\n",
    "equal_sides": STUDY
    + "contrasts: [{name: x, of: {position: none}, against: {position: none}}]\n",
    "unknown_level_of_less": STUDY
    + "contrasts: [{name: x, of: {position: before_activation}, against: {position: none},"
    + " less: {of: {position: nowhere}, against: {position: none}}}]\n",
    "no_map": "- question\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_is_refused(write_study: WriteStudy, text: str, snapshot: SnapshotAssertion) -> None:
    assert complaint(lambda: write_study(text)) == snapshot


def test_a_file_that_is_not_there(folder: Path, snapshot: SnapshotAssertion) -> None:
    Path("bn.yaml").write_text(STUDY)
    assert complaint(lambda: load_study(Path("bm.yaml"))) == snapshot


def test_values_name_themselves(write_study: WriteStudy) -> None:
    study = write_study(
        """
        question: Which?
        factors:
          activation:
            path: model.blocks.activation
            values: [relu, null, {PReLU: {shared_axes: [1, 2]}}, {ELU: {alpha: 1.0}},
              {ELU: {alpha: 0.5}}]
          named: {path: train.batch_size, values: {small: 8, large: 64}}
          several: {levels: {as it is: {}, longer: {train.epochs: 9, train.batch_size: 16}}}
        """
    )
    assert [factor.labels for factor in study.factors.values()] == [
        ("relu", "null", "PReLU", "{ELU: {alpha: 1.0}}", "{ELU: {alpha: 0.5}}"),
        ("small", "large"),
        ("as it is", "longer"),
    ]
    longer = study.factors["several"].levels[1]
    assert [change.address for change in longer.changes] == ["train.epochs", "train.batch_size"]


def test_defaults_follow_from_the_metric(write_study: WriteStudy) -> None:
    study = write_study(STUDY)
    assert (study.metric.name, study.metric.direction) == ("test_loss", "lower")
    accuracy = write_study(STUDY + "metric: test_accuracy\ntarget: {metric: val_loss, value: 1}\n")
    assert (accuracy.metric.name, accuracy.metric.direction) == ("test_accuracy", "higher")
    assert accuracy.target == Target("val_loss", 1.0)
