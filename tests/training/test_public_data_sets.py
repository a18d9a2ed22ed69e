"""Miniatures of public data sets train, each kind of source once, as `init` or the manual says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cnnrun.config.load import load_config
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.runs.events import silent
from cnnrun.runs.result import read_result
from cnnrun.starter.fitted import write_fitted_configs
from cnnrun.training.train import train

from ..data import public_data_sets as sets

pytestmark = pytest.mark.slow

ONE_EPOCH = ["train.epochs=1"]


@pytest.mark.parametrize(
    ("write", "place"),
    [
        (sets.intel_scenes, "intel"),
        (sets.pet_images, "PetImages"),
        (sets.ham10000, "ham10000"),
        (sets.fer2013_csv, "fer2013.csv"),
        (sets.medmnist, "bloodmnist.npz"),
        (sets.covid_radiography, "COVID-19_Radiography_Dataset"),
    ],
)
def test_what_init_writes_trains(write: Any, place: str, tmp_path: Path) -> None:
    write(tmp_path)
    config, _ = write_fitted_configs(tmp_path / place, project=tmp_path, layout=None)

    run = train(
        load_config(config, overrides=ONE_EPOCH),
        experiments=tmp_path,
        into=tmp_path / "run",
        listener=silent,
    )

    test = read_result(run).test
    assert test is not None
    again = evaluate_run(run, data=None).evaluation.scores
    assert again.as_json()["accuracy"] == pytest.approx(test["accuracy"])
    resolved = yaml.safe_load(run.resolved_yaml.read_text())["data"]
    assert ("layout" in resolved) == ("directory" in resolved)


def test_a_folder_with_a_table_trains(tmp_path: Path) -> None:
    """The test images of GTSRB have their classes in a table alone."""
    sets.gtsrb(tmp_path)
    data = {
        "directory": "gtsrb",
        "layout": "{split}/{label}/*",
        "exclude": ["train", "test", "meta"],
        "csv": {"file": {"test": "gtsrb/Test.csv"}, "path": "Path", "label": "ClassId"},
        "image_size": [12, 12],
    }
    sections = {
        "data": data,
        "model": {"layers": ["GlobalAveragePooling2D", "classifier"]},
        "train": {"epochs": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(sections))

    run = train(
        load_config(tmp_path / "config.yaml"),
        experiments=tmp_path,
        into=tmp_path / "run",
        listener=silent,
    )

    assert evaluate_run(run, data=None).evaluation.scores.images == 8
