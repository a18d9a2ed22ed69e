"""`--set PATH=VALUE`: what it can reach, and what it says where it cannot."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_sources import ArraysSource
from cnnrun.config.overrides import Change
from cnnrun.config.train_section import BestSpec
from cnnrun.config.values import BatchNorm, KerasCall
from cnnrun.config.yaml_tree import parse_tree

from .conftest import Complain, Load

TEXT = """\
data: {directory: images, image_size: [8, 8]}
model:
  blocks: {batch_norm: before_activation}
  layers:
    - conv_block: {filters: 4, kernel_size: 3, name: stem}
    - Conv2D: {filters: 4, kernel_size: 3}
    - residual:
        layers:
          - conv_block: {filters: 4, kernel_size: 3}
    - branches:
        branches: [[Flatten], [GlobalAveragePooling2D]]
    - GlobalAveragePooling2D
    - classifier
train:
  callbacks: [{EarlyStopping: {patience: 5}}, TerminateOnNaN]
"""


@pytest.mark.parametrize(
    ("address", "argument", "value"),
    [
        ("model.layers[0].conv_block.filters", "filters", 9),
        ("model.layers[stem].conv_block.filters", "filters", 9),
        ("model.layers[stem].conv_block.groups", "groups", 1),
    ],
)
def test_layers_by_number_and_by_name(load: Load, address: str, argument: str, value: int) -> None:
    config = load(TEXT, [f"{address}={value}"])
    assert config.model.layers[0].arguments[argument] == value


def test_nested_layers_by_their_automatic_names(load: Load) -> None:
    config = load(
        TEXT,
        [
            "model.layers[conv2d_1].Conv2D.filters=8",
            "model.layers[residual_1].residual.layers[conv_block_1].conv_block.filters=16",
            "model.layers[3].branches.branches[1][0].GlobalAveragePooling2D.keepdims=true",
            "model.layers[branches_1].branches.merge=Add",
        ],
    )
    layers = config.model.layers
    assert layers[1].arguments["filters"] == 8
    assert layers[2].arguments["layers"][0].arguments["filters"] == 16
    assert layers[3].arguments["branches"][1][0].arguments == {"keepdims": True}
    assert layers[3].arguments["merge"] == KerasCall("layers", "Add")


def test_bare_names_gain_arguments(load: Load) -> None:
    config = load(
        TEXT,
        [
            "model.layers[4].GlobalAveragePooling2D.keepdims=true",
            "model.layers[5].classifier.use_bias=false",
        ],
    )
    assert config.model.layers[4].arguments == {"keepdims": True}
    assert config.model.layers[5].arguments["use_bias"] is False


def test_keys_that_the_file_leaves_out(load: Load) -> None:
    config = load(
        TEXT,
        [
            "train.epochs=5",
            "train.optimizer.SGD.momentum=0.9",
            "preprocess.rescale=1",
            "data.split.test=0.3",
            "seed=3",
            "train.best.monitor=accuracy",
        ],
    )
    assert config.train.epochs == 5
    assert config.train.optimizer == KerasCall("optimizers", "SGD", {"momentum": 0.9})
    assert (config.preprocess.rescale, config.data.split.test, config.seed) == (1, 0.3, 3)
    assert config.train.best == BestSpec(monitor="accuracy")


def test_short_forms_grow(load: Load) -> None:
    config = load(TEXT, ["model.blocks.batch_norm.momentum=0.9"])
    assert config.model.blocks.batch_norm == BatchNorm("before_activation", {"momentum": 0.9})


def test_values_are_yaml(load: Load) -> None:
    config = load(
        TEXT,
        [
            "train.optimizer={Adam: {learning_rate: {CosineDecay: "
            "{initial_learning_rate: 1e-3, decay_steps: 10}}}}",
            "train.best=last",
            "train.callbacks[0].EarlyStopping.patience=7",
            "train.callbacks[1]=TerminateOnNaN",
            "data.image_size[0]=16",
            "data.classes=[no, yes=maybe]",
        ],
    )
    assert config.train.optimizer.arguments["learning_rate"].name == "CosineDecay"
    assert config.train.best is None
    assert config.train.callbacks[0].arguments == {"patience": 7}
    assert config.data.image_size == (16, 8)
    assert config.data.classes == ("no", "yes=maybe")


def test_the_last_of_two_wins(load: Load) -> None:
    assert load(TEXT, ["train.epochs=5", "train.epochs=6"]).train.epochs == 6


def test_paths_are_relative_to_the_current_folder(load: Load, folder: Path) -> None:
    config = load(TEXT, ["data.directory=", "data.arrays=sub/x.npz"])
    assert config.data.arrays == ArraysSource(file=folder / "sub" / "x.npz")


@pytest.mark.parametrize(
    "override",
    [
        "train.epoch=5",
        "trian.epochs=5",
        "model.layers[stem].filters=3",
        "model.layers[stm].conv_block.filters=3",
        "model.layers[6].conv_block.filters=3",
        "model.layers.stem.filters=3",
        "model.layers[1].Conv2D.filter=3",
        "model.layers[1].Dense.units=3",
        "train.optimizer.Adam.learning_rat=3",
        "train.epochs.more=3",
        "train.epochs[0]=3",
        "train.stages[0].epochs=3",
        "train.callbacks[early_stopping_1].EarlyStopping.patience=3",
        "nothing.like.it=1",
        "train.epochs=many",
        "train.epochs=-1",
        "train.epochs=",
        "train.epoch=",
        "data.arrays=images.npz",
        "model.backbone.trainable=all",
        "train.epochs=010",
        "train.epochs=[1, 2",
        "train.epochs=!!int 3",
        "train.optimizer={Adam: {lr: 1}}",
        "train.epochs",
        "=5",
        "train..epochs=5",
        "train.epochs=\udc80",
    ],
)
def test_what_cannot_be_set(override: str, complain: Complain, snapshot: SnapshotAssertion) -> None:
    assert complain(TEXT, [override]) == snapshot


def test_all_problems_of_file_and_overrides(
    complain: Complain, snapshot: SnapshotAssertion
) -> None:
    text = TEXT.replace("patience: 5", "patience: -5")
    assert complain(text, ["train.epochs=0", "train.epoch=1", "seed=-1"]) == snapshot


def test_a_key_that_only_gains_something_is_pointed_at_in_the_file(
    complain: Complain, snapshot: SnapshotAssertion
) -> None:
    text = TEXT.replace("directory: images", "directory: images, arrays: {file: images.npz}")
    assert complain(text, ["data.arrays.value_range=[0, 1]"]) == snapshot


def test_a_change_points_at_where_its_address_and_its_value_stand(
    complain: Complain, snapshot: SnapshotAssertion
) -> None:
    text = "values: {train.epochs: 0, train.epoch: 3, train..: 1, model..: {layers: [Flatten]}}"
    entries = parse_tree(text, file="study.yaml").root.entries["values"].node.entries
    changes = [Change(key, entry.key_position, entry.node) for key, entry in entries.items()]
    assert complain(TEXT, changes) == snapshot
