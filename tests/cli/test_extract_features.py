"""`cnnrun extract-features` on small networks and images, and what it refuses."""

import csv
import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from cnnrun.cli.extraction_output import summary
from cnnrun.features.extraction import Extraction
from cnnrun.features.folder import FeatureFolder, ManifestRow

CONFIG = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale}
model:
  layers:
    - Conv2D: {filters: 3, kernel_size: 3, name: conv}
    - GlobalAveragePooling2D: {name: pool}
    - classifier
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, make_images) -> Path:
    """A config with the images of two classes, one dark and one light."""
    make_images("images", {"dark": 6, "light": 5})
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def timeless(text: str) -> str:
    """What is printed, without what differs from run to run."""
    return re.sub(r"[\d,]+ images/s, [\d.]+ s", "N images/s, S s", text)


def test_the_images_and_the_layer_of_a_config(command, project: Path, snapshot) -> None:
    ended = command("extract-features", "config.yaml")
    assert ended.exit_code == 0
    assert (timeless(ended.stdout), ended.stderr) == snapshot
    with (project / "features" / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["dark"] * 6 + ["light"] * 5
    assert np.load(project / "features" / "pool.npy", mmap_mode="r").shape == (11, 3)


def test_several_layers_and_a_probe_as_json(command, project: Path) -> None:
    ended = command(
        *("extract-features", "config.yaml", "--layer", "conv", "--layer", "pool"),
        *("--pooling", "none", "--out", "out", "--format", "h5", "--probe", "--json"),
    )
    document = json.loads(ended.stdout)
    assert (document["images"], document["computed"], document["skipped"]) == (11, 11, [])
    assert [(layer["name"], layer["shape"]) for layer in document["layers"]] == [
        ("conv", [11, 6, 6, 3]),
        ("pool", [11, 3]),
    ]
    assert len(document["probe"]) == 4
    assert all(probe["accuracy"] > 0.9 and len(probe["folds"]) == 5 for probe in document["probe"])
    with h5py.File(project / document["exported"]) as file:
        assert np.array_equal(file["features/conv"], np.load(project / "out" / "conv.npy"))


def test_going_on(command, project: Path, snapshot) -> None:
    command("extract-features", "config.yaml", "--probe")
    (project / "images" / "dark" / "0000.png").rename(project / "images" / "dark" / "new.png")
    ended = command("extract-features", "config.yaml", "--resume")
    assert (timeless(ended.stdout), ended.stderr) == snapshot
    ended = command("extract-features", "config.yaml", "--resume", "--probe")
    assert (timeless(ended.stdout), ended.stderr) == snapshot


def test_a_bad_image(command, project: Path, snapshot) -> None:
    (project / "images" / "light" / "0002.png").write_bytes(b"nothing")
    ended = command("extract-features", "config.yaml")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot
    ended = command("extract-features", "config.yaml", "--resume", "--on-bad-image", "skip")
    assert ended.exit_code == 0
    assert ended.stderr == snapshot
    assert "0002" in (project / "features" / "features.json").read_text()


def test_the_layers_of_a_config(command, snapshot) -> None:
    assert command("extract-features", "config.yaml", "--list-layers").stdout == snapshot
    document = json.loads(
        command("extract-features", "config.yaml", "--list-layers", "--json").stdout
    )
    assert document["default"] == "pool"
    assert document["layers"][1] == {"name": "conv", "kind": "Conv2D", "shape": [6, 6, 3]}


def test_a_network_by_name(command, project: Path) -> None:
    ended = command(
        *("extract-features", "MobileNet", "--weights", "none", "--image-size", "32", "32"),
        *("--data", "images/dark", "--data", "images/light/0001.png"),
        *("--layer", "conv_pw_1_relu", "--precision", "bfloat16", "--json"),
    )
    assert ended.exit_code == 0
    document = json.loads(ended.stdout)
    assert document["layers"][0]["shape"] == [7, 64]
    assert document["bfloat16_relative_error"]["conv_pw_1_relu"] < 0.01
    assert "note: 7 of 7 images are grey" in ended.stderr
    assert "note: bfloat16 changes conv_pw_1_relu by up to" in ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "MobilNet --data images",
        "MobileNet --data images --layer conv_pw_13_rleu",
        "MobileNet",
        "MobileNet --data imags",
        "MobileNet --data images --image-size 16 16",
        "MobileNet --data images --layer predictions --image-size 100 100",
        "config.yaml --weights none",
        "config.yaml --image-size 32 32",
        "config.yaml --out images",
        "config.yaml --layer cnv",
        "config.yaml --data images/dark --probe",
        "experiments/absent",
        "absent.yaml",
    ],
)
def test_what_is_refused(arguments: str, command, project: Path, snapshot) -> None:
    ended = command("extract-features", *arguments.split())
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.replace(str(project), "<here>") == snapshot
    assert not (project / "features").exists()


def test_the_summary_of_part_of_the_images(snapshot) -> None:
    rows = tuple(ManifestRow(row, f"{row}.png", "", "0" * 32) for row in range(1200))
    extraction = Extraction(FeatureFolder(Path("out")), rows, {}, 1100, (), {}, 11.0)
    assert summary(extraction) == snapshot


@pytest.fixture
def pairs(project: Path) -> Path:
    """A config whose images have several labels, of which one is rare."""
    names = [f"images/dark/{path.name}" for path in sorted((project / "images/dark").iterdir())]
    names += [f"images/light/{path.name}" for path in sorted((project / "images/light").iterdir())]
    said = ["dark|seen"] * 3 + ["dark"] * 3 + ["light"] * 2 + ["light|seen"] * 2 + ["light|rare"]
    rows = "".join(f"{name},{labels}\n" for name, labels in zip(names, said, strict=True))
    (project / "labels.csv").write_text(f"path,label\n{rows}")
    source = "csv: labels.csv, task: multi_label"
    (project / "pairs.yaml").write_text(CONFIG.replace("directory: images", source))
    return project / "pairs.yaml"


@pytest.mark.usefixtures("pairs")
def test_a_probe_of_several_labels(command, monkeypatch, snapshot) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    ended = command("extract-features", "pairs.yaml", "--probe")
    assert ended.exit_code == 0, ended.stderr
    assert re.sub(r"[01]\.\d{3}", "N", timeless(ended.stdout)) == snapshot
    again = command("extract-features", "pairs.yaml", "--resume", "--probe", "--json")
    linear, _ = json.loads(again.stdout)["probe"]
    assert [label["label"] for label in linear["labels"]] == ["dark", "light", "seen"]
    assert (linear["left_out"], linear["labels"][0]["average_precision"]) == (["rare"], 1.0)
