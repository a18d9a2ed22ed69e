"""Bottleneck stages; the oracle is end-to-end training with the backbone frozen."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.sections import Config
from cnnrun.errors import InterruptedRunError
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.result import read_result
from cnnrun.training import callbacks
from cnnrun.training.train import resume, train

from ..listening import Heard

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]

BOTTLENECK = {"epochs": 3, "trainable": "none", "bottleneck": True}
END_TO_END = {"epochs": 3, "trainable": "none"}
FINE_TUNING = {"epochs": 3, "trainable": {"from": "last_conv"}, "optimizer": "SGD"}


@pytest.mark.parametrize("optimizer", ["Adam", {"SGD": {"momentum": 0.9, "use_ema": True}}])
def test_the_head_equals_that_of_end_to_end_training(
    optimizer: Any, on_earlier: Callable[..., Config], earlier: Path, tmp_path: Path
) -> None:
    runs = [
        run_of(on_earlier(stage, optimizer=optimizer), tmp_path / name)
        for name, stage in (("once", BOTTLENECK), ("whole", END_TO_END))
    ]
    assert_same_heads(*runs)
    assert_backbone_is(runs[0], keras.models.load_model(earlier / "model.keras"))


def test_a_stem_that_stays_as_it_is_is_computed_once_with_the_backbone(
    on_earlier: Callable[..., Config], tmp_path: Path
) -> None:
    frozen = {"Conv2D": {"filters": 1, "kernel_size": 3, "padding": "same", "trainable": False}}
    stem = [frozen, {"AveragePooling2D": {"pool_size": 2}}, {"UpSampling2D": {"size": 2}}]
    runs = [
        run_of(on_earlier(stage, stem=stem), tmp_path / name)
        for name, stage in (("once", BOTTLENECK), ("whole", END_TO_END))
    ]
    assert_same_heads(*runs)


@pytest.mark.slow
def test_a_head_on_a_network_of_keras(
    make_config: MakeConfig, image_folder: Path, tmp_path: Path
) -> None:
    data = {"directory": str(image_folder), "image_size": [32, 32], "color_mode": "rgb"}
    backbone = {"name": "MobileNet", "weights": "none", "alpha": 0.25, "trainable": "none"}
    head = ["GlobalAveragePooling2D", {"Dropout": {"rate": 0.3}}, "classifier"]
    runs = []
    for name, stage in (("once", BOTTLENECK), ("whole", END_TO_END)):
        training = {"batch_size": 8, "stages": [{**stage, "epochs": 2}]}
        config = make_config(
            data=data, model={"backbone": backbone, "layers": head}, train=training
        )
        runs.append(run_of(config, tmp_path / name))
    assert_same_heads(*runs)


def test_resumed_equals_uninterrupted(
    on_earlier: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut short within the bottleneck stage, and in the stage after."""
    monkeypatch.setattr(callbacks, "CHECKPOINT_INTERVAL_S", 0.0)
    config = on_earlier(BOTTLENECK, FINE_TUNING)
    whole = run_of(config, tmp_path / "elsewhere" / "whole")
    with pytest.raises(InterruptedRunError):
        train(config, experiments=tmp_path, into=tmp_path / "cut", listener=Heard(2))
    cut = RunFolder(tmp_path / "cut")
    with pytest.raises(InterruptedRunError):
        resume(config, run=cut, listener=Heard(5))
    resume(config, run=cut, listener=silent)
    for one, other in zip(weights_of(whole), weights_of(cut), strict=True):
        np.testing.assert_array_equal(one, other)
    assert timeless(whole) == timeless(cut)


def test_features_are_computed_once_for_all_runs(
    on_earlier: Callable[..., Config], tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    said = [
        notes_of(on_earlier(BOTTLENECK, seed=seed), tmp_path / str(seed), tmp_path)
        for seed in (0, 1)
    ]
    assert said == snapshot
    assert len(list((tmp_path / ".features").glob("*.npy"))) == 1


def test_a_resumed_run_finds_its_features(
    on_earlier: Callable[..., Config], tmp_path: Path
) -> None:
    """Also where the run lies in a folder of its config's name."""
    config = on_earlier(BOTTLENECK)
    with pytest.raises(InterruptedRunError):
        train(config, experiments=tmp_path, into=None, listener=Heard(1))
    (path,) = (tmp_path / "tiny").iterdir()
    listener = Heard()
    resume(config, run=RunFolder(path), listener=listener)
    assert "was computed before" in listener.notes[0]


def test_only_what_learns_is_counted(on_earlier: Callable[..., Config], tmp_path: Path) -> None:
    head = 6 * 8 + 2 * 8 + 8 * 3 + 3  # Dense, batch norm, classifier
    assert trained(run_of(on_earlier(BOTTLENECK), tmp_path / "head")) == head
    last = 3 * 3 * 4 * 6 + 6
    both = run_of(on_earlier(BOTTLENECK, FINE_TUNING), tmp_path / "both")
    assert trained(both) == head + last


def run_of(config: Config, into: Path) -> RunFolder:
    return train(config, experiments=into.parent, into=into, listener=silent)


def assert_same_heads(once: RunFolder, whole: RunFolder) -> None:
    """Weights within 1e-3 of their norm, and the epochs' numbers; backbones to the bit."""
    models = [keras.models.load_model(run.model_keras) for run in (once, whole)]
    compared = 0
    for layer in models[0].layers:
        pairs = zip(layer.get_weights(), models[1].get_layer(layer.name).get_weights(), strict=True)
        for one, other in pairs:
            assert np.linalg.norm(one - other) <= 1e-3 * np.linalg.norm(other), layer.name
            compared += 1
    assert compared
    for one, other in zip(read_epochs(once), read_epochs(whole), strict=True):
        assert one.values == pytest.approx(other.values, rel=1e-3)


def assert_backbone_is(run: RunFolder, earlier: keras.Model) -> None:
    model = keras.models.load_model(run.model_keras)
    for layer in earlier.layers[:-2]:
        copied = model.get_layer(layer.name)
        for one, other in zip(copied.get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        if isinstance(layer, keras.layers.Dropout):
            assert copied.rate == layer.rate


def weights_of(run: RunFolder) -> list[np.ndarray]:
    return list(keras.models.load_model(run.model_keras).get_weights())


def timeless(run: RunFolder) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in run.metrics_jsonl.read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def trained(run: RunFolder) -> int:
    return read_result(run).trainable_parameters


def notes_of(config: Config, into: Path, folder: Path) -> list[str]:
    listener = Heard()
    train(config, experiments=folder, into=into, listener=listener)
    return list(masked(listener.notes, folder))


def masked(notes: list[str], folder: Path) -> Iterator[str]:
    """The notes without what differs from run to run: times, folders and hashes."""
    for note in notes:
        plain = re.sub(r"\d+\.\d s", "SECONDS", note.replace(str(folder), "FOLDER"))
        yield re.sub(r"[0-9a-f]{32}", "HASH", plain)
