"""One run from a config to its folder."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.image_stores import open_store
from cnnrun.assembly.preparing import prepare
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.data.order import epoch_order
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import split_rows
from cnnrun.errors import CnnrunError, ConfigError, DataError, DivergedError
from cnnrun.runs.events import EpochDone, RunDone, StepsDone, TrainingBegins, silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.result import read_result
from cnnrun.runs.state import read_state
from cnnrun.training.train import train

from ..listening import Heard

MakeConfig = Callable[..., Config]

NORMALIZED = [
    {"conv_block": {"filters": 4, "kernel_size": 3, "batch_norm": "before_activation"}},
    "GlobalAveragePooling2D",
    "classifier",
]
FUSED = {
    "epochs": 1,
    "batch_size": 8,
    "fused_batch_norm": {"least_numbers": 0, "channel_multiple": 1},
}


def weights_of(run: RunFolder) -> list[np.ndarray]:
    return list(keras.models.load_model(run.model_keras).get_weights())


def run_of(config: Config, tmp_path: Path, name: str = "run") -> RunFolder:
    return train(config, experiments=tmp_path, into=tmp_path / name, listener=silent)


def test_run_folder_is_complete(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config()
    run = train(config, experiments=tmp_path / "experiments", into=None, listener=silent)
    assert run.path.parent == tmp_path / "experiments" / "tiny"
    names = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    assert names >= {
        "config.yaml",
        "resolved.yaml",
        "environment.json",
        "state.json",
        "classes.json",
        "metrics.jsonl",
        "result.json",
        "model.keras",
        "predictions.csv",
        "log.txt",
        "plots/learning_curves.png",
        "plots/confusion_matrix.png",
        "plots/mistakes.png",
    }
    assert run.config_yaml.read_bytes() == config.source.read_bytes()
    assert read_state(run).state == "finished"
    assert json.loads(run.classes_json.read_text()) == ["dark", "grey", "light"]
    rows = read_epochs(run)
    assert [row.epoch for row in rows] == [1, 2, 3]
    assert list(rows[0].values) == ["loss", "accuracy", "val_loss", "val_accuracy"]


def test_same_seed_gives_the_same_bits_and_another_seed_others(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    first = weights_of(run_of(make_config(), tmp_path, "first"))
    again = weights_of(run_of(make_config(), tmp_path, "again"))
    other = weights_of(run_of(make_config(seed=1), tmp_path, "other"))
    for one, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.array_equal(first[0], other[0])


def test_resolved_config_trains_to_the_same_run(make_config: MakeConfig, tmp_path: Path) -> None:
    run = run_of(make_config(), tmp_path)
    again = run_of(load_config(run.resolved_yaml), tmp_path, "again")
    for one, same in zip(weights_of(run), weights_of(again), strict=True):
        np.testing.assert_array_equal(one, same)
    assert read_result(run).test == read_result(again).test
    assert run.resolved_yaml.read_text() == again.resolved_yaml.read_text()


def test_training_equals_a_loop_of_plain_keras(make_config: MakeConfig, tmp_path: Path) -> None:
    """The oracle: `train_on_batch` over the documented order, from the same initial weights."""
    config = make_config(train={"epochs": 2, "batch_size": 8, "best": "last"})
    run = run_of(config, tmp_path)
    manifest = read_manifest(config.data)
    train_rows = split_rows(manifest, validation=0.15, test=0.15, seed=0).train
    store = open_store(config.data, manifest, cache_folder=tmp_path)
    model = keras.models.clone_model(keras.models.load_model(run.model_keras))
    model.set_weights(initial_weights(config, tmp_path))
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    for epoch in range(2):
        order = train_rows[epoch_order(manifest.ids[train_rows], seed=0, epoch=epoch)]
        for start in range(0, len(order), 8):
            rows = order[start : start + 8]
            model.train_on_batch(store.read(rows), manifest.labels[rows])
    for ours, plain in zip(weights_of(run), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-6)


def initial_weights(config: Config, tmp_path: Path) -> list[np.ndarray]:
    """What the run began with, got by training with a learning rate of zero."""
    still = KerasCall("optimizers", "SGD", {"learning_rate": 0.0})
    config = replace(config, train=replace(config.train, epochs=1, optimizer=still))
    return weights_of(run_of(config, tmp_path, "initial"))


def test_the_best_epoch_is_kept(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(
        train={
            "epochs": 6,
            "batch_size": 8,
            "optimizer": {"SGD": {"learning_rate": 1.5}},
            "best": {"monitor": "val_accuracy"},
        }
    )
    run = run_of(config, tmp_path)
    scores = [row.values["val_accuracy"] for row in read_epochs(run)]
    assert read_result(run).best_epoch == 1 + int(np.argmax(scores))
    model = keras.models.load_model(run.model_keras)
    manifest = read_manifest(config.data)
    rows = split_rows(manifest, validation=0.15, test=0.15, seed=0).validation
    store = open_store(config.data, manifest, cache_folder=tmp_path)
    predicted = model.predict(store.read(rows), verbose=0).argmax(axis=1)
    assert np.mean(predicted == manifest.labels[rows]) == pytest.approx(max(scores))


def test_model_opens_where_cnnrun_is_absent(make_config: MakeConfig, tmp_path: Path) -> None:
    run = run_of(make_config(model={"layers": NORMALIZED}, train=FUSED), tmp_path)
    script = (
        "import sys; sys.modules['cnnrun'] = None; import keras, numpy;"
        f"model = keras.models.load_model({str(run.model_keras)!r});"
        "print({type(one).__module__.split('.')[0] for one in model.layers});"
        "print(model(numpy.zeros((1, 6, 6, 1))).shape)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "{'keras'}\n(1, 3)\n", done.stderr


def test_batch_norm_is_computed_by_the_kernel_that_its_size_asks_for(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    for name, train_section, replaced in (
        ("keras", {"epochs": 1, "batch_size": 8}, False),
        ("fused", FUSED, True),
        ("never", FUSED | {"fused_batch_norm": "none"}, False),
    ):
        config = make_config(name, model={"layers": NORMALIZED}, train=train_section)
        prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
        layer = prepared.built.network.model.get_layer("conv_block_1_batch_norm")
        assert ("call" in vars(layer)) == replaced, name


@pytest.mark.parametrize("loss", ["CategoricalCrossentropy", "MeanSquaredError", "kl_divergence"])
def test_losses_over_one_hot_rows_train(loss: str, make_config: MakeConfig, tmp_path: Path) -> None:
    run = run_of(make_config(train={"epochs": 1, "batch_size": 8, "loss": loss}), tmp_path)
    assert np.isfinite(read_result(run).test["loss"])  # type: ignore[index]


def test_label_smoothing_and_more_metrics(make_config: MakeConfig, tmp_path: Path) -> None:
    train_section = {
        "epochs": 2,
        "batch_size": 8,
        "loss": {"CategoricalCrossentropy": {"label_smoothing": 0.1}},
        "metrics": ["accuracy", {"TopKCategoricalAccuracy": {"k": 2, "name": "top2"}}, "F1Score"],
    }
    run = run_of(make_config(train=train_section), tmp_path)
    test = read_result(run).test
    assert test is not None
    assert test["top2"] >= test["accuracy"]
    assert {"f1_score_0", "f1_score_1", "f1_score_2"} <= set(test)
    assert "val_top2" in read_epochs(run)[0].values


def test_balanced_classes_change_the_training(make_config: MakeConfig, tmp_path: Path) -> None:
    plain = make_config(train={"epochs": 1, "batch_size": 8})
    weights = {"dark": 5.0, "grey": 1.0, "light": 1.0}
    weighted = make_config(train={"epochs": 1, "batch_size": 8, "class_weight": weights})
    first = read_epochs(run_of(plain, tmp_path, "plain"))[0].values
    second = read_epochs(run_of(weighted, tmp_path, "weighted"))[0].values
    assert first["loss"] != second["loss"]


def test_without_held_out_images(
    make_config: MakeConfig, image_folder: Path, tmp_path: Path
) -> None:
    data = {
        "directory": str(image_folder),
        "image_size": [6, 6],
        "split": {"validation": 0, "test": 0},
    }
    config = make_config(data=data, train={"epochs": 1, "batch_size": 8, "best": "last"})
    run = run_of(config, tmp_path)
    assert read_result(run).test is None
    assert not run.predictions_csv.exists()


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_divergence_names_its_steps(
    steps_per_execution: int,
    make_config: MakeConfig,
    tmp_path: Path,
    snapshot: SnapshotAssertion,
) -> None:
    config = make_config(
        train={
            "epochs": 3,
            "batch_size": 8,
            "steps_per_execution": steps_per_execution,
            "optimizer": {"SGD": {"learning_rate": 1e38}},
        }
    )
    with pytest.raises(DivergedError) as raised:
        run_of(config, tmp_path)
    assert str(raised.value) == snapshot
    state = read_state(RunFolder(tmp_path / "run"))
    assert (state.state, state.why) == ("failed", str(raised.value))


def test_weights_of_unknown_classes_are_refused(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(ConfigError) as raised:
        run_of(make_config(train={"class_weight": {"dakr": 2.0}}), tmp_path)
    assert str(raised.value) == snapshot
    assert not (tmp_path / "run").exists()


def test_validation_is_needed_to_monitor_it(
    make_config: MakeConfig, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    data = {"directory": str(image_folder), "image_size": [6, 6], "split": {"validation": 0}}
    with pytest.raises(ConfigError) as raised:
        run_of(make_config(data=data), tmp_path)
    assert str(raised.value) == snapshot


def test_a_run_is_never_overwritten(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(train={"epochs": 1, "batch_size": 8})
    run = run_of(config, tmp_path)
    before = run.model_keras.read_bytes()
    with pytest.raises(CnnrunError, match="never overwritten"):
        run_of(config, tmp_path)
    assert run.model_keras.read_bytes() == before


def test_everything_is_reported(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(train={"epochs": 2, "batch_size": 8, "steps_per_execution": 2})
    heard = Heard()
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=heard)
    (plan,) = heard.of(TrainingBegins)
    assert (plan.training_images, plan.validation_images, plan.test_images) == (42, 9, 9)
    assert (plan.steps_per_epoch, plan.epochs, plan.first_epoch) == (6, 2, 1)
    steps = heard.of(StepsDone)
    assert all(set(event.metrics) >= {"loss", "accuracy"} for event in steps)
    assert [(event.epoch, event.step) for event in steps] == [
        (1, 2),
        (1, 4),
        (1, 6),
        (2, 2),
        (2, 4),
        (2, 6),
    ]
    first = heard.of(EpochDone)[0]
    assert (first.row.epoch, first.is_best) == (1, True)
    assert heard.of(RunDone) == [RunDone(read_result(run))]


def test_a_bfloat16_run_starts_from_the_same_weights(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    section = {"epochs": 1, "batch_size": 8, "precision": "mixed_bfloat16"}
    run = run_of(make_config(train=section), tmp_path)
    assert all(weight.dtype == np.float32 for weight in weights_of(run))
    assert keras.models.load_model(run.model_keras).output.dtype == "float32"


def test_a_stage_trains_from_its_layer_on(make_config: MakeConfig, tmp_path: Path) -> None:
    layers = [
        {"conv_block": {"filters": 4, "kernel_size": 3}},
        {"residual": {"layers": [{"conv_block": {"filters": 4, "kernel_size": 3}}]}},
        "GlobalAveragePooling2D",
        "classifier",
    ]
    stages = [{"epochs": 1}, {"epochs": 2, "trainable": {"from": "residual_1/conv_block_1"}}]
    first = make_config(model={"layers": layers}, train={"stages": stages[:1], "best": "last"})
    both = make_config("both", model={"layers": layers}, train={"stages": stages, "best": "last"})
    before = weights_of(run_of(first, tmp_path, "first"))
    after = weights_of(run_of(both, tmp_path, "both"))
    changed = [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
    assert changed == [False, False, True, True, True, True]
    assert [row.stage for row in read_epochs(RunFolder(tmp_path / "both"))] == [1, 2, 2]


def test_bad_images_are_skipped_and_named(
    make_config: MakeConfig, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    folder = tmp_path / "images"
    shutil.copytree(image_folder, folder)
    (folder / "dark" / "03.png").write_bytes(b"no image")
    data = {"directory": str(folder), "image_size": [6, 6], "on_bad_image": "skip"}
    heard = Heard()
    config = make_config(data=data, train={"epochs": 1, "batch_size": 8})
    train(config, experiments=tmp_path, into=tmp_path / "run", listener=heard)
    assert heard.notes == snapshot
    for path in (folder / "grey").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError) as raised:
        run_of(config, tmp_path, "without_grey")
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot


@pytest.mark.parametrize("free", ["room", "no room"])
def test_where_decoded_images_are_is_said(
    free: str,
    make_config: MakeConfig,
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    if free == "no room":
        monkeypatch.setattr("cnnrun.data.pixel_memory.DISK_BYTES_LEFT_FREE", 2**60)
    data = {"directory": str(image_folder), "image_size": [6, 6], "cache_memory_mb": 0}
    inside = make_config("inside", data=data | {"cache_memory_mb": 1})
    outside = make_config("outside", data=data)
    heard = Heard()
    run = train(outside, experiments=tmp_path, into=tmp_path / "outside", listener=heard)
    assert heard.notes == snapshot
    for one, same in zip(weights_of(run), weights_of(run_of(inside, tmp_path)), strict=True):
        np.testing.assert_array_equal(one, same)
