"""`cnnrun find-rate` draws the range test, says what to write, and what stands in its way."""

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image
from syrupy.assertion import SnapshotAssertion

SGD = {"SGD": {"learning_rate": {"one_cycle": {"maximum_learning_rate": 0.5}}}}


@pytest.fixture
def project(tmp_path: Path, image_folder: Path) -> Path:
    config = {
        "data": {"directory": str(image_folder), "image_size": [6, 6], "color_mode": "grayscale"},
        "model": {"layers": ["Flatten", "classifier"]},
        "train": {"batch_size": 8, "optimizer": SGD},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_it_says_what_to_write_and_that_seeds_decide(project: Path, command) -> None:
    ended = command("find-rate", "tiny.yaml", "--steps", "40", "--from", "1e-3")
    assert (ended.exit_code, ended.stderr) == (0, "")
    words = " ".join(ended.stdout.split())
    address = "train.optimizer.SGD.learning_rate.one_cycle.maximum_learning_rate"
    assert f"write `{address}: " in words
    assert "the config has 0.5." in words
    assert (
        f"a few seeds of whole trainings decide, with `cnnrun tune tiny.yaml --over {address}="
        in words
    )
    assert ended.stdout.endswith("find_rate.png\n")
    with Image.open(project / "find_rate.png") as picture:
        assert picture.size[0] > 1000


def test_every_step_as_json(project: Path, command) -> None:
    ended = command(
        "find-rate", "tiny.yaml", "--steps", "40", "--from", "1e-3", "--json",
        "--set", "train.optimizer={SGD: {learning_rate: {PiecewiseConstantDecay: "
        "{boundaries: [1 epoch], values: [1, 0.1]}}}}",
        "--out", "it.png",
    )  # fmt: skip
    found = json.loads(ended.stdout)
    assert len(found["rates"]) == len(found["losses"]) == len(found["smoothed"])
    assert (found["present"], found["picture"]) == (1.0, "it.png")


@pytest.mark.parametrize(
    "options",
    [
        ("--out", "rates.pdf"),
        ("--from", "1", "--to", "0.1"),
        ("--from", "0"),
        ("--steps", "3"),
        ("--from", "1e-9", "--to", "1e-8", "--steps", "20"),
    ],
    ids=" ".join,
)
def test_what_stands_in_its_way(
    options: tuple[str, ...], project: Path, command, snapshot: SnapshotAssertion
) -> None:
    ended = command("find-rate", "tiny.yaml", *options)
    assert (ended.exit_code, ended.stderr) == snapshot
