"""`extends`: which values win, where paths lead, and where messages point."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.config.train_section import BestSpec
from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError

BASE = """\
data: {directory: images, image_size: [8, 8], split: {validation: 0.2, test: 0.1}}
model:
  layers:
    - Flatten
    - classifier
train:
  epochs: 3
  optimizer: {Adam: {learning_rate: 1e-3, beta_1: 0.8}}
  callbacks: [TerminateOnNaN]
"""


def write(**texts: str) -> None:
    """Writes `base="..."` as base.yaml; a name `a__b` is b.yaml in folder a."""
    for name, text in texts.items():
        path = Path(name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def complaints(name: str) -> str:
    with pytest.raises(ConfigError) as refusal:
        load_config(Path(name))
    return str(refusal.value)


def test_maps_merge_and_lists_are_replaced(folder: Path) -> None:
    write(
        base=BASE,
        child="extends: base.yaml\ntrain: {epochs: 5, callbacks: []}\n"
        "data: {split: {test: 0.3}}\nmodel: {layers: [classifier]}\n",
    )
    config = load_config(Path("child.yaml"))
    assert config.train.epochs == 5
    assert config.train.callbacks == ()
    assert (config.data.split.validation, config.data.split.test) == (0.2, 0.3)
    assert [layer.kind for layer in config.model.layers] == ["classifier"]
    assert config.source == Path("child.yaml")


def test_arguments_of_the_same_call_merge(folder: Path) -> None:
    write(base=BASE, child="extends: base.yaml\ntrain: {optimizer: {Adam: {beta_1: 0.5}}}\n")
    arguments = load_config(Path("child.yaml")).train.optimizer.arguments
    assert arguments == {"learning_rate": 0.001, "beta_1": 0.5}


def test_another_call_replaces_the_one_in_the_base(folder: Path) -> None:
    write(base=BASE, child="extends: base.yaml\ntrain: {optimizer: {SGD: {momentum: 0.9}}}\n")
    optimizer = load_config(Path("child.yaml")).train.optimizer
    assert optimizer == KerasCall("optimizers", "SGD", {"momentum": 0.9})


@pytest.mark.parametrize(
    ("base", "child", "arguments"),
    [
        ("{Adam: {beta_1: 0.8}}", "Adam", {}),
        ("Adam", "{Adam: {beta_1: 0.5}}", {"beta_1": 0.5}),
    ],
)
def test_a_bare_name_is_replaced_and_replaces(
    base: str, child: str, arguments: dict[str, float], folder: Path
) -> None:
    write(
        base=BASE.replace("{Adam: {learning_rate: 1e-3, beta_1: 0.8}}", base),
        child=f"extends: base.yaml\ntrain: {{optimizer: {child}}}\n",
    )
    assert load_config(Path("child.yaml")).train.optimizer.arguments == arguments


def test_a_section_of_one_key_gains_another(folder: Path) -> None:
    # Two maps of a key each, as two calls of Keras would be, but for the capital.
    write(base=BASE, child="extends: base.yaml\nmodel: {blocks: {activation: tanh}}\n")
    config = load_config(Path("child.yaml"))
    assert config.model.blocks.activation.name == "tanh"
    assert [layer.kind for layer in config.model.layers] == ["Flatten", "classifier"]


def test_null_takes_back_what_the_base_says(folder: Path) -> None:
    write(base=BASE, child="extends: base.yaml\ndata: {directory: , keras_dataset: mnist}\n")
    config = load_config(Path("child.yaml"))
    assert (config.data.directory, config.data.keras_dataset) == (None, "mnist")


def test_a_chain_across_folders_keeps_each_files_own_paths(folder: Path) -> None:
    write(
        far__base=BASE,
        near__middle="extends: ../far/base.yaml\ntrain: {epochs: 4, best: {mode: min}}\n",
        top="extends: near/middle.yaml\ntrain: {batch_size: 8}\n",
    )
    config = load_config(Path("top.yaml"))
    assert config.data.directory == folder / "far" / "images"
    assert (config.train.epochs, config.train.batch_size) == (4, 8)
    assert config.train.best == BestSpec(mode="min")


def test_problems_point_at_the_file_of_the_value(folder: Path, snapshot: SnapshotAssertion) -> None:
    write(
        base=BASE.replace("epochs: 3", "epochs: 0"),
        child="extends: base.yaml\ntrain: {batch_size: 0}\n",
    )
    assert complaints("child.yaml") == snapshot


def test_what_the_yaml_of_every_file_of_a_chain_has_wrong_is_said(
    folder: Path, snapshot: SnapshotAssertion
) -> None:
    write(
        base=BASE + "train: {epochs: 4}\n",
        middle="extends: base.yaml\nseed: 007\n",
        child="extends: middle.yaml\ntrain: {batch_size: 8, batch_size: 16}\n",
    )
    assert complaints("child.yaml") == snapshot


def test_problems_of_what_was_merged_point_at_the_file_on_top(
    folder: Path, snapshot: SnapshotAssertion
) -> None:
    write(
        base="data: {image_size: [8, 8]}\naugmentation: {rotation_range: 10}\n",
        child="extends: base.yaml\ndata: {split: {test: 0.2}}\naugmentation: {zoom_range: 0.1}\n",
    )
    assert complaints("child.yaml") == snapshot


@pytest.mark.parametrize(
    "child",
    [
        "extends: 3\n",
        'extends: ""\n',
        "extends: bas.yaml\n",
        "extends: child.yaml\n",
        "extends: middle.yaml\n",
        "extends: [base.yaml]\n",
        "extends:\n",
        "extends: folder\n",
        "extends: list.yaml\n",
        "extends: tab.yaml\n",
    ],
)
def test_what_cannot_be_extended(child: str, folder: Path, snapshot: SnapshotAssertion) -> None:
    write(
        base=BASE,
        middle="extends: child.yaml\n",
        list="- 1\n",
        tab="data:\n\tdirectory: x\n",
        child=child,
    )
    Path("folder").mkdir()
    assert complaints("child.yaml") == snapshot
