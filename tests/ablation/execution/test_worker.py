"""What a worker does with a task, in the process of the test."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution import worker
from cnnrun.ablation.execution.cell_records import read_record
from cnnrun.ablation.execution.tasks import CellTask, Done, Failed, Trial, TrialTask
from cnnrun.ablation.execution.worker import Worker
from cnnrun.ablation.planning.cell_keys import data_content
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.folder import RunFolder
from cnnrun.training import callbacks

from ...listening import Heard

NORMALIZED = {"batch_norm": {"position": "before_activation", "momentum": 0.9}}
LAYERS = [
    {"conv_block": {"filters": 4, "kernel_size": 3}},
    {"Dropout": {"rate": 0.3}},
    "GlobalAveragePooling2D",
    "classifier",
]


@pytest.fixture
def config(make_images: Callable[..., Path], tmp_path: Path) -> Config:
    make_images("images", {"dark": 20, "grey": 20, "light": 20})
    sections = {
        "data": {"directory": "images", "image_size": [8, 8], "color_mode": "grayscale"},
        "model": {"blocks": NORMALIZED, "layers": LAYERS},
        "train": {"epochs": 4, "batch_size": 8, "threads": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(sections))
    return load_config(tmp_path / "config.yaml")


def task(config: Config, folder: Path) -> CellTask:
    return CellTask(
        config=config,
        diagnostics=True,
        key="0123",
        data=data_content(config.data, cache_folder=folder.parent),
        versions=installed_packages(),
        folder=folder,
        cache_folder=folder.parent,
    )


def test_a_cell_that_was_begun_goes_on_to_the_same_bits(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert Worker().report(task(config, whole)) == Done()
    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "CHECKPOINT_INTERVAL_S", 0.0)
        patched.setattr(worker, "silent", Heard(stop_after=2))
        assert isinstance(Worker().report(task(config, parts)), Failed)
    assert read_record(RunFolder(parts)) is None
    (parts / "metrics.jsonl").write_text((parts / "metrics.jsonl").read_text() + '{"epoch": 3')
    assert Worker().report(task(config, parts)) == Done()
    log = (parts / "log.txt").read_text()
    assert "epochs 3 to 4" in log
    ours, theirs = read_record(RunFolder(whole)), read_record(RunFolder(parts))
    assert ours is not None
    assert theirs is not None
    assert ours.values == theirs.values
    diagnostics = [(folder / "diagnostics.jsonl").read_text() for folder in (whole, parts)]
    assert diagnostics[0] == diagnostics[1]


def test_a_cell_whose_checkpoints_are_damaged_begins_anew(config: Config, tmp_path: Path) -> None:
    folder = tmp_path / "cell"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "epoch-00002-stage-00.npz").write_bytes(b"torn")
    (folder / "model.keras").write_bytes(b"of before")
    assert Worker().report(task(config, folder)) == Done()
    assert len((folder / "diagnostics.jsonl").read_text().splitlines()) == 5


def test_what_differs_on_a_worker_s_machine_is_refused(
    config: Config, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    sound = task(config, tmp_path / "cell")
    versions = installed_packages()
    others = {**versions, "keras": "3.15.0"}
    del others["numpy"]
    answers = [
        Worker().report(replace(sound, versions=others)),
        Worker().report(replace(sound, data=dict(sound.data) | {"blake3": "0"})),
    ]
    said = [answer.why for answer in answers if isinstance(answer, Failed)]
    for package in ("keras", "numpy"):
        said[0] = said[0].replace(f"{package} is {versions[package]}", f"{package} is X")
    assert [each.replace(str(tmp_path), "") for each in said] == snapshot
    state = json.loads((tmp_path / "cell" / "state.json").read_text())
    assert state["state"] == "failed"


def test_a_trial_knows_what_networks_are_made_of(config: Config, tmp_path: Path) -> None:
    wider = [{"conv_block": {"filters": 8, "kernel_size": 3}}, "Flatten", "classifier"]
    sections = yaml.safe_load((tmp_path / "config.yaml").read_text())
    sections["data"]["image_size"] = [4, 4]
    sections["model"] = {"layers": wider}
    (tmp_path / "wider.yaml").write_text(yaml.safe_dump(sections))
    configs = {"narrow": config, "wide": load_config(tmp_path / "wider.yaml")}
    folder = tmp_path / "trial" / "run"
    trial = Worker().report(TrialTask(configs, diagnostics=False, folder=folder))
    assert isinstance(trial, Trial)
    narrow = (3 * 3 + 1) * 4 + 4 * 4 + (4 + 1) * 3
    wide = (3 * 3 + 1) * 8 + (4 * 4 * 8 + 1) * 3
    assert trial.parameters == {"narrow": narrow, "wide": wide}
    assert trial.multiply_adds == {
        "narrow": 8 * 8 * 9 * 4 + 4 * 3,
        "wide": 4 * 4 * 9 * 8 + 4 * 4 * 8 * 3,
    }
    assert trial.seconds_a_cell > 0
    assert trial.seconds_an_arm > 0


def test_a_study_that_the_disk_cannot_hold_is_refused_before_an_epoch(
    config: Config, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """A billion billion cells of any network are more than a disk holds."""
    asked = replace(task(config, tmp_path / "cell"), cells_left=10**18)
    refused = Worker().report(asked)
    assert isinstance(refused, Failed)
    assert refused.ends_study
    told = re.sub(r"[0-9.]+ [kMGT]B that", "SOME that", refused.why)
    assert told.replace(str(tmp_path), "<folder>") == snapshot
    assert not (tmp_path / "cell/metrics.jsonl").exists()
