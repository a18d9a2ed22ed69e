"""`cnnrun show`: the table, the document, the script, and the problems that only a build finds."""

import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.cli.show import stages_text

CONFIG = """\
data:
  directory: images
  image_size: [8, 8]
  color_mode: grayscale
  classes: 10
model:
  layers:
    - conv_block: {filters: 4, kernel_size: 3, batch_norm: before_activation}
    - MaxPooling2D: {pool_size: 2}
    - residual: {layers: [Conv2D: {filters: 8, kernel_size: 3, padding: same}]}
    - GlobalAveragePooling2D
    - classifier
"""
# By hand: 9 * 4 + 4, batch norm 4 * 4 of which half is trained, 9 * 4 * 8 + 8, shortcut 4 * 8 + 8,
# 8 * 10 + 10.
PARAMETERS = 40 + 16 + 296 + 40 + 90
TRAINABLE = PARAMETERS - 8
MULTIPLY_ADDS = 64 * 36 + 16 * 288 + 16 * 32 + 80


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config without its images."""
    (tmp_path / "small.yaml").write_text(CONFIG)
    return tmp_path / "small.yaml"


@pytest.mark.usefixtures("config")
def test_the_table(command, snapshot: SnapshotAssertion) -> None:
    ended = command("show", "small.yaml")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot
    for number in (PARAMETERS, TRAINABLE, MULTIPLY_ADDS):
        assert f"{number:,}" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80


@pytest.mark.usefixtures("config")
def test_the_document(command) -> None:
    ended = command("show", "small.yaml", "--json")
    assert (ended.exit_code, ended.stderr) == (0, "")
    document = json.loads(ended.stdout)
    assert document["parameters"] == {"total": PARAMETERS, "trainable": TRAINABLE}
    assert document["multiply_adds"] == MULTIPLY_ADDS
    pooling = next(layer for layer in document["layers"] if layer["kind"] == "MaxPooling2D")
    assert pooling["line"] == 9
    assert pooling["address"] == "model.layers[1].MaxPooling2D"
    assert pooling["output_shape"] == [None, 4, 4, 4]
    assert pooling["receptive_field"] == [4, 4]


@pytest.mark.usefixtures("config")
def test_the_script_makes_the_same_network(command) -> None:
    ended = command("show", "small.yaml", "--as", "keras")
    assert (ended.exit_code, ended.stderr) == (0, "")
    variables: dict = {}
    exec(ended.stdout, variables)  # noqa: S102 what the script is for
    assert variables["model"].count_params() == PARAMETERS


@pytest.mark.usefixtures("config")
def test_overrides_change_the_network(command) -> None:
    wider = ("--set", "model.layers[0].conv_block.filters=8")
    document = json.loads(command("show", "small.yaml", *wider, "--json").stdout)
    assert document["parameters"]["total"] > PARAMETERS


def test_classes_are_counted_in_the_images_where_the_config_does_not_say(
    command, config: Path, make_images
) -> None:
    make_images("images", {"a": 2, "b": 2, "c": 2})
    config.write_text(CONFIG.replace("  classes: 10\n", ""))
    layers = json.loads(command("show", "small.yaml", "--json").stdout)["layers"]
    assert layers[-1]["output_shape"] == [None, 3]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pool_size: 2", "pool_size: 9"),
        ("GlobalAverage", "Dropout: {rate: 0.5, noise_shape: [5, 1, 1, 8]}\n    - GlobalAverage"),
        ("    - classifier", "    - Dense: {units: 7}"),
    ],
    ids=["pool larger than its input", "noise_shape", "as many units as classes"],
)
def test_problems_that_only_a_build_finds(
    old: str, new: str, command, config: Path, snapshot: SnapshotAssertion
) -> None:
    config.write_text(CONFIG.replace(old, new))
    assert command("validate", "small.yaml").exit_code == 0
    ended = command("show", "small.yaml")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.usefixtures("config")
def test_one_form_at_a_time(command) -> None:
    ended = command("show", "small.yaml", "--as", "keras", "--json")
    assert ended.exit_code == 2
    assert "--as: must be the only form that is asked for, received --json as well" in ended.stderr


FEATUREWISE = ("--set", "preprocess.featurewise_std_normalization=true")
WHITENING = ("--set", "preprocess.zca_whitening=true")


@pytest.mark.usefixtures("config")
def test_statistics_stand_apart_and_need_no_images(command, snapshot: SnapshotAssertion) -> None:
    ended = command("show", "small.yaml", *WHITENING)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot
    document = json.loads(command("show", "small.yaml", *WHITENING, "--json").stdout)
    assert document["parameters"] == {"total": PARAMETERS, "trainable": TRAINABLE}
    assert document["preprocessing_statistics"] == 1 + 64**2


@pytest.mark.usefixtures("config")
def test_the_script_holds_statistics_of_the_images(command, make_images) -> None:
    make_images("images", {"dark": 6, "light": 6})
    ended = command("show", "small.yaml", "--as", "keras", "--set", "data.classes=2", *FEATUREWISE)
    assert (ended.exit_code, ended.stderr) == (0, "")
    variables: dict = {}
    exec(ended.stdout, variables)  # noqa: S102 what the script is for
    layer = variables["model"].get_layer("preprocess_featurewise")
    assert 0.2 < layer.input_mean[0] < 0.8
    assert 0 < layer.input_variance[0] < 1


@pytest.mark.usefixtures("config")
def test_a_script_without_the_images_it_needs(command, snapshot: SnapshotAssertion) -> None:
    ended = command("show", "small.yaml", "--as", "keras", *FEATUREWISE)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.usefixtures("config")
def test_a_script_has_no_room_for_whitening(command, snapshot: SnapshotAssertion) -> None:
    ended = command("show", "small.yaml", "--as", "keras", *WHITENING)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


ON_A_BACKBONE = """\
data: {directory: images, image_size: [32, 32], color_mode: grayscale, classes: 3}
model:
  backbone: {name: MobileNet, alpha: 0.25, weights: none, batch_norm: frozen,
    output_layer: conv_dw_2_relu}
  layers:
    - conv_block: {filters: 4, kernel_size: 1, batch_norm: before_activation}
    - GlobalAveragePooling2D
    - classifier
train:
  stages:
    - {epochs: 1, trainable: none}
    - {epochs: 1, trainable: {from: conv_dw_2}}
    - {epochs: 1, trainable: {from: classifier}}
    - {epochs: 1, trainable: all}
"""


def test_what_learns_in_which_stage(command, config: Path, snapshot: SnapshotAssertion) -> None:
    config.write_text(ON_A_BACKBONE)
    ended = command("show", "small.yaml")
    assert (ended.exit_code, ended.stderr) == (
        0,
        "note: the images are grey: MobileNet gets each as 3 equal channels\n",
    )
    assert ended.stdout == snapshot
    document = json.loads(command("show", "small.yaml", "--json").stdout)
    stages = {layer["name"]: layer["trainable_in_stages"] for layer in document["layers"]}
    assert stages["conv1"] == [4]
    assert stages["conv1_bn"] == []
    assert stages["conv_dw_2"] == [2, 4]
    assert stages["conv_block_1_batch_norm"] == [1, 2, 4]
    assert stages["classifier"] == [1, 2, 3, 4]
    trained = [stage["trainable_parameters"] for stage in document["stages"]]
    assert trained == [2 * 4 + 16 * 4 + 4 + 15, trained[0] + 9 * 16, 15, trained[3]]
    assert document["parameters"]["trainable"] == trained[3] < document["parameters"]["total"]


def test_stages_without_a_backbone(command, config: Path) -> None:
    stages = "[{epochs: 1, trainable: {from: classifier}}, {epochs: 1}]"
    config.write_text(f"{CONFIG}train: {{stages: {stages}}}\n")
    lines = command("show", "small.yaml").stdout.splitlines()
    marks = {line.split()[1]: line.split()[-1] for line in lines if line.strip()[:1].isdigit()}
    assert "trainable" in lines[0] + lines[1]
    assert (marks["conv_block_1_conv"], marks["classifier"]) == ("2", "all")
    assert lines[-2] == f"In stage 1 90 parameters are trained, {PARAMETERS - 90} are not."


@pytest.mark.parametrize(
    ("stages", "text"),
    [(None, ""), ((), "no"), ((1, 2, 3, 4, 5), "all"), ((2,), "2"), ((1, 2, 4, 5), "1-2, 4-5")],
)
def test_stages_as_text(stages: tuple[int, ...] | None, text: str) -> None:
    assert stages_text(stages, of=5) == text


@pytest.mark.usefixtures("config")
def test_the_drawing(command, tmp_path: Path) -> None:
    for name, begins in (("network.svg", b"<svg "), ("drawn/Network.PNG", b"\x89PNG")):
        ended = command("show", "small.yaml", "--draw", name)
        assert (ended.exit_code, ended.stdout, ended.stderr) == (0, f"{name}\n", "")
        assert (tmp_path / name).read_bytes().startswith(begins)
    assert f"{PARAMETERS:,} parameters" in (tmp_path / "network.svg").read_text()


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    "options",
    [
        ("--draw", "network.pdf"),
        ("--draw", "."),
        ("--draw", "network.svg", "--json"),
        ("--draw", "network.svg", "--as", "keras"),
    ],
)
def test_what_no_drawing_can_be(
    options: tuple[str, ...], command, snapshot: SnapshotAssertion
) -> None:
    ended = command("show", "small.yaml", *options)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot
