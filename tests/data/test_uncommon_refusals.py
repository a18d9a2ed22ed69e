"""Refusals of tables, arrays and folders that are rarely met, each by the shortest way to it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.data.sources import read_manifest
from cnnrun.errors import DataError

PATHS = [f"photos/{name}/{number}.png" for name in ("cat", "dog") for number in range(2)]
TABLES = {
    "labels.csv": "path,label\n" + "".join(f"{path},{path[7:10]}\n" for path in PATHS),
    "words.csv": "path,label,part\n" + "".join(f"{path},{path[7:10]},learn\n" for path in PATHS),
    "hot.csv": "path,cat,dog\n" + "".join(f"{path},0.5,0.5\n" for path in PATHS),
    "ages.csv": "path,age\nphotos/cat/0.png,3\n",
    "ids.csv": "id,label\n1,cat\n",
    "outside.csv": "path,label\n../others/1.png,cat\n",
    "pixels.csv": "label,pixels\n,0 1 2 3\n,4 5 6 7\n",
}


@pytest.fixture
def files(here: Path, write_images: Callable[[Iterable[str]], None]) -> Path:
    """Photographs, tables and arrays, some of which do not belong together."""
    write_images([*PATHS, "others/1.png", "odd/a_b_c/1.png", "odd/a_d/1.png"])
    for name, text in TABLES.items():
        (here / name).write_text(text)
    images = np.zeros((4, 3, 3, 1), np.uint8)
    np.savez(here / "scans.npz", x_train=images, y_train=[0, 1, 0, 1], x_test=images)
    parts = {f"{kind}_{part}": np.arange(4) % 2 for kind in "yg" for part in ("train", "test")}
    del parts["g_test"]
    np.savez(here / "grouped.npz", x_train=images, x_test=images, **parts)
    return here


@pytest.mark.parametrize(
    "data",
    [
        "arrays: {file: scans.npz, images: 'x_{split}', labels: y_train}",
        "arrays: {file: scans.npz, images: 'x_{split}', labels: 'y_{split}'}",
        "csv: {file: words.csv, split: part}, split: {train: training, test: testing}",
        "csv: labels.csv, directory: others",
        "csv: {file: hot.csv, label: [cat, dog]}",
        "csv: {file: [labels.csv, ages.csv]}",
        "csv: {file: [labels.csv, ages.csv], columns: [path, label]}",
        "csv: {file: pixels.csv, pixels: pixels}",
        "csv: {file: ids.csv, path: 'odd/{label}_{id}/*.png'}",
        "csv: outside.csv, directory: photos",
        "arrays: {file: grouped.npz, images: 'x_{split}', labels: 'y_{split}',"
        " groups: 'g_{split}'}",
        "directory: photos, layout: 'animals/{label}/*'",
        "directory: odd, layout: '{label}_{group}/*'",
    ],
)
@pytest.mark.usefixtures("files")
def test_it_is_said_where_what_must_be_what_was_received_and_what_to_do(
    data: str, here: Path, snapshot: SnapshotAssertion
) -> None:
    (here / "config.yaml").write_text(
        f"data: {{{data}, image_size: [3, 3]}}\nmodel: {{layers: [Flatten, classifier]}}\n"
    )
    config = load_config(here / "config.yaml")
    with pytest.raises(DataError) as refusal:
        read_manifest(config.data)
    assert str(refusal.value) == snapshot
