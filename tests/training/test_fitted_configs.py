"""The configs that `cnnrun init --data` writes train as they stand."""

from pathlib import Path

import pytest

from cnnrun.config.load import load_config
from cnnrun.runs.events import silent
from cnnrun.runs.result import read_result
from cnnrun.starter.fitted import write_fitted_configs
from cnnrun.training.train import train


@pytest.mark.usefixtures("mobilenet_weights")
def test_a_head_on_top_of_mobilenet(make_images, tmp_path: Path) -> None:
    folder = make_images("photos", {"dark": 20, "light": 20}, size=(24, 30), mode="RGB")
    _, variant = write_fitted_configs(folder, project=tmp_path, layout=None)

    run = train(load_config(variant), experiments=tmp_path, into=None, listener=silent)

    test = read_result(run).test
    assert test is not None
    assert test["accuracy"] == 1
