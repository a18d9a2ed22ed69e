"""`cnnrun show --time` prints what was measured and what follows from it."""

import json
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.cli.show_time import print_timing, recommendation
from cnnrun.preview import step_timing

CONFIG = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale, classes: 3}
model: {layers: [Flatten, classifier]}
train: {batch_size: 4}
"""


def document(*, bfloat16: float, recommended: str) -> dict[str, Any]:
    """What was measured where bfloat16 is so many times as fast as float32."""

    def timed(speedup: float, rounds: int) -> dict[str, Any]:
        return {
            "rounds": rounds,
            "step_seconds": 0.5 / speedup,
            "images_per_second": 64 * speedup,
            "speedup": speedup,
            "speedup_range": [0.75 * speedup, 1.25 * speedup] if rounds > 1 else [speedup, speedup],
        }

    precisions = {
        "float32": timed(1.0, 5) | {"speedup_range": [1.0, 1.0]},
        "mixed_bfloat16": timed(bfloat16, 5),
        "mixed_float16": timed(0.0625, 1),
    }
    return {"batch_size": 32, "precisions": precisions, "recommended": recommended}


@pytest.mark.parametrize("columns", ["80", "60"])
def test_the_table(
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    measured = document(bfloat16=2.5, recommended="mixed_bfloat16")
    print_timing(measured, precision="float32")
    assert capsys.readouterr().out == snapshot


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("recommended", ["float32", "mixed_bfloat16"])
def test_the_recommendation(precision: str, recommended: str, snapshot: SnapshotAssertion) -> None:
    measured = document(bfloat16=2.5, recommended=recommended)
    assert recommendation(measured, precision=precision) == snapshot


def test_a_config_is_timed_without_its_images(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_timing, "ROUND_S", 0.02)
    (tmp_path / "small.yaml").write_text(CONFIG)
    ended = command("show", "small.yaml", "--time", "--json")
    assert ended.exit_code == 0, ended.stderr
    shown = json.loads(ended.stdout)
    assert shown["parameters"]["total"] == 64 * 3 + 3
    timed = shown["time"]
    assert timed["batch_size"] == 4
    assert set(timed["precisions"]) == {"float32", "mixed_bfloat16", "mixed_float16"}
    assert timed["recommended"] in timed["precisions"]
    assert timed["precisions"]["float32"]["rounds"] == 5
    assert timed["precisions"]["float32"]["speedup"] == 1
    for measured in timed["precisions"].values():
        speed = timed["batch_size"] / measured["step_seconds"]
        assert measured["images_per_second"] == pytest.approx(speed)
        assert measured["speedup_range"][0] <= measured["speedup"] <= measured["speedup_range"][1]
    notes = ended.stderr.splitlines()
    assert notes[0] == "note: timing training steps in float32"
    assert notes[-1] == "note: timing in turns, 5 of 5"


def test_a_script_is_not_timed(command, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    (tmp_path / "small.yaml").write_text(CONFIG)
    ended = command("show", "small.yaml", "--time", "--as", "keras")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot
