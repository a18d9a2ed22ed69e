"""What learns in a stage, and that something does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.building import build
from cnnrun.assembly.preparing import prepare
from cnnrun.assembly.stages import plan_stages, with_schedules_in_steps
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.backbone_spec import TrainableFrom
from cnnrun.config.dump import dump_config
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.errors import ConfigError
from cnnrun.runs.events import silent
from cnnrun.training.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

OnEarlier = Callable[..., Config]


def test_a_stage_says_what_learns_or_the_backbone_does(on_earlier: OnEarlier) -> None:
    stages = [{"epochs": 2, "bottleneck": True}, {"trainable": {"from": "last_conv"}}]
    first, second = plan_stages(on_earlier(*stages, epochs=5))
    assert (first.trainable, first.bottleneck) == ("none", True)
    assert (first.first_epoch, first.last_epoch) == (0, 2)
    assert (second.trainable, second.bottleneck) == (TrainableFrom("last_conv"), False)
    assert (second.first_epoch, second.last_epoch) == (2, 7)


def test_schedules_in_epochs_are_the_same_in_steps_by_hand(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    """Oracle: the steps of 42 training images in batches of 8, written by hand: the same bits."""
    written = {}
    for name, decay, warmup in (("epochs", "2 epochs", "1 epoch"), ("steps", 2 * 6, 6)):
        cosine = {"initial_learning_rate": 0.02, "decay_steps": decay}
        schedule = {"warmup": {"warmup_steps": warmup, "learning_rate": {"CosineDecay": cosine}}}
        optimizer = {"SGD": {"learning_rate": schedule}}
        config = make_config(train={"epochs": 3, "batch_size": 8, "optimizer": optimizer})
        run = train(config, experiments=tmp_path, into=tmp_path / name, listener=silent)
        weights = keras.models.load_model(run.model_keras).get_weights()
        written[name] = (run.resolved_yaml.read_text(), [each.tobytes() for each in weights])
    assert "decay_steps: 12" in written["epochs"][0]
    assert written["epochs"] == written["steps"]


def test_a_cycle_is_as_long_as_each_stage(on_earlier: OnEarlier) -> None:
    cycle = {"learning_rate": {"one_cycle": {"maximum_learning_rate": 0.1}}}
    config = on_earlier(
        {"epochs": 2},
        {},
        {"epochs": 4, "optimizer": {"SGD": cycle}},
        epochs=5,
        optimizer={"Adam": cycle},
    )
    stages = plan_stages(with_schedules_in_steps(config, steps_per_epoch=10))
    lengths = [
        stage.optimizer.arguments["learning_rate"].arguments["total_steps"] for stage in stages
    ]
    assert lengths == [20, 50, 40]


@pytest.mark.parametrize("batch_norm", ["frozen", "train"])
def test_batch_norm_of_the_backbone_learns_only_where_it_is_told(
    batch_norm: str, on_earlier: OnEarlier, earlier: Path, tmp_path: Path
) -> None:
    stage = {"epochs": 1, "trainable": "all"}
    config = on_earlier(stage, of_backbone={"batch_norm": batch_norm})
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    before = keras.models.load_model(earlier / "model.keras")
    after = keras.models.load_model(run.model_keras)
    norm = "conv_block_1_batch_norm"
    learns = batch_norm == "train"
    assert changed(before, after, norm) == [learns] * 4  # gamma, beta, mean and variance
    assert changed(before, after, "last_conv") == [True, True]
    assert after.get_layer("dropout_1").rate == 0.5


@pytest.mark.parametrize(
    ("stage", "layers"),
    [
        ({"trainable": {"from": "last_cnov"}}, None),
        (
            {"trainable": "none"},
            ["GlobalAveragePooling2D", {"Activation": {"activation": "softmax"}}],
        ),
    ],
    ids=["no such layer", "nothing with weights"],
)
def test_idle_stages_are_refused(
    stage: Any, layers: Any, on_earlier: OnEarlier, snapshot: SnapshotAssertion
) -> None:
    config = on_earlier({"epochs": 1}, stage, **({"layers": layers} if layers else {}))
    with pytest.raises(ConfigError) as raised:
        _build(config)
    assert str(raised.value) == snapshot


def test_a_bottleneck_stage_under_a_penalty_of_the_backbone_is_refused(
    make_config: Callable[..., Config], tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    penalized = {"Conv2D": {"filters": 4, "kernel_size": 3, "activity_regularizer": "l1"}}
    config = make_config(
        model={"layers": [penalized, "GlobalAveragePooling2D", "classifier"]}, train={"epochs": 1}
    )
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    on_top = make_config(
        model={"backbone": {"weights": str(run.path)}, "layers": ["classifier"]},
        train={"stages": [{"bottleneck": True}, {"trainable": "all"}]},
    )
    with pytest.raises(ConfigError) as raised:
        prepare(on_top, earlier=None, cache_folder=tmp_path, listener=silent)
    assert str(raised.value) == snapshot


@pytest.mark.parametrize(
    "layer",
    [
        {"Conv2D": {"filters": 1, "kernel_size": 1}},
        {"Dropout": {"rate": 0.5}},
        {"ActivityRegularization": {"l1": 0.1}},
    ],
    ids=["learns", "draws", "penalizes"],
)
def test_a_bottleneck_stage_on_a_stem_that_changes_is_refused(
    layer: Any, on_earlier: OnEarlier, snapshot: SnapshotAssertion
) -> None:
    config = on_earlier({"bottleneck": True}, {"trainable": "all"}, stem=[layer])
    with pytest.raises(ConfigError) as raised:
        _build(config)
    assert str(raised.value) == snapshot


@pytest.mark.parametrize(
    "layer",
    [
        {"ZeroPadding2D": {"padding": 0}},
        {"Dropout": {"rate": 0.0}},
        {"Conv2D": {"filters": 1, "kernel_size": 1, "trainable": False}},
    ],
)
def test_a_bottleneck_stage_on_a_stem_that_stays_is_not(layer: Any, on_earlier: OnEarlier) -> None:
    _build(on_earlier({"bottleneck": True}, {"trainable": "all"}, stem=[layer]))


def test_what_learns_in_the_stem_hides_no_misspelt_layer(
    on_earlier: OnEarlier, snapshot: SnapshotAssertion
) -> None:
    stem = [{"Conv2D": {"filters": 1, "kernel_size": 1}}]
    with pytest.raises(ConfigError) as raised:
        _build(on_earlier({"trainable": {"from": "last_cnov"}}, stem=stem))
    assert str(raised.value) == snapshot


def _build(config: Config) -> None:
    build(
        config,
        input_shape=(6, 6, 1),
        classes=3,
        preprocessing=unfitted_preprocessing(config, (6, 6, 1)),
    )


def changed(before: keras.Model, after: keras.Model, layer: str) -> list[bool]:
    pairs = zip(before.get_layer(layer).weights, after.get_layer(layer).weights, strict=True)
    return [not np.array_equal(one, other) for one, other in pairs]


@pytest.mark.parametrize(
    ("said", "becomes"),
    [({}, "train"), ({"batch_norm": "frozen"}, "frozen"), ({"trainable": "none"}, None)],
)
def test_batch_norm_without_weights_to_keep_learns_and_that_is_written(
    said: dict[str, Any],
    becomes: str | None,
    make_config: Callable[..., Config],
    make_images: Callable[..., Path],
    tmp_path: Path,
) -> None:
    photos = make_images("photos", {"cat": 9, "dog": 9}, size=(32, 32), mode="RGB")
    backbone = {"name": "MobileNet", "alpha": 0.25, "weights": "none", "trainable": "all", **said}
    config = make_config(
        data={"directory": str(photos), "image_size": [32, 32]},
        model={"backbone": backbone, "layers": ["GlobalAveragePooling2D", "classifier"]},
    )
    prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
    assert prepared.config.model.backbone is not None
    assert prepared.config.model.backbone.batch_norm == becomes
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(dump_config(prepared.config, relative_to=tmp_path))
    assert load_config(resolved).model.backbone == prepared.config.model.backbone
