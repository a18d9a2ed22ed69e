"""`cnnrun check-data --deep` from end to end. Oracle: images that were put into a wrong class."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

CONFIG = """\
seed: 3
data: {directory: shapes, image_size: [8, 8], color_mode: grayscale}
model:
  layers:
    - conv_block: {filters: 8, kernel_size: 3}
    - Flatten
    - classifier
train: {epochs: 12, batch_size: 16, optimizer: {Adam: {learning_rate: 0.02}}}
"""
SHAPES = ("across", "down", "square")
IN_A_CLASS = 90
WRONG = 4  # of each class


def write_shapes(folder: Path, number: int, *, seed: int, brighter: int = 0) -> None:
    """Bars across, bars down and squares, somewhere in the picture, with noise."""
    random = np.random.default_rng(seed)
    for shape in SHAPES:
        (folder / shape).mkdir(parents=True)
        for index in range(number):
            pixels = random.normal(70 + brighter, 15, (8, 8))
            row, column = random.integers(0, 5, 2)
            height, width = {"across": (1, 8), "down": (8, 1), "square": (3, 3)}[shape]
            top, left = (0 if height == 8 else row), (0 if width == 8 else column)
            pixels[top : top + height, left : left + width] += 110
            file = folder / shape / f"{shape}{seed}-{index}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """Three classes, of each of which some images are in the next; and a config for them."""
    folder = tmp_path / "shapes"
    write_shapes(folder, IN_A_CLASS, seed=0)
    for shape, other in zip(SHAPES, SHAPES[1:] + SHAPES[:1], strict=True):
        for index in range(WRONG):
            name = f"{shape}0-{index}.png"
            shutil.move(folder / shape / name, folder / other / f"wrong-{name}")
    (tmp_path / "config.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no weights and reaches no server."""
    import keras

    from cnnrun.models import weights_files

    def fail(fname: str, origin: str, **_: object) -> str:
        raise OSError(f"URL fetch failure on {origin}: None -- [Errno -2] Name not known")

    monkeypatch.setattr(weights_files, "keras_home", lambda: str(tmp_path / "nothing"))
    monkeypatch.setattr(keras.utils, "get_file", fail)


def most_suspicious(stdout: str) -> list[str]:
    findings = {each["kind"]: each for each in json.loads(stdout)["findings"]}
    return [image.partition(":")[0] for image in findings["suspicious_labels"]["images"]]


@pytest.mark.usefixtures("without_weights", "shapes")
def test_without_weights_the_config_s_own_network_looks(
    command, snapshot: SnapshotAssertion, tmp_path: Path
) -> None:
    ended = command("check-data", "config.yaml", "--deep", "--json")

    said = [line for line in ended.stderr.splitlines() if line.startswith("note:")]
    assert said == snapshot
    first = most_suspicious(ended.stdout)[: 3 * WRONG]
    assert sum("wrong" in image for image in first) >= 2.5 * WRONG


@pytest.mark.usefixtures("without_weights")
def test_several_labels_are_doubted_one_by_one(
    command, shapes: Path, snapshot: SnapshotAssertion
) -> None:
    """Images whose shape is said not to be there, or to be one that is not."""
    files = sorted(path for path in shapes.rglob("*.png"))
    rows = [
        ",".join([str(path), *(str(int(path.parent.name == shape)) for shape in SHAPES)])
        for path in files
    ]
    (shapes.parent / "labels.csv").write_text("\n".join([f"path,{','.join(SHAPES)}", *rows]))
    source = "csv: {file: labels.csv, label: [across, down, square]}, task: multi_label"
    config = CONFIG.replace("directory: shapes", source)
    (shapes.parent / "config.yaml").write_text(config)

    ended = command("check-data", "config.yaml", "--deep", "--json")

    first = most_suspicious(ended.stdout)[: 3 * WRONG]
    assert sum("wrong" in image for image in first) >= 2.5 * WRONG
    findings = {each["kind"]: each for each in json.loads(ended.stdout)["findings"]}
    doubt = findings["suspicious_labels"]["images"][0].partition(": ")[2]
    assert re.sub(r"0\.\d+|across|down|square", "N", doubt) == snapshot


@pytest.mark.usefixtures("without_weights", "shapes")
def test_a_network_that_is_named_is_not_replaced(command) -> None:
    ended = command("check-data", "config.yaml", "--deep", "--network", "MobileNet")

    assert ended.exit_code == 1
    assert "error: the weights of MobileNet" in ended.stderr
    assert "note:" not in ended.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("shapes")
def test_a_run_looks_and_says_how_far_others_are_from_its_images(command, tmp_path: Path) -> None:
    assert command("train", "config.yaml", "--into", "run", "--quiet").exit_code == 0
    write_shapes(tmp_path / "alike", 40, seed=1)
    write_shapes(tmp_path / "brighter", 40, seed=2, brighter=60)
    looked = {}
    for name in ("alike", "brighter"):
        (tmp_path / f"{name}.yaml").write_text(CONFIG.replace("shapes", name))
        ended = command(
            "check-data", f"{name}.yaml", "--deep", "--network", "run", "--against", "run", "--json"
        )
        looked[name] = json.loads(ended.stdout)["against"]

    assert looked["alike"]["low"] < 0.5 < looked["alike"]["high"]
    assert looked["brighter"]["low"] > 0.9
    # The second are those that the run trained on: not all 270.
    assert looked["brighter"]["images"] == [120, 189]
