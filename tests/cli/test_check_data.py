"""`cnnrun check-data` prints what was found, and tells a script whether it matters."""

import json
import shutil
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

CONFIG = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale}
model: {layers: [Flatten, classifier]}
"""


@pytest.fixture
def images(tmp_path: Path, make_images) -> Path:
    """Two sound classes, and a config for them."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    return make_images("images", {"cat": 40, "dog": 50})


@pytest.mark.usefixtures("images")
def test_sound_images(command, snapshot: SnapshotAssertion) -> None:
    ended = command("check-data", "config.yaml")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot


@pytest.mark.usefixtures("images")
def test_images_that_are_left_out_of_the_training_are_said(
    command, snapshot: SnapshotAssertion
) -> None:
    ended = command("check-data", "config.yaml", "--set", "data.train_images_per_class=5")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot


def test_findings(images: Path, command, snapshot: SnapshotAssertion) -> None:
    for number in range(7):
        (images / "cat" / f"broken-{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    shutil.copy(images / "cat" / "0000.png", images / "dog" / "copy.png")
    ended = command("check-data", "config.yaml")
    assert (ended.exit_code, ended.stderr) == (2, "")
    assert ended.stdout == snapshot
    document = json.loads(command("check-data", "config.yaml", "--json").stdout)
    assert (document["images"], document["unreadable"]) == (98, 7)
    assert {finding["severity"] for finding in document["findings"]} >= {"error"}


def test_a_class_too_small_to_be_cut(images: Path, command, snapshot: SnapshotAssertion) -> None:
    (images / "emu").mkdir()
    shutil.move(images / "cat" / "0000.png", images / "emu" / "0000.png")
    ended = command("check-data", "config.yaml")
    assert ended.exit_code == 2
    assert (ended.stdout, ended.stderr) == snapshot


def test_other_images_are_compared_by_a_network(command, snapshot: SnapshotAssertion) -> None:
    ended = command("check-data", "photos.yaml", "--against", "others")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def test_shares_see_together_what_one_process_sees(images: Path, command) -> None:
    """Oracle: the same command by one process, its output and all files that it writes."""
    (images / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for number in range(3):  # copies that lie in other shares than their originals
        shutil.copy(images / "cat" / f"000{number}.png", images / "dog" / f"copy{number}.png")
    whole = command("check-data", "config.yaml", "--out", "whole")
    for share in ("1/3", "2/3", "3/3"):
        ended = command("check-data", "config.yaml", "--out", "merged", "--shard", share)
        assert (ended.exit_code, ended.stderr) == (0, "")
    merged = command("check-data", "config.yaml", "--out", "merged", "--merge")
    assert merged.exit_code == whole.exit_code == 2
    assert merged.stdout == whole.stdout.replace("whole/", "merged/")
    files = {path.name: path.read_bytes() for path in Path("whole").iterdir()}
    assert files == {path.name: path.read_bytes() for path in Path("merged").iterdir()}


def test_shares_that_cannot_be_merged(images: Path, command, snapshot: SnapshotAssertion) -> None:
    def refusal(*options: str) -> str:
        ended = command("check-data", "config.yaml", *options)
        assert (ended.exit_code, ended.stdout) == (2, "")
        return ended.stderr

    assert refusal("--shard", "1/2") == snapshot(name="no folder")
    assert refusal("--merge", "--out", "out") == snapshot(name="no shares")
    seen = command("check-data", "config.yaml", "--out", "out", "--shard", "1/2")
    assert seen.stdout == snapshot(name="what a share says")
    assert refusal("--merge", "--out", "out") == snapshot(name="one is absent")
    command("check-data", "config.yaml", "--out", "out", "--shard", "2/2")
    size = ("--set", "data.image_size=[4, 4]")
    assert refusal("--merge", "--out", "out", *size) == snapshot(name="another size")
    (images / "dog" / "new.png").write_bytes((images / "dog" / "0001.png").read_bytes())
    assert refusal("--merge", "--out", "out") == snapshot(name="a new image")
    (Path("out") / "shards" / "1-of-2.npz").write_bytes(b"PK")
    assert refusal("--merge", "--out", "out") == snapshot(name="damaged")
