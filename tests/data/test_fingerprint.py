"""What tells states of the data apart. Oracle: the changes that each test makes."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnrun.config.data_sources import CsvSource
from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import manifest_from_arrays
from cnnrun.data.csv_file import manifest_from_csv
from cnnrun.data.fingerprint import data_fingerprint
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Layout, Manifest

NAMES = ["pets/cat/1.png", "pets/cat/2.png", "pets/dog/1.png"]


@pytest.fixture
def pets(write_images: Callable[[list[str]], None]) -> Path:
    write_images(NAMES)
    return Path("pets")


def of_folder(folder: Path) -> dict[str, object]:
    return data_fingerprint(
        manifest_from_directory(folder, classes=None, partial=False), notes_folder=None
    )


def test_the_same_data_have_the_same_fingerprint(pets: Path) -> None:
    first = of_folder(pets)
    os.utime(pets / "cat/1.png", (0, 0))
    pets.rename("animals")

    assert of_folder(Path("animals")) == first
    assert first["images"] == 3
    assert len(str(first["blake3"])) == 32


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / "cat/1.png").read_bytes())
    content[-20] ^= 1
    (folder / "cat/1.png").write_bytes(content)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte": flip_a_byte,
    "a name": lambda folder: (folder / "cat/1.png").rename(folder / "cat/3.png"),
    "a label": lambda folder: (folder / "cat/2.png").rename(folder / "dog/2.png"),
    "an image less": lambda folder: (folder / "cat/2.png").unlink(),
    "an empty file": lambda folder: (folder / "dog/1.png").write_bytes(b""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_show(pets: Path, change: str) -> None:
    before = of_folder(pets)

    CHANGES[change](pets)

    assert of_folder(pets)["blake3"] != before["blake3"]


def test_files_that_cannot_be_read_are_part_of_it(pets: Path) -> None:
    (pets / "cat/3.png").symlink_to("nowhere")

    assert of_folder(pets)["images"] == 4


def of_csv(lines: list[str]) -> dict[str, object]:
    Path("labels.csv").write_text("\n".join(["path,label", *lines]))
    manifest = manifest_from_csv(
        CsvSource(file=Path("labels.csv")),
        directory=None,
        layout=Layout(()),
        classes=None,
        partial=False,
    )
    return data_fingerprint(manifest, notes_folder=None)


@pytest.mark.usefixtures("pets")
def test_the_lines_of_a_table() -> None:
    lines = ["pets/cat/1.png,a", "pets/cat/2.png,b", "pets/dog/1.png,b"]

    assert of_csv(lines) == of_csv(lines[::-1])
    assert of_csv(lines) != of_csv(["pets/cat/1.png,b", "pets/cat/2.png,a", "pets/dog/1.png,b"])


def of_array(images: np.ndarray, labels: list[int]) -> Manifest:
    return manifest_from_arrays(
        {"x": images, "y": np.array(labels)},
        place="a.npz",
        value_range=None,
        classes=None,
        names=ArrayNames(),
        partial=False,
    )


def test_arrays() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 1), dtype=np.uint8)
    changed = images.copy()
    changed[2, 0, 0, 0] ^= 1

    def fingerprint(images: np.ndarray, labels: list[int]) -> dict[str, object]:
        return data_fingerprint(of_array(images, labels), notes_folder=None)

    first = fingerprint(images, [0, 1, 1])
    assert fingerprint(images.copy(), [0, 1, 1]) == first
    assert fingerprint(changed, [0, 1, 1]) != first
    assert fingerprint(images, [0, 0, 1]) != first
