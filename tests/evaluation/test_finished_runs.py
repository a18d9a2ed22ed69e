"""A finished run at work; the oracle is what the run itself wrote down."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.sections import Config
from cnnrun.errors import DataError, RunError
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import read_result
from cnnrun.training.train import train

MakeConfig = Callable[..., Config]


@pytest.fixture
def run(make_config: MakeConfig, tmp_path: Path) -> RunFolder:
    config = make_config(
        train={
            "epochs": 1,
            "batch_size": 8,
            "loss": "CategoricalCrossentropy",
            "metrics": ["accuracy", "AUC"],
        }
    )
    return train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)


def test_evaluating_again_gives_the_run_s_own_result(run: RunFolder) -> None:
    evaluated = evaluate_run(run, data_directory=None)
    scores, metrics = evaluated.evaluation.scores.as_json(), evaluated.evaluation.metrics
    test = read_result(run).test
    assert test is not None
    assert set(test) == set(scores) | set(metrics)
    for name in ("loss", "accuracy", "macro_f1", "auc"):
        assert (metrics | scores)[name] == pytest.approx(test[name], rel=1e-6)


def test_a_folder_with_some_of_the_classes_is_evaluated_whole(
    run: RunFolder, image_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(image_folder / "light", tmp_path / "others" / "light")
    evaluation = evaluate_run(run, data_directory=tmp_path / "others").evaluation
    assert evaluation.scores.images == len(list((image_folder / "light").iterdir()))
    assert np.flatnonzero(evaluation.scores.support).tolist() == [2]


def test_a_folder_of_other_classes_is_refused(
    run: RunFolder, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    shutil.copytree(image_folder / "light", tmp_path / "others" / "lihgt")
    with pytest.raises(DataError) as raised:
        evaluate_run(run, data_directory=tmp_path / "others")
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot


def test_a_run_without_test_images_needs_others(
    make_config: MakeConfig, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    data = {"directory": str(image_folder), "image_size": [6, 6], "split": {"test": 0}}
    config = make_config(data=data, train={"epochs": 1, "batch_size": 8})
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    with pytest.raises(RunError) as raised:
        evaluate_run(run, data_directory=None)
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot
