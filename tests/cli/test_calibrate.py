"""`cnnrun calibrate` says what it fitted, how good that is, and what is promised."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.runs.events import silent
from cnnrun.training.train import train

CONFIG = """\
data: {directory: images, image_size: [4, 4], color_mode: grayscale, split: {validation: 0.4}}
model: {layers: [GlobalAveragePooling2D, classifier]}
train: {epochs: 12, optimizer: {Adam: {learning_rate: 0.05}}}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `run/`, trained on 300 `images/` of two classes that overlap."""
    folder = tmp_path_factory.mktemp("trained")
    random = np.random.default_rng(0)
    for label, brightness in (("dark", 90), ("light", 150)):
        (folder / "images" / label).mkdir(parents=True)
        for number in range(150):
            pixels = np.full((4, 4), np.clip(random.normal(brightness, 25), 0, 255), np.uint8)
            pixels[0, 0] = number
            Image.fromarray(pixels).save(folder / "images" / label / f"{number:04}.png")
    (folder / "config.yaml").write_text(CONFIG)
    config = load_config(folder / "config.yaml")
    train(config, experiments=folder, into=folder / "run", listener=silent)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """The trained folder copied to `tmp_path`; its run."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def test_the_document_is_what_is_kept(run: Path, command) -> None:
    ended = command("calibrate", "run", "--accuracy", "0.8", "--sets", "0.9", "--json")
    assert ended.exit_code == 0
    kept = json.loads((run / "calibration.json").read_text())
    assert json.loads(ended.stdout) == {"run": "run", **kept}
    assert kept["method"] == "temperature"
    assert kept["fitted_on"] == {"split": "validation", "images": 120}


def test_the_table_fits_a_terminal_and_has_the_numbers_that_are_kept(run: Path, command) -> None:
    ended = command("calibrate", "run", "--accuracy", "0.8", "--sets", "0.9")
    assert ended.exit_code == 0
    kept = json.loads((run / "calibration.json").read_text())
    assert f"temperature {kept['temperature']:.3f}" in ended.stdout
    for state in ("before", "after"):
        assert f"{kept['test'][state]['negative_log_likelihood']:.4f}" in ended.stdout
        assert f"{kept['test'][state]['ece']['value']:.4f}" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert "at least 80.0% of such answers are right" in " ".join(ended.stdout.split())
    assert ended.stderr.startswith("note: the validation images also chose when to stop")
    assert command("calibrate", "run", "--quiet").stderr == ""


@pytest.mark.usefixtures("run")
def test_predictions_say_what_is_answered(command) -> None:
    command("calibrate", "run", "--accuracy", "0.8", "--sets", "0.95")
    files = [f"images/{label}/{number:04}.png" for label in ("dark", "light") for number in (7, 8)]
    printed = command("predict", "run", *files, "--calibrated")
    assert printed.exit_code == 0
    assert printed.stdout.splitlines()[0].split() == [
        "image", "class", "probability", "answered", "in", "its", "set",
    ]  # fmt: skip
    document = json.loads(command("predict", "run", *files, "--calibrated", "--json").stdout)
    for each in document["predictions"]:
        assert isinstance(each["answered"], bool)
        assert each["classes"][0]["class"] in each["set"]
    plain = json.loads(command("predict", "run", *files, "--json").stdout)
    assert "answered" not in plain["predictions"][0]


def test_evaluations_are_of_the_calibrated_probabilities(run: Path, command) -> None:
    command("calibrate", "run")
    kept = json.loads((run / "calibration.json").read_text())["test"]
    for option, state in ([], "before"), (["--calibrated"], "after"):
        document = json.loads(command("evaluate", "run", *option, "--json").stdout)
        expected = kept[state]["negative_log_likelihood"]
        assert document["test"]["loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "run", "--calibrated"),
        ("predict", "run", "images", "--calibrated"),
        ("predict", "MobileNet", "images", "--calibrated"),
        ("calibrate", "run", "--accuracy", "98"),
        ("calibrate", "run", "--sets", "1"),
        ("calibrate", "run", "--accuracy", "nan"),
        ("calibrate", "run", "--accuracy", "0.99"),
        ("calibrate", "images"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant(
    arguments: tuple[str, ...], command, snapshot: SnapshotAssertion
) -> None:
    ended = command(*arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def test_a_promise_that_no_threshold_keeps_ends_with_1(
    run: Path, command, snapshot: SnapshotAssertion
) -> None:
    """The classes overlap so far that not even the surest half is that accurate."""
    ended = command("calibrate", "run", "--accuracy", "0.97", "--quiet")
    assert ended.exit_code == 1
    assert ended.stderr == snapshot
    assert json.loads((run / "calibration.json").read_text())["abstention"] is None
