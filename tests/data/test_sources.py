"""Each source of a config's `data` section. Oracle: the files that each test writes."""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import ArraysSource, CsvSource
from cnnrun.data.sources import read_manifest
from cnnrun.errors import DataError

from .tfrecords import write_records


@pytest.fixture
def pets(touch: Callable[[list[str]], None]) -> Path:
    touch([f"pets/{name}/{number}.png" for name in ("cat", "dog") for number in range(3)])
    return Path("pets")


def test_a_folder(pets: Path) -> None:
    manifest = read_manifest(DataSpec(directory=pets, classes=("dog", "cat")))

    assert len(manifest) == 6
    assert manifest.classes == ("dog", "cat")


def test_a_table(pets: Path) -> None:
    Path("table.csv").write_text(
        "file,kind,part,owner\n"
        "pets/cat/0.png,c,train,1\npets/cat/1.png,c,test,2\n"
        "pets/dog/0.png,d,train,3\npets/dog/1.png,d,valid,4\n"
    )

    manifest = read_manifest(
        DataSpec(
            csv=CsvSource(
                file=Path("table.csv"), path="file", label="kind", split="part", group="owner"
            )
        )
    )

    assert manifest.classes == ("c", "d")
    assert manifest.splits == ("train", "test", "train", "validation")
    assert manifest.groups == ("1", "2", "3", "4")


def test_arrays(here: Path) -> None:
    np.savez("digits.npz", images=np.zeros((4, 2, 2)), labels=[0, 1, 0, 1])

    manifest = read_manifest(
        DataSpec(arrays=ArraysSource(file=Path("digits.npz"), value_range=(0, 16)))
    )

    assert manifest.value_range == (0, 16)
    assert len(manifest) == 4


def test_messages_name_the_file_of_arrays(here: Path, snapshot: object) -> None:
    np.savez("digits.npz", images=np.zeros((4, 2, 2)), labels=[0, 1, 0, 1])

    with pytest.raises(DataError) as error:
        read_manifest(DataSpec(arrays=ArraysSource(file=Path("digits.npz"))))

    assert str(error.value) == snapshot


def test_files_are_read_without_tensorflow(pets: Path) -> None:
    with tarfile.open("pets.tar", "w") as archive:
        archive.add(pets, arcname=".")
    image, labels = {"image": b"GIF8"}, (1, 2)
    write_records("pets.tfrecord", [{**image, "label": label} for label in labels])
    script = """
import sys
import tarfile
from pathlib import Path
import cnnrun.data.check, cnnrun.data.fingerprint, cnnrun.data.images, cnnrun.data.splits
from cnnrun.config.data_section import DataSpec
from cnnrun.data.sources import read_manifest
from cnnrun.data.places import source_at
read_manifest(DataSpec(directory=Path("pets")))
read_manifest(source_at(Path("pets.tar")))
read_manifest(source_at(Path("pets.tfrecord")))
print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert result.stdout == "[]\n"
