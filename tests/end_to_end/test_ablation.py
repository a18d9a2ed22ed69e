"""`cnnrun ablate` as a user gives it, and given again after a part of its work was lost."""

import json
from pathlib import Path

import pytest
import yaml

STUDY = {
    "question": "Does batch norm help?",
    "base": "config.yaml",
    "factors": {
        "batch_norm": {
            "path": "model.blocks.batch_norm",
            "values": {
                "without": "none",
                "with": {"position": "before_activation", "momentum": 0.5},
            },
        }
    },
    "diagnostics": True,
}
CONFIG = {
    "data": {"directory": "images", "image_size": [8, 8], "color_mode": "grayscale"},
    "model": {
        "layers": [
            {"conv_block": {"filters": 4, "kernel_size": 3}},
            "GlobalAveragePooling2D",
            "classifier",
        ]
    },
    "train": {"epochs": 2, "batch_size": 8},
}


@pytest.fixture
def study(tmp_path: Path, make_images) -> Path:
    """The folder of a study of two arms over a few images."""
    make_images("images", {"dark": 14, "bright": 14})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return tmp_path


def test_a_study_and_the_same_results_after_a_part_was_lost(study: Path, cnnrun) -> None:
    arguments = ("ablate", "study.yaml", "--seeds", "2", "--json", "--into", "study")
    first = cnnrun(*arguments)
    assert first.exit_code == 0, first.stderr
    assert {arm["name"] for arm in first.document["arms"]} == {"with", "without"}
    assert first.document["contrasts"][0]["verdict"] == "undecided"
    assert "2 seeds are too few" in first.stderr
    folder = study / "study"
    assert {path.name for path in folder.iterdir()} >= {
        *("study.yaml", "plan.json", "runs", "cells.csv", "results.json", "report.md", "plots"),
    }
    assert {path.name for path in (folder / "plots").iterdir()} == {
        *("contrasts.png", "distributions.png", "layers.png", "learning_curves.png"),
        "saturation.png",
    }
    before = (folder / "results.json").read_bytes()
    # As a kill leaves it: one cell without its last file, and no results.
    next((folder / "runs").iterdir()).joinpath("cell.json").unlink()
    (folder / "results.json").unlink()
    again = cnnrun(*arguments)
    assert again.exit_code == 0, again.stderr
    assert "4 cells, 3 of them done before" in again.stderr
    assert (folder / "results.json").read_bytes() == before


@pytest.mark.slow
def test_a_tuned_study_is_run_and_resumed_and_reported(study: Path, cnnrun) -> None:
    """The same results.json after cells of both parts were lost: nothing hangs on when they ran."""
    tuned = STUDY | {"diagnostics": False, "tune": {"low": 1e-3, "high": 1e-1, "values": 3}}
    (study / "study.yaml").write_text(yaml.safe_dump(tuned))
    arguments = ("ablate", "study.yaml", "--seeds", "2", "--json", "--into", "study")
    first = cnnrun(*arguments)
    assert first.exit_code == 0, first.stderr
    folder = study / "study"
    tuning = json.loads((folder / "results.json").read_text())["tuning"]
    rates = {arm["name"]: arm["chosen"] for arm in tuning["arms"]}
    used = {
        yaml.safe_load(path.read_text())["train"]["optimizer"]["Adam"]["learning_rate"]
        for path in folder.glob("runs/*/resolved.yaml")
    }
    assert set(rates.values()) <= used
    assert "## Tuning" in (folder / "report.md").read_text()
    assert (folder / "plots" / "tuning.png").exists()
    before = (folder / "results.json").read_bytes()
    for cell in list((folder / "runs").iterdir())[::4]:
        (cell / "cell.json").unlink()
    (folder / "results.json").unlink()
    assert cnnrun(*arguments).exit_code == 0
    assert (folder / "results.json").read_bytes() == before
    changed = cnnrun(*arguments, "--no-tune-each-arm")
    assert changed.exit_code == 2
    assert "one whose tune is path learning_rate" in changed.stderr
