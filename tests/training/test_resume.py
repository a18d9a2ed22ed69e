"""A run that is cut short and resumed; the oracle is the run that was not interrupted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.sections import Config
from cnnrun.errors import InterruptedRunError, RunError
from cnnrun.runs.diagnostics import DIAGNOSTICS_FILE
from cnnrun.runs.events import silent
from cnnrun.runs.files import read_lines
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.state import read_state
from cnnrun.training import callbacks
from cnnrun.training.train import resume, train

from ..listening import Heard

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]

DROPOUT = [
    {"conv_block": {"filters": 4, "kernel_size": 3, "batch_norm": "before_activation"}},
    {"Dropout": {"rate": 0.3}},
    {"GaussianNoise": {"stddev": 0.1}},
    "GlobalAveragePooling2D",
    "classifier",
]

# Two or three ways to go on at a time, where a run takes a second and most of it is the first step.
TRAININGS: dict[str, dict[str, Any]] = {
    "schedule and augmentation": {
        "epochs": 5,
        "batch_size": 8,
        "optimizer": {
            "SGD": {
                "momentum": 0.9,
                "learning_rate": {"CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 30}},
            }
        },
    },
    "own schedules and parameter groups": {
        "epochs": 5,
        "batch_size": 8,
        "optimizer": {
            "AdamW": {
                "weight_decay": 0.1,
                "learning_rate": {
                    "warmup": {
                        "warmup_steps": "0.5 epochs",
                        "learning_rate": {"one_cycle": {"maximum_learning_rate": 0.01}},
                    }
                },
            }
        },
        "parameter_groups": {
            "weight_decay": "kernels",
            "learning_rates": {"classifier": 2},
            "first_layer": 0.1,
        },
    },
    "averages and fused batch norm": {
        "epochs": 5,
        "batch_size": 8,
        "optimizer": {"Adam": {"use_ema": True, "gradient_accumulation_steps": 3}},
        "fused_batch_norm": {"least_numbers": 0, "channel_multiple": 1},
    },
    "callbacks": {
        "epochs": 6,
        "batch_size": 8,
        "callbacks": [
            {"ReduceLROnPlateau": {"patience": 1, "min_delta": 10.0, "factor": 0.5}},
            {"EarlyStopping": {"patience": 4, "min_delta": 10.0, "restore_best_weights": True}},
        ],
    },
    "stages and diagnostics": {
        "batch_size": 8,
        "diagnostics": True,
        "stages": [
            {"epochs": 3},
            {"epochs": 3, "trainable": {"from": "dropout_1"}, "optimizer": "SGD"},
        ],
    },
    "half precision and single steps": {
        "epochs": 5,
        "batch_size": 8,
        "steps_per_execution": 1,
        "precision": "mixed_float16",
    },
}


@pytest.fixture
def frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "CHECKPOINT_INTERVAL_S", 0.0)


IMAGE_LAYERS = [
    {"ZeroPadding2D": {"padding": 1}},
    {"RandomCrop": {"height": 6, "width": 6}},
    {"RandAugment": {"factor": 0.3}},
    {"RandomErasing": {"factor": 0.5}},
    {"MixUp": {"alpha": 0.4}},
    "CutMix",
]


@pytest.mark.slow
@pytest.mark.usefixtures("frequent_checkpoints")
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_image_layers_below_a_backbone_go_on_as_they_would_have(
    precision: str, make_config: MakeConfig, earlier: Path, tmp_path: Path
) -> None:
    """Within the stage where head and stem learn, and the one where all does."""
    cycle = {"one_cycle": {"maximum_learning_rate": 0.01}}
    config = make_config(
        augment={"horizontal_flip": True, "layers": IMAGE_LAYERS},
        model={
            "backbone": {"weights": str(earlier), "output_layer": "last_activation"},
            "stem": [{"Conv2D": {"filters": 1, "kernel_size": 3, "padding": "same"}}],
            "layers": [
                "GlobalAveragePooling2D",
                {"Dropout": {"rate": 0.2, "name": "own"}},
                "classifier",
            ],
        },
        train={
            "batch_size": 8,
            "precision": precision,
            "optimizer": {"AdamW": {"learning_rate": cycle}},
            "parameter_groups": {"weight_decay": "kernels", "learning_rates": {"stem": 0.5}},
            "loss": {"CategoricalCrossentropy": {"label_smoothing": 0.1}},
            "stages": [{"epochs": 3}, {"epochs": 3, "trainable": "all"}],
        },
    )
    whole = train(config, experiments=tmp_path, into=tmp_path / "whole", listener=silent)
    for after in (2, 5):
        cut = cut_short(config, tmp_path / f"cut{after}", after=after)
        assert_same(whole, resume(config, run=cut, listener=silent))


@pytest.mark.usefixtures("frequent_checkpoints")
@pytest.mark.parametrize("name", TRAININGS)
def test_resumed_equals_uninterrupted(name: str, make_config: MakeConfig, tmp_path: Path) -> None:
    augment = {"rotation_range": 30, "zoom_range": 0.2} if "augmentation" in name else {}
    config = make_config(model={"layers": DROPOUT}, augment=augment, train=TRAININGS[name])
    whole = train(config, experiments=tmp_path, into=tmp_path / "whole", listener=silent)
    cut = cut_short(config, tmp_path / "cut", after=4)
    again = resume(config, run=cut, listener=silent)
    assert_same(whole, again)


def test_without_a_checkpoint_resume_begins_anew(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(train={"epochs": 3, "batch_size": 8, "diagnostics": True})
    whole = train(config, experiments=tmp_path, into=tmp_path / "whole", listener=silent)
    cut = cut_short(config, tmp_path / "cut", after=2)
    assert not list(cut.checkpoints.glob("*"))
    assert_same(whole, resume(config, run=cut, listener=silent))


@pytest.mark.usefixtures("frequent_checkpoints")
def test_damaged_newest_checkpoint_falls_back(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    config = make_config(train={"epochs": 6, "batch_size": 8})
    whole = train(config, experiments=tmp_path, into=tmp_path / "whole", listener=silent)
    cut = cut_short(config, tmp_path / "cut", after=4)
    newest = max(cut.checkpoints.glob("*.npz"))
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2])
    listener = Heard()
    assert_same(whole, resume(config, run=cut, listener=listener))
    assert listener.notes == snapshot


@pytest.mark.usefixtures("frequent_checkpoints")
def test_only_damaged_checkpoints_are_refused(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    config = make_config(train={"epochs": 6, "batch_size": 8})
    cut = cut_short(config, tmp_path / "cut", after=4)
    for path in cut.checkpoints.glob("*.npz"):
        path.write_bytes(b"PK not a checkpoint")
    assert refusal(config, cut, tmp_path) == snapshot
    assert read_state(cut).state == "interrupted"


def test_changed_config_is_refused(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    cut = cut_short(make_config(), tmp_path / "cut", after=1)
    changed = make_config(seed=1, train={"epochs": 4, "batch_size": 8})
    assert refusal(changed, cut, tmp_path) == snapshot


def test_changed_images_are_refused(
    make_config: MakeConfig, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    config = make_config()
    cut = cut_short(config, tmp_path / "cut", after=1)
    added = image_folder / "dark" / "one_more.png"
    added.write_bytes((image_folder / "dark" / "00.png").read_bytes())
    try:
        assert refusal(config, cut, tmp_path) == snapshot
    finally:
        added.unlink()


def test_finished_run_is_refused(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    config = make_config(train={"epochs": 1, "batch_size": 8})
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    assert refusal(config, run, tmp_path) == snapshot


def cut_short(config: Config, path: Path, *, after: int) -> RunFolder:
    with pytest.raises(InterruptedRunError):
        train(config, experiments=path.parent, into=path, listener=Heard(after))
    run = RunFolder(path)
    assert read_state(run).state == "interrupted"
    return run


def refusal(config: Config, run: RunFolder, folder: Path) -> str:
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(RunError) as raised:
        resume(config, run=run, listener=silent)
    after = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert before == after
    return str(raised.value).replace(str(folder), "FOLDER")


def assert_same(first: RunFolder, second: RunFolder) -> None:
    models = [keras.models.load_model(run.model_keras) for run in (first, second)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)
    assert timeless_epochs(first) == timeless_epochs(second)
    assert timeless_result(first) == timeless_result(second)
    assert first.predictions_csv.read_text() == second.predictions_csv.read_text()
    assert read_lines(first.path / DIAGNOSTICS_FILE) == read_lines(second.path / DIAGNOSTICS_FILE)


def timeless_epochs(run: RunFolder) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in run.metrics_jsonl.read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def timeless_result(run: RunFolder) -> dict[str, Any]:
    result = json.loads(run.result_json.read_text())
    timings = ("seconds", "images_per_second", "peak_memory_bytes")
    return {name: value for name, value in result.items() if name not in timings}
