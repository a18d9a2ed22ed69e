"""What is typed for each public data set trains, from the unpacked download to a finished run.

Oracle: the classes that its makers meant. The networks are tiny, and see every image once.
"""

from pathlib import Path

import pytest
import yaml

from cnnrun.config.load import load_config
from cnnrun.runs.events import silent
from cnnrun.runs.files import read_json
from cnnrun.runs.result import read_result
from cnnrun.starter.fitted import write_fitted_configs

from .test_public_data_sets import (
    BY_CONFIG,
    BY_INIT,
    LAYERS,
    configs_of_the_manual,
    rows_of_the_table,
)

pytestmark = pytest.mark.slow
TINY = (
    "model.layers=[GlobalAveragePooling2D, classifier]",
    "model.blocks={}",
    "train={epochs: 1, batch_size: 8}",
)


def train(config: Path, *overrides: str) -> int:
    """The number of classes of a finished run."""
    from cnnrun.training.train import train

    checked = load_config(config, overrides=overrides)
    run = train(
        checked,
        experiments=config.parent,
        into=config.parent / "run",
        listener=silent,
        with_git=False,
    )
    result = read_result(run)
    assert result.epochs == 1
    assert result.test is not None
    return len(read_json(run.classes_json))


@pytest.mark.parametrize("name", BY_INIT)
def test_what_init_writes_trains(name: str, tmp_path: Path) -> None:
    write, classes, _ = BY_INIT[name]
    write(tmp_path)
    config, _ = write_fitted_configs(
        tmp_path / rows_of_the_table()[name], project=tmp_path, layout=None
    )

    assert train(config, *TINY) == classes


@pytest.mark.parametrize("name", BY_CONFIG)
def test_the_manual_s_lines_train(name: str, tmp_path: Path) -> None:
    if name == "EuroSAT, all bands":
        pytest.importorskip("tifffile")
    write, classes, _ = BY_CONFIG[name]
    write(tmp_path)
    data = configs_of_the_manual()[name] | {"image_size": [12, 12]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"data": data}) + LAYERS)

    assert train(tmp_path / "config.yaml", TINY[-1]) == classes
