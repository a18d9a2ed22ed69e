"""What studies address by role is found in any config, or what the config lacks is named in it."""

from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.planning.make_plan import plan_study
from cnnrun.ablation.planning.role_changes import load_with_roles
from cnnrun.ablation.studies.named_studies import find_study, study_names
from cnnrun.ablation.studies.roles import ROLES
from cnnrun.config.dump import plain_layers
from cnnrun.config.load import load_config
from cnnrun.config.values import Epochs
from cnnrun.errors import CnnrunError
from cnnrun.manual.chapters import chapters
from cnnrun.starter.example import example_project

from ..conftest import BLOCKS, SPELLED_OUT, PlanStudy, complaint

OF_PHOTOGRAPHS = """\
data: {directory: photos, layout: "{label}/**", image_size: [32, 32], classes: [cat, ship]}
model:
  blocks: {batch_norm: {position: before_activation, momentum: 0.9}, activation: relu}
  layers:
    - conv_block: {filters: 32, kernel_size: 3}
    - MaxPooling2D: {pool_size: 2}
    - conv_block: {filters: 64, kernel_size: 3}
    - GlobalAveragePooling2D
    - Dropout: {rate: 0.3}
    - classifier
train: {epochs: 60, batch_size: 16, optimizer: {Adam: {learning_rate: 1e-3}}}
"""
ON_A_BACKBONE = """\
extends: photos.yaml
data: {image_size: [96, 96]}
model:
  backbone: {name: MobileNet, weights: imagenet, trainable: none}
  layers: [GlobalAveragePooling2D, {Dropout: {rate: 0.3}}, classifier]
train: {stages: [{bottleneck: true, epochs: 30}]}
"""
CONFIGS = ("photos.yaml", "photos_mobilenet.yaml", "mnist5k.yaml", "keras_convnet.yaml")


@pytest.fixture
def configs(folder: Path) -> Path:
    """The two forms that `init --data` writes, and two of the starter's, in the current folder."""
    Path("photos.yaml").write_text(OF_PHOTOGRAPHS)
    Path("photos_mobilenet.yaml").write_text(ON_A_BACKBONE)
    for name in CONFIGS[2:]:
        text = (example_project() / "configs" / name).read_text()
        Path(name).write_text(text)
    return folder


def planned(study: str, config: str) -> str:
    """What becomes of a named study of a config: its size, or why it cannot be asked."""
    try:
        found = find_study(study)
        plan = plan_study(found.study, name=study, base=Path(config), overrides=(), seeds=None).plan
    except CnnrunError as error:
        return str(error)
    return f"{len(plan.arms)} arms"


@pytest.mark.parametrize("config", CONFIGS)
def test_every_named_study_plans_or_names_what_the_config_lacks(
    config: str, configs: Path, snapshot: SnapshotAssertion
) -> None:
    found = {study: planned(study, config) for study in study_names()}
    assert found == snapshot
    for text in found.values():
        assert "ablation/studies/named" not in text, "messages point at the user's file, not ours"


def layers_with(config: str, *overrides: str) -> list[Any]:
    Path("config.yaml").write_text(config)
    return plain_layers(load_with_roles(Path("config.yaml"), overrides).model.layers)


def kinds(layers: list[Any]) -> str:
    return " ".join(each if isinstance(each, str) else next(iter(each)) for each in layers)


def test_dropout_stands_behind_every_convolution_of_either_form(folder: Path) -> None:
    blocks = layers_with(OF_PHOTOGRAPHS, "role.spatial_dropout=0.2")
    assert [each["conv_block"]["spatial_dropout"] for each in blocks if "conv_block" in each] == [
        0.2,
        0.2,
    ]
    spelled = layers_with(SPELLED_OUT, "role.dropout=0.2")
    assert kinds(spelled) == (
        "Conv2D BatchNormalization Activation Dropout Conv2D ReLU Dropout MaxPooling2D"
        " BatchNormalization residual GlobalAveragePooling2D classifier"
    )
    assert kinds(spelled[9]["residual"]["layers"]) == (
        "Conv2D BatchNormalization Dropout Conv2D Dropout"
    )
    assert kinds(layers_with(SPELLED_OUT, "role.dropout=0")) == kinds(layers_with(SPELLED_OUT))


def test_the_rate_of_the_dropout_that_is_there(folder: Path) -> None:
    """Of either kind and form, said by the block or by all blocks; none comes where none is."""

    def with_rate(text: str, *before: str) -> list[Any]:
        return layers_with(text, *before, "role.dropout_rate=0.3")

    for kind in ("dropout", "spatial_dropout"):
        blocks = with_rate(OF_PHOTOGRAPHS, f"role.{kind}=0.1")
        assert blocks == layers_with(OF_PHOTOGRAPHS, f"role.{kind}=0.3")
        spelled = with_rate(SPELLED_OUT, f"role.{kind}=0.1")
        assert spelled == layers_with(SPELLED_OUT, f"role.{kind}=0.3")
    inherited = with_rate(OF_PHOTOGRAPHS, "model.blocks.dropout=0.1")
    assert inherited[0]["conv_block"]["dropout"] == 0.3
    for text in (OF_PHOTOGRAPHS, SPELLED_OUT):
        assert with_rate(text) == layers_with(text)
    # The head's dropout is not behind a convolution.
    assert inherited[4] == {"Dropout": {"rate": 0.3}}


def test_one_kind_of_dropout_takes_the_others_place(folder: Path) -> None:
    text = OF_PHOTOGRAPHS.replace("{filters: 64,", "{filters: 64, dropout: 0.5,")
    block = layers_with(text, "role.spatial_dropout=0.2")[2]["conv_block"]
    assert (block.get("dropout", 0), block["spatial_dropout"]) == (0, 0.2)


@pytest.mark.parametrize(
    ("way", "first"),
    [
        ("max", "conv_block MaxPooling2D conv_block"),
        ("average", "conv_block AveragePooling2D conv_block"),
        ("strides", "conv_block conv_block"),
        ("convolution", "conv_block repeat conv_block"),
        ("convolution and max", "conv_block repeat MaxPooling2D conv_block"),
        ("{MaxPooling2D: {pool_size: 3}}", "conv_block MaxPooling2D conv_block"),
    ],
)
def test_the_first_pooling(way: str, first: str, folder: Path) -> None:
    layers = layers_with(OF_PHOTOGRAPHS, f"role.first_pooling={way}")
    assert kinds(layers) == f"{first} GlobalAveragePooling2D Dropout classifier"


def test_strides_are_those_of_the_pooling(folder: Path) -> None:
    text = OF_PHOTOGRAPHS.replace("pool_size: 2", "pool_size: 3, strides: 4")
    assert layers_with(text, "role.first_pooling=strides")[0]["conv_block"]["strides"] == 4
    (added,) = layers_with(text, "role.first_pooling=convolution")[1]["repeat"]["layers"]
    assert (added["conv_block"]["strides"], added["conv_block"]["filters"]) == (4, 32)


def test_a_pooling_that_repeats_is_found(folder: Path) -> None:
    text = OF_PHOTOGRAPHS.replace(
        "    - MaxPooling2D: {pool_size: 2}\n",
        "    - repeat: {times: 2, layers: [{conv_block: {filters: 8, kernel_size: 3}},"
        " {MaxPooling2D: {pool_size: 2}}]}\n",
    )
    inner = layers_with(text, "role.first_pooling=average")[1]["repeat"]["layers"]
    assert kinds(inner) == "conv_block AveragePooling2D"


def test_the_head_keeps_its_dropout_and_what_stands_before_it(configs: Path) -> None:
    def with_head(config: str) -> str:
        loaded = load_with_roles(Path(config), ["role.head=[Flatten, {dense_block: {units: 8}}]"])
        return kinds(plain_layers(loaded.model.layers))

    assert with_head("photos.yaml").endswith("conv_block repeat Dropout classifier")
    assert with_head("keras_convnet.yaml").endswith("Conv2D MaxPooling2D repeat Dropout Dense")
    assert with_head("photos_mobilenet.yaml") == "repeat Dropout classifier"


@pytest.mark.parametrize(
    ("optimizer", "address"),
    [
        ("Adam", "train.optimizer"),
        ("{SGD: {learning_rate: 0.1, momentum: 0.9}}", "train.optimizer"),
        (
            "{Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 1, decay_steps: 9}}}}",
            "train.optimizer",
        ),
    ],
)
def test_the_learning_rate_wherever_it_stands(optimizer: str, address: str, folder: Path) -> None:
    text = BLOCKS.replace("epochs: 2", f"epochs: 2, optimizer: {optimizer}")
    Path("config.yaml").write_text(text)
    config = load_with_roles(Path("config.yaml"), ["role.learning_rate=0.025"])
    assert "0.025" in repr(config.train.optimizer)


def test_so_many_times_the_learning_rate(folder: Path) -> None:
    rates = "{boundaries: [9], values: [0.1, 0.01]}"
    schedule = f"{{SGD: {{learning_rate: {{PiecewiseConstantDecay: {rates}}}}}}}"
    Path("config.yaml").write_text(BLOCKS.replace("epochs: 2", f"epochs: 2, optimizer: {schedule}"))
    config = load_with_roles(Path("config.yaml"), ["role.learning_rate_times=0.1"])
    (rate,) = config.train.optimizer.arguments.values()
    assert rate.arguments["values"] == (0.01, 0.001)


@pytest.mark.parametrize("role", ["learning_rate", "learning_rate_times"])
def test_a_learning_rate_is_a_number(role: str, folder: Path, snapshot: SnapshotAssertion) -> None:
    Path("config.yaml").write_text(BLOCKS)
    assert (
        complaint(lambda: load_with_roles(Path("config.yaml"), [f"role.{role}=fast"])) == snapshot
    )


def test_schedules_end_when_the_training_does(folder: Path) -> None:
    """Oracle: the share of the updates that the schedule lasts, before and after."""
    schedule = "{CosineDecay: {initial_learning_rate: 1, decay_steps: 300, warmup_steps: 30}}"
    text = BLOCKS.replace(
        "{epochs: 2}",
        f"{{epochs: 4, batch_size: 32, optimizer: {{Adam: {{learning_rate: {schedule}}}}}}}",
    )
    Path("config.yaml").write_text(text)
    config = load_with_roles(Path("config.yaml"), ["role.batch_size=8", "role.training_length=3"])
    rate = config.train.optimizer.arguments["learning_rate"].arguments
    assert (config.train.batch_size, config.train.epochs) == (8, 12)
    assert (rate["decay_steps"], rate["warmup_steps"]) == (300 * 4 * 3, 30 * 4 * 3)


def test_schedules_in_epochs_end_when_the_training_does(folder: Path) -> None:
    """Oracle: an epoch of a quarter of the images has a quarter of the updates."""
    schedule = (
        "{warmup: {warmup_steps: 1 epoch, learning_rate: {PiecewiseConstantDecay: "
        "{boundaries: [2 epochs, 120], values: [3, 2, 1]}}}}"
    )
    text = BLOCKS.replace(
        "{epochs: 2}", f"{{epochs: 4, optimizer: {{Adam: {{learning_rate: {schedule}}}}}}}"
    )
    Path("config.yaml").write_text(text)

    def lengths(*roles: str) -> tuple[object, object]:
        config = load_with_roles(Path("config.yaml"), roles)
        warmup = config.train.optimizer.arguments["learning_rate"].arguments
        return str(warmup["warmup_steps"]), *warmup["learning_rate"].arguments["boundaries"]

    assert lengths("role.batch_size=8") == ("1 epoch", Epochs(2), 480)
    assert lengths("role.training_length=3") == ("3 epochs", Epochs(6), 360)
    assert lengths("role.training_share=0.25") == ("4 epochs", Epochs(8), 120)


def test_stages_get_longer_each(configs: Path) -> None:
    config = load_with_roles(Path("photos_mobilenet.yaml"), ["role.training_length=2"])
    assert [stage.epochs for stage in config.train.stages] == [60]


def test_batch_norm_keeps_its_arguments_and_gets_a_quick_momentum_where_it_has_none(
    folder: Path,
) -> None:
    Path("config.yaml").write_text(OF_PHOTOGRAPHS.replace("momentum: 0.9", "epsilon: 0.01"))
    norm = load_with_roles(
        Path("config.yaml"), ["role.batch_norm=after_activation"]
    ).model.blocks.batch_norm
    assert (norm.position, norm.arguments) == ("after_activation", {"epsilon": 0.01})
    Path("config.yaml").write_text(
        OF_PHOTOGRAPHS.replace("batch_norm: {position: before_activation, momentum: 0.9}, ", "")
    )
    norm = load_with_roles(
        Path("config.yaml"), ["role.batch_norm=after_activation"]
    ).model.blocks.batch_norm
    assert (norm.position, norm.arguments) == ("after_activation", {"momentum": 0.9})


def test_kernels_of_either_form(folder: Path) -> None:
    layers = layers_with(SPELLED_OUT, "role.kernel_initializer=he_normal")
    assert layers[0]["Conv2D"]["kernel_initializer"] == "he_normal"
    Path("config.yaml").write_text(OF_PHOTOGRAPHS)
    config = load_with_roles(Path("config.yaml"), ["role.kernel_regularizer={L2: {l2: 0.01}}"])
    assert config.model.blocks.kernel_regularizer is not None


@pytest.mark.parametrize(
    "override",
    [
        "role.drpout=0.2",
        "role.batch_norm=before",
        "role.first_pooling=averag",
        "role.training_length=0.5",
        "role.backbone=none",
        "role.head=[]",
    ],
)
def test_values_that_no_role_takes(
    override: str, configs: Path, snapshot: SnapshotAssertion
) -> None:
    config = Path("photos_mobilenet.yaml" if "backbone" in override else "photos.yaml")
    assert complaint(lambda: load_with_roles(config, [override])) == snapshot


@pytest.mark.parametrize(
    ("override", "old", "new"),
    [
        ("role.dilation_rate=2", "kernel_size: 3}", "kernel_size: 3, padding: valid}"),
        ("role.dilation_rate=2", "kernel_size: 3}", "kernel_size: 3, strides: 2}"),
        ("role.first_pooling=strides", "    - conv_block: {filters: 32, kernel_size: 3}\n", ""),
        ("role.head=Flatten", "- GlobalAveragePooling2D\n", "- Reshape: {target_shape: [-1]}\n"),
    ],
)
def test_what_a_config_lacks(
    override: str, old: str, new: str, folder: Path, snapshot: SnapshotAssertion
) -> None:
    Path("mine.yaml").write_text(OF_PHOTOGRAPHS.replace(old, new))
    assert complaint(lambda: load_with_roles(Path("mine.yaml"), [override])) == snapshot


def test_a_users_own_study_may_use_roles(plan: PlanStudy) -> None:
    text = """
        question: How much?
        set: {role.batch_norm: none}
        factors: {share: {path: role.dropout, values: [0, 0.3]}}
        tune: {path: role.learning_rate, low: 1e-4, high: 1e-2}
        """
    arms = plan(text).plan.arms
    assert [each.overrides for each in arms] == [("role.dropout=0",), ("role.dropout=0.3",)]
    assert {each.config.model.blocks.batch_norm.position for each in arms} == {"none"}


def test_the_manual_lists_every_role() -> None:
    text = chapters()["studies"].text
    for role in ROLES:
        assert f"`role.{role}`" in text


def test_a_config_without_roles_is_the_config(configs: Path) -> None:
    assert load_with_roles(Path("photos.yaml"), []) == load_config(Path("photos.yaml"))


def test_a_share_of_the_images_trains_for_as_many_updates(configs: Path) -> None:
    """Four times as many epochs and as much patience; schedules, which count updates, stay."""
    text = (
        Path("photos.yaml")
        .read_text()
        .replace(
            "train: {", "train: {callbacks: [{EarlyStopping: {monitor: val_loss, patience: 3}}], "
        )
    )
    Path("photos.yaml").write_text(text)
    config = load_with_roles(Path("photos.yaml"), ["role.training_share=0.25"])
    assert config.data.train_share == 0.25
    assert config.train.epochs == 240
    assert config.train.callbacks[0].arguments["patience"] == 12
    assert config.train.optimizer == load_config(Path("photos.yaml")).train.optimizer


@pytest.mark.parametrize("share", ["0", "1.5", "half"])
def test_shares_that_are_refused(share: str, configs: Path, snapshot: SnapshotAssertion) -> None:
    found = complaint(
        lambda: load_with_roles(Path("photos.yaml"), [f"role.training_share={share}"])
    )
    assert found == snapshot
