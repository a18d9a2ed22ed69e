"""What a worker does with a task, in the process of the test."""

import json
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution import worker
from cnnrun.ablation.execution.cell_records import paused_outcome, read_record
from cnnrun.ablation.execution.tasks import CellTask, Done, Failed, Trial, TrialTask
from cnnrun.ablation.execution.worker import Worker
from cnnrun.ablation.planning.cell_keys import data_content
from cnnrun.ablation.planning.plan import Cell
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.result import read_result
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


def test_all_of_a_cell_is_on_the_disk_before_its_record_and_git_is_asked_once(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a loss of power spares, as the system is called; and what two cells share."""
    synced, asked, at_record = [], [], []
    sync, rename, environment = os.fsync, os.replace, worker.environment_of

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    def replaced(source: Path, target: Path) -> None:
        if Path(target).name == "cell.json":
            files = {str(path) for path in Path(target).parent.rglob("*.*") if path.is_file()}
            at_record.append({Path(path).name for path in files - set(synced)})
        rename(source, target)

    def environment_of(prepared: Any, *, with_git: bool) -> Any:
        asked.append(with_git)
        return environment(prepared, with_git=with_git)

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not say what a descriptor is of")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(worker, "environment_of", environment_of)
    one = Worker()
    for seed in (0, 1):
        cell = tmp_path / str(seed)
        assert one.report(task(replace(config, seed=seed), cell)) == Done()
    assert len(asked) == 1
    assert len(at_record) == 2
    for unsynced in at_record:
        partial = {name for name in unsynced if name.startswith(".partial-")}  # cell.json itself
        assert unsynced - partial <= {".lock", "log.txt"}
    last = [path for path in synced if path.startswith(str(tmp_path / "1"))]
    assert len(last) <= 22  # however many epochs: their lines are synced together


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


@pytest.mark.parametrize("in_stages", [False, True], ids=["one stage", "two stages"])
def test_a_trial_that_pauses_twice_is_the_one_that_does_not(
    config: Config, tmp_path: Path, in_stages: bool
) -> None:
    """Oracle: the same trial trained in one go; schedule and callbacks are those of all epochs."""
    sections = yaml.safe_load((tmp_path / "config.yaml").read_text())
    schedule = {"CosineDecay": {"initial_learning_rate": 1e-2, "decay_steps": 20}}
    sections["train"] |= {
        "optimizer": {"Adam": {"learning_rate": schedule}},
        "callbacks": [{"EarlyStopping": {"patience": 3}}],
        **({"stages": [{"epochs": 1}, {"epochs": 3}]} if in_stages else {}),
    }
    (tmp_path / "trial.yaml").write_text(yaml.safe_dump(sections))
    trial = load_config(tmp_path / "trial.yaml")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    asked = replace(task(trial, whole), diagnostics=False, is_tested=False)
    assert Worker().report(asked) == Done()
    found = {}
    for pause in (1, 3, None):
        one = replace(asked, folder=parts, pause_after=pause)
        assert Worker().report(one) == Done()
        cell = Cell("trial 1", 0, trial, diagnostics=False, target=None, pause_after=pause)
        outcome = paused_outcome(cell, key="0123", folder=parts, is_reused=False)
        assert (outcome is None) == (pause is None)
        assert (read_record(RunFolder(parts)) is None) == (pause is not None)
        found[pause] = outcome
    rows = [
        [replace(row, seconds=0.0) for row in read_epochs(RunFolder(each))]
        for each in (whole, parts)
    ]
    assert rows[0] == rows[1]
    assert len({row.learning_rate for row in rows[0]}) >= 3
    models = [saved_weights(each / "model.keras") for each in (whole, parts)]
    assert models[0].keys() == models[1].keys()
    for name, values in models[0].items():
        np.testing.assert_array_equal(values, models[1][name], err_msg=name)
    # What a pause was decided by stays, and is the best epoch up to it.
    losses = [row.values["val_loss"] for row in rows[0]]
    for pause in (1, 3):
        assert found[pause].values["val_loss"] == min(losses[:pause])
    # Test images are not opened.
    ended = read_record(RunFolder(parts))
    assert ended is not None
    assert not [name for name in ended.values if name.startswith("test_")]
    assert read_result(RunFolder(parts)).test is None
    assert not (parts / "predictions.csv").exists()


def saved_weights(file: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        content = h5py.File(BytesIO(archive.read("model.weights.h5")))
    found: dict[str, np.ndarray] = {}
    content.visititems(
        lambda name, each: found.update({name: each[()]} if isinstance(each, h5py.Dataset) else {})
    )
    return found


def test_a_network_that_cannot_be_built_would_fail_again(config: Config, tmp_path: Path) -> None:
    sections = yaml.safe_load((tmp_path / "config.yaml").read_text())
    sections["model"]["layers"].insert(0, {"Conv2D": {"filters": 2, "kernel_size": 99}})
    (tmp_path / "wide.yaml").write_text(yaml.safe_dump(sections))
    answer = Worker().report(task(load_config(tmp_path / "wide.yaml"), tmp_path / "wide"))
    assert isinstance(answer, Failed)
    assert answer.is_lasting
