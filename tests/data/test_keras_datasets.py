"""Keras's own data sets. Oracle: files in Keras's format, in a KERAS_HOME of the test's own.

Keras reads KERAS_HOME as it is imported, so one process asks for everything and tests look at its
answers: first without any files and out of reach of the network, then with small ones in place.
"""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnrun.data.keras_classes import CLASSES

SCRIPT = """
import json
from pathlib import Path
from cnnrun.config.data_section import DataSpec
from cnnrun.data.keras_classes import CLASSES
from cnnrun.data.sources import read_manifest
from cnnrun.errors import DataError

def answer(name, classes=None):
    try:
        manifest = read_manifest(DataSpec(keras_dataset=name, classes=classes))
    except DataError as error:
        return str(error)
    return [manifest.classes, manifest.labels.tolist(), manifest.splits, manifest.paths[-1],
            manifest.pixels.shape]

answers = {f"{name} absent": answer(name) for name in CLASSES}
Path("prepared").rename("keras_home/datasets/fashion-mnist")
answers["there"] = answer("fashion_mnist")
answers["another number of classes"] = answer("fashion_mnist", 12)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("keras")
    (folder / "keras_home").mkdir()
    write_fashion_mnist(folder / "prepared")
    # Port 9 of this machine discards; nothing listens there, so a download fails at once.
    offline = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            **offline,
            "no_proxy": "",
            "KERAS_HOME": "keras_home",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
    )
    # What Keras says of its downloads has gone to stderr, or this would be no JSON.
    answers: dict[str, Any] = json.loads(result.stdout)
    return answers


def write_fashion_mnist(folder: Path) -> None:
    """Twenty training and ten test images as idx files, the format of MNIST's authors."""
    folder.mkdir()
    for name, count in (("train", 20), ("t10k", 10)):
        images = np.arange(count * 28 * 28).astype(np.uint8).tobytes()
        labels = (np.arange(count) % 10).astype(np.uint8).tobytes()
        for kind, header, content in (("images-idx3", 16, images), ("labels-idx1", 8, labels)):
            with gzip.open(folder / f"{name}-{kind}-ubyte.gz", "wb") as file:
                file.write(bytes(header) + content)


def test_a_data_set_that_keras_has(answers: dict[str, Any]) -> None:
    classes, labels, splits, last, shape = answers["there"]

    assert classes == list(CLASSES["fashion_mnist"])
    assert labels == [*range(10), *range(10), *range(10)]
    assert splits == ["train"] * 20 + ["test"] * 10
    assert last == "x_test[9]"
    assert shape == [30, 28, 28, 1]


def test_another_number_of_classes(answers: dict[str, Any], snapshot: object) -> None:
    assert answers["another number of classes"] == snapshot


@pytest.mark.parametrize("name", CLASSES)
def test_neither_there_nor_to_be_downloaded(
    answers: dict[str, Any], name: str, snapshot: object
) -> None:
    # The reason is the system's own words.
    message = re.sub(
        r"received .*?; connect", "received REASON; connect", answers[f"{name} absent"]
    )

    assert message == snapshot


@pytest.mark.parametrize("name", CLASSES)
def test_numbers_of_classes(name: str) -> None:
    assert len(set(CLASSES[name])) == (100 if name == "cifar100" else 10)
    if name.startswith("cifar"):
        assert list(CLASSES[name]) == sorted(CLASSES[name]), "CIFAR's labels are sorted names"
