"""Runs whose batches are shared out among devices; the oracle is the run of one device."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly import devices
from cnnrun.assembly.building import build
from cnnrun.assembly.devices import refuse_undivided, with_devices
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.sections import Config
from cnnrun.errors import ConfigError
from cnnrun.runs.folder import RunFolder

from ..conftest import tiny
from ..listening import Heard

MakeConfig = Callable[..., Config]

# By SGD: the bias of a convolution before batch norm has no gradient but rounding, which Adam would
# scale up to a step. No dropout: all devices draw the same for their parts.
SGD = {"SGD": {"learning_rate": 0.1, "momentum": 0.9}}
NORMALIZED = {"filters": 4, "kernel_size": 3, "batch_norm": "before_activation"}
PENALIZED = NORMALIZED | {"kernel_regularizer": {"L2": {"l2": 0.01}}}

# 42 images train: the last batch of 8 has 2, that of 41 has one, which one device gets.
TRAININGS: dict[str, dict[str, Any]] = {
    "resumed": {"train": {"batch_size": 8, "diagnostics": True}},
    "weights and penalties": {
        "model": {"layers": [{"conv_block": PENALIZED}, "GlobalAveragePooling2D", "classifier"]},
        "augment": {"rotation_range": 30},
        "train": {
            "batch_size": 41,
            "class_weight": {"dark": 1, "grey": 3, "light": 0.5},
            "metrics": ["accuracy", {"F1Score": {"average": "macro"}}, "AUC"],
        },
    },
    "groups and averages": {
        "train": {
            "batch_size": 8,
            "optimizer": {
                "SGD": {
                    "learning_rate": 0.1,
                    "weight_decay": 0.1,
                    "use_ema": True,
                }
            },
            "parameter_groups": {"weight_decay": "kernels", "learning_rates": {"classifier": 2.0}},
        }
    },
    "sum and stages": {
        "train": {
            "batch_size": 8,
            "loss": {"SparseCategoricalCrossentropy": {"reduction": "sum"}},
            "optimizer": {"SGD": {"learning_rate": 0.01}},
            "until_training_loss": 0.01,
            "stages": [{"epochs": 2}, {"epochs": 1, "optimizer": {"SGD": {"nesterov": True}}}],
        }
    },
}


@pytest.fixture(scope="module")
def trained(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all runs, which one process has trained; see two_devices.py."""
    folder = tmp_path_factory.mktemp("devices")
    layers = [{"conv_block": NORMALIZED}, "GlobalAveragePooling2D", "classifier"]
    for name, sections in TRAININGS.items():
        whole = dict(tiny(image_folder)) | {"model": {"layers": layers}} | sections
        whole["train"] = {"epochs": 3, "threads": 1, "optimizer": SGD, **sections["train"]}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(whole))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("two_devices.py")), str(folder)],
        capture_output=True,
        text=True,
        # A device may have no part of a small last batch: oneDNN convolves no images into as many
        # channels as they have. Graphics cards have kernels of their own.
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (folder / "said.txt").write_text(done.stdout)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_losses_are_those_of_one_device(trained: Path, name: str) -> None:
    one, two = (epochs(trained / f"{name}-{number}") for number in (1, 2))
    assert len(one) == len(two) == 3
    for alone, shared in zip(one, two, strict=True):
        assert shared == pytest.approx(alone, rel=1e-5, abs=1e-5)
    first, second = (RunFolder(trained / f"{name}-{number}") for number in (1, 2))
    results = [json.loads(run.result_json.read_text())["test"] for run in (first, second)]
    assert results[1]["loss"] == pytest.approx(results[0]["loss"], rel=1e-5, abs=1e-5)
    models = [keras.models.load_model(run.model_keras) for run in (first, second)]
    for alone, shared in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(shared, alone, atol=1e-5)


@pytest.mark.slow
def test_a_run_that_goes_on_has_the_same_bits(trained: Path) -> None:
    whole, cut = RunFolder(trained / "resumed-2"), RunFolder(trained / "resumed-cut")
    assert epochs(cut.path) == epochs(whole.path)
    assert cut.predictions_csv.read_text() == whole.predictions_csv.read_text()
    models = [keras.models.load_model(run.model_keras) for run in (whole, cut)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_what_a_run_on_two_devices_says(trained: Path, snapshot: SnapshotAssertion) -> None:
    assert (trained / "said.txt").read_text().splitlines() == snapshot
    resolved = yaml.safe_load((trained / "resumed-2" / "resolved.yaml").read_text())
    assert resolved["train"]["devices"] == 2
    assert resolved["train"]["steps_per_execution"] == 1
    model = keras.models.load_model(trained / "resumed-2" / "model.keras")
    norms = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
    assert [each.synchronized for each in norms] == [True]


@pytest.mark.parametrize("there", [0, 1, 3])
def test_all_is_what_there_is(
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    there: int,
    snapshot: SnapshotAssertion,
) -> None:
    with_gpus(monkeypatch, there)
    heard = Heard()
    config = make_config(train={"batch_size": 8, "devices": "all"})
    assert with_devices(config, None, listener=heard).train.devices == max(1, there)
    assert heard.notes == snapshot


def test_a_run_goes_on_with_the_devices_that_it_had(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    config = make_config(train={"batch_size": 8, "devices": "all"})
    earlier = make_config("earlier", train={"batch_size": 8, "devices": 2})
    with_gpus(monkeypatch, 4)
    assert with_devices(config, earlier, listener=Heard()).train.devices == 2
    heard, of_one = Heard(), make_config("one", train={"batch_size": 8, "devices": 1})
    assert with_devices(config, of_one, listener=heard).train.devices == 1
    assert not heard.notes
    with_gpus(monkeypatch, 1)
    with pytest.raises(ConfigError) as raised:
        with_devices(config, earlier, listener=Heard())
    assert str(raised.value) == snapshot


@pytest.mark.parametrize("there", [0, 1])
def test_more_devices_than_there_are(
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    there: int,
    snapshot: SnapshotAssertion,
) -> None:
    with_gpus(monkeypatch, there)
    with pytest.raises(ConfigError) as raised:
        with_devices(make_config(train={"devices": 2}), None, listener=Heard())
    assert str(raised.value) == snapshot


def test_a_batch_without_an_image_for_each(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    with_gpus(monkeypatch, 4)
    with pytest.raises(ConfigError) as raised:
        with_devices(make_config(train={"batch_size": 3, "devices": "all"}), None, listener=Heard())
    assert str(raised.value) == snapshot


@pytest.mark.parametrize(
    "layer",
    [
        {"Conv2D": {"filters": 2, "kernel_size": 3, "activity_regularizer": {"L2": {"l2": 0.1}}}},
        {"BatchNormalization": {"renorm": True}},
    ],
    ids=["activity", "renorm"],
)
def test_a_layer_that_wants_the_whole_batch(
    make_config: MakeConfig, layer: dict[str, Any], tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    config = make_config(model={"layers": [layer, "Flatten", "classifier"]})
    built = build(
        config,
        input_shape=(6, 6, 1),
        classes=3,
        preprocessing=unfitted_preprocessing(config, (6, 6, 1)),
    )
    with pytest.raises(ConfigError) as raised:
        refuse_undivided(built.network)
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot


def with_gpus(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A machine with so many GPUs."""
    names = tuple(f"/device:GPU:{each}" for each in range(number)) or ("/device:CPU:0",)
    monkeypatch.setattr(devices, "devices_here", lambda: (names, number > 0))


def epochs(run: Path) -> list[dict[str, float]]:
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
