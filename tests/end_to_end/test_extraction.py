"""An extraction that is killed and resumed, and one on a disk that fills up."""

import csv
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

IMAGES = 120
# The mean of an image's pixels tells which one it is; its size makes the work last.
CONFIG = """\
data: {directory: images, image_size: [2048, 2048], color_mode: grayscale}
model: {layers: [GlobalAveragePooling2D: {name: mean}, classifier]}
"""
ARGUMENTS = (
    "extract-features",
    "config.yaml",
    "--out",
    "experiments/features",
    "--batch-size",
    "1",
)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A config and images of one brightness each."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    for number in range(IMAGES):
        path = tmp_path / "images" / ("dark" if number < IMAGES // 2 else "light")
        path.mkdir(parents=True, exist_ok=True)
        Image.new("L", (300, 200), number).save(path / f"{number:03}.png")
    return tmp_path


def manifest(features: Path) -> list[dict[str, str]]:
    with (features / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def check(features: Path) -> None:
    """Each row of the array is the brightness of the row's file."""
    array = np.load(features / "mean.npy", mmap_mode="r")
    for row in manifest(features):
        brightness = int(Path(row["file"]).stem)
        assert array[int(row["row"]), 0] == pytest.approx(brightness / 255, abs=1e-4)
        assert row["label"] == ("dark" if brightness < IMAGES // 2 else "light")


def test_a_killed_extraction_goes_on_where_it_stopped(images: Path, start, cnnrun) -> None:
    features = images / "experiments" / "features"
    process = start(*ARGUMENTS)
    deadline = time.monotonic() + 100
    while not (features / "manifest.csv").exists() or not manifest(features):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(manifest(features))
    assert 0 < kept < IMAGES
    check(features)
    ended = cnnrun(*ARGUMENTS, "--resume", "--json")
    assert ended.document["computed"] == IMAGES - kept
    assert len(np.load(features / "mean.npy")) == len(manifest(features)) == IMAGES
    check(features)


@pytest.mark.slow
@pytest.mark.usefixtures("images")
def test_a_full_disk(cnnrun_on_its_own_disk, snapshot) -> None:
    ended = cnnrun_on_its_own_disk("size=12k", *ARGUMENTS)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert re.sub(r"the \d+ images", "the N images", ended.stderr) == snapshot
