"""Parquet tables of images. Oracle: the table that pyarrow writes, and the same one as CSV."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import CsvSource, ParquetSource
from cnnrun.data.given_images import given_images
from cnnrun.data.manifest import Manifest
from cnnrun.data.places import source_at
from cnnrun.data.sources import read_manifest
from cnnrun.errors import DataError

NAMES = [f"pets/{kind}/{number}.png" for kind in ("cat", "dog") for number in range(3)]


@pytest.fixture
def pets(write_images: Callable[[list[str]], None]) -> Path:
    write_images(NAMES)
    return Path("pets")


def write(file: str = "pets.parquet", /, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), file)
    return Path(file)


def read(**parquet: object) -> Manifest:
    return read_manifest(DataSpec(parquet=ParquetSource(**parquet)))  # type: ignore[arg-type]


def test_a_table_says_what_it_says_as_csv(pets: Path) -> None:
    columns = {
        "file": NAMES,
        "kind": [name.split("/")[1] for name in NAMES],
        "part": ["train", "train", "val", "train", "test", "train"],
        "owner": [1, 1, 2, 3, 3, 4],
        "sure": [1.0, 0.5, 0.0, 1, 1, 2],
    }
    keys = {"path": "file", "label": "kind", "split": "part", "group": "owner", "weight": "sure"}
    lines = zip(*columns.values(), strict=True)
    text = "\n".join([",".join(columns), *(",".join(map(str, line)) for line in lines)])
    Path("pets.csv").write_text(text)
    table = read_manifest(DataSpec(csv=CsvSource(file=Path("pets.csv"), **keys)))
    manifest = read(file=write(**columns), **keys)
    assert (manifest.paths, manifest.classes) == (table.paths, table.classes)
    assert (manifest.splits, manifest.groups) == (table.splits, table.groups)
    np.testing.assert_array_equal(manifest.ids, table.ids)
    np.testing.assert_array_equal(manifest.labels, table.labels)
    np.testing.assert_array_equal(manifest.weights, table.weights)
    assert [manifest.file(row).exists() for row in range(6)] == [True] * 6  # type: ignore[union-attr]


def test_files_by_split_and_numbers_for_classes(pets: Path) -> None:
    write("train-0.parquet", path=NAMES[:2], label=[10, 9])
    write("train-1.parquet", path=NAMES[2:4], label=pa.array([9, 10]).dictionary_encode())
    write("test.parquet", path=NAMES[4:], label=[10, None])
    manifest = read(file={"train": Path("train-*.parquet"), "test": Path("test.parquet")})
    assert manifest.classes == ("9", "10")
    assert manifest.splits == ("train",) * 4 + ("test",)
    assert source_at(Path("test.parquet")).parquet == ParquetSource(file=Path("test.parquet"))


def test_images_for_prediction_need_no_label(pets: Path) -> None:
    given = given_images([write(path=NAMES)], value_range=None)
    assert list(given.names) == [Path(name) for name in NAMES]


def make_refused(kind: str) -> ParquetSource:
    labels = [0, 1, 0, 1, 0, 1]
    source = ParquetSource(file=write(path=NAMES, label=labels))
    if kind == "no such column":
        write(paths=NAMES, label=labels)
    elif kind == "bytes":
        write(image=[b"1"] * 6, label=labels)
    elif kind == "bytes with a path":
        write(image=[{"bytes": b"1", "path": "a"}] * 6, label=labels)
        source = ParquetSource(file=source.file, path="image")
    elif kind == "a label with decimals":
        write(path=NAMES, label=[0.5] * 6)
    elif kind == "named twice":
        write(path=[NAMES[0], *NAMES[:5]], label=labels)
    elif kind == "no path":
        write(path=[*NAMES[:5], None], label=labels)
    elif kind == "a weight below 0":
        write(path=NAMES, label=labels, sure=[1, 1, 1, -2, 1, 1])
        source = ParquetSource(file=source.file, weight="sure")
    elif kind == "no rows":
        write(path=pa.array([], pa.string()), label=pa.array([], pa.string()))
    elif kind == "no table":
        source.file.write_bytes(b"a text")  # type: ignore[union-attr]
    return source


@pytest.mark.parametrize(
    "kind",
    [
        "no such column",
        "bytes",
        "bytes with a path",
        "a label with decimals",
        "named twice",
        "no path",
        "a weight below 0",
        "no rows",
        "no table",
    ],
)
def test_refusals(pets: Path, kind: str, snapshot: SnapshotAssertion) -> None:
    source = make_refused(kind)
    with pytest.raises(DataError) as refusal:
        read_manifest(DataSpec(parquet=source))
    assert str(refusal.value) == snapshot


def test_a_missing_pyarrow_is_named(
    pets: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    file = write(path=NAMES, label=NAMES)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DataError) as refusal:
        read(file=file)
    assert str(refusal.value) == snapshot


def test_tables_with_random_bytes_changed_are_read_or_refused(pets: Path, attack) -> None:
    file = write(path=NAMES, label=[0, 1, 0, 1, 0, 1])
    whole = file.read_bytes()
    for _ in attack.rounds(200):
        content = bytearray(whole)
        for _ in range(attack.random.choice([1, 3, 30])):
            content[attack.random.randrange(len(content))] = attack.random.randrange(256)
        file.write_bytes(content)
        try:
            read(file=file)
        except DataError:
            continue
