"""calibration.json is read as it was written, and refused where it is another model's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.calibration.calibration_file import Calibration, read_calibration, write_calibration
from cnnrun.calibration.probability_map import ProbabilityMap, temperature_map
from cnnrun.errors import RunError
from cnnrun.runs.folder import RunFolder

DAMAGED = (
    "/run/calibration.json: must hold a temperature above 0, or a scale and a bias for 3 classes,"
    " received a damaged file, or another run's; calibrate the run again: `cnnrun calibrate /run`"
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.keras").write_bytes(b"weights")
    return RunFolder(tmp_path / "run")


@pytest.mark.parametrize(
    "written",
    [
        temperature_map(1.5, classes=3),
        ProbabilityMap("vector", np.array([1.0, 0.5, 2.0]), np.array([0.1, -0.3, 0.2])),
    ],
    ids=lambda each: each.method,
)
def test_what_was_written_is_read(run: RunFolder, written: ProbabilityMap) -> None:
    write_calibration(run, Calibration(written), further={"fitted_on": {"images": 7}})
    read = read_calibration(run, classes=3).map
    np.testing.assert_allclose(read.scale, written.scale, rtol=1e-15)
    np.testing.assert_array_equal(read.bias, written.bias)
    assert json.loads(run.calibration_json.read_text())["fitted_on"] == {"images": 7}


def message_of(run: RunFolder, tmp_path: Path) -> str:
    with pytest.raises(RunError) as caught:
        read_calibration(run, classes=3)
    return str(caught.value).replace(str(tmp_path), "")


def test_a_run_that_was_not_calibrated(
    run: RunFolder, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    assert message_of(run, tmp_path) == snapshot


def test_another_models_calibration(
    run: RunFolder, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    write_calibration(run, Calibration(temperature_map(1.5, classes=3)), further={})
    run.model_keras.write_bytes(b"other weights")
    assert message_of(run, tmp_path) == snapshot


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": -1.5},
        {"temperature": "1.5"},
        {"temperature": True},
        {"classes": 4},
        {"method": "vector"},
        {"method": "vector", "scale": [1.0, 1.0], "bias": [0.0, 0.0, 0.0]},
        {"method": "vector", "scale": [1.0, 1.0, None], "bias": [0.0, 0.0, 0.0]},
    ],
    ids=str,
)
def test_a_damaged_calibration(run: RunFolder, change: dict[str, Any], tmp_path: Path) -> None:
    write_calibration(run, Calibration(temperature_map(1.5, classes=3)), further={})
    fields = json.loads(run.calibration_json.read_text()) | change
    run.calibration_json.write_text(json.dumps(fields))
    assert message_of(run, tmp_path) == DAMAGED
