"""Arrays and manifest stay in step, whatever stops the writing."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnrun.errors import StorageError
from cnnrun.features.array_file import ArrayFile
from cnnrun.features.folder import FeatureFolder, read_manifest_rows
from cnnrun.features.writer import FeatureWriter, open_writer

SHAPES = {"deep": (3,), "wide": (2, 2, 2)}


def content(name: str, version: int = 0) -> str:
    return f"{name:0>30}{version:02}"


def features(names: list[str]) -> list[np.ndarray]:
    """Features that tell whose they are."""
    values = np.array([float(int(name)) for name in names])
    return [values.reshape(-1, *[1] * len(shape)) + np.zeros(shape) for shape in SHAPES.values()]


@contextmanager
def opened(
    path: Path, names: list[str], *, label: str = "a", changed: tuple[str, ...] = ()
) -> Iterator[FeatureWriter]:
    path.mkdir(parents=True, exist_ok=True)
    current = {name: (label, content(name, int(name in changed))) for name in names}
    with open_writer(FeatureFolder(path), SHAPES, current=current) as writer:
        yield writer


def add(writer: FeatureWriter, names: list[str], *, version: int = 0) -> None:
    writer.add([(name, "a", content(name, version)) for name in names], features(names))


def check(path: Path, names: list[str]) -> None:
    """The manifest lists these images, and each array has just their rows."""
    rows = read_manifest_rows(FeatureFolder(path))
    assert sorted(row.file for row in rows) == sorted(names)
    for layer, shape in SHAPES.items():
        array = np.load(path / f"{layer}.npy", mmap_mode="r")
        assert array.shape == (len(rows), *shape)
        for row in rows:
            assert np.all(array[row.row] == int(row.file))


def test_rows_are_those_of_the_manifest(tmp_path: Path) -> None:
    with opened(tmp_path, []) as writer:
        add(writer, ["3", "1"])
        add(writer, ["2"])
        writer.finish()
    check(tmp_path, ["3", "1", "2"])
    assert [row.file for row in read_manifest_rows(FeatureFolder(tmp_path))] == ["3", "1", "2"]


def test_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    with opened(tmp_path, []) as writer:
        add(writer, ["1", "2"])
        writer.commit()
        add(writer, ["3"])
    check(tmp_path, ["1", "2"])


def test_a_kill_at_any_byte(tmp_path: Path) -> None:
    with opened(tmp_path, []) as writer:
        add(writer, ["1", "2"])
        writer.finish()
    # What a process leaves that is killed in the middle of a batch: rows, a header, half a line.
    for layer in SHAPES:
        with (tmp_path / f"{layer}.npy").open("ab") as file:
            file.write(b"\1" * 17)
    with (tmp_path / "manifest.csv").open("a") as file:
        file.write("2,3,a,00000")
    with opened(tmp_path, ["1", "2", "3"]) as writer:
        add(writer, ["3"])
        writer.finish()
    check(tmp_path, ["1", "2", "3"])


def test_an_array_that_lost_rows_loses_its_images(tmp_path: Path) -> None:
    with opened(tmp_path, []) as writer:
        add(writer, ["1", "2", "3"])
        writer.finish()
    os.truncate(tmp_path / "wide.npy", (tmp_path / "wide.npy").stat().st_size - 1)
    with opened(tmp_path, ["1", "2", "3"]) as writer:
        assert [row.file for row in writer.rows] == ["1", "2"]


def test_labels_follow_their_images(tmp_path: Path) -> None:
    with opened(tmp_path, []) as writer:
        add(writer, ["1"])
        writer.finish()
    with opened(tmp_path, ["1"], label="b") as writer:
        writer.finish()
    assert [row.label for row in read_manifest_rows(FeatureFolder(tmp_path))] == ["b"]


@settings(max_examples=15)
@given(
    before=st.sets(st.integers(0, 30).map(str), min_size=1),
    after=st.sets(st.integers(0, 30).map(str)),
    data=st.data(),
)
def test_images_come_change_and_go(
    before: set[str], after: set[str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("features")
    changed = tuple(data.draw(st.sets(st.sampled_from(sorted(before)))))
    with opened(path, []) as writer:
        add(writer, sorted(before))
        writer.finish()
    with opened(path, sorted(after), changed=changed) as writer:
        kept = {row.file for row in writer.rows}
        assert kept == (before & after) - set(changed)
        add(writer, sorted(after - kept), version=1)
        writer.finish()
    check(path, sorted(after))


def test_a_full_disk_keeps_what_was_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot
) -> None:
    path = tmp_path / "features"

    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(path, []) as writer:
        add(writer, ["1", "2"])
        writer.commit()
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            with pytest.raises(StorageError) as refused:
                add(writer, ["3"])
    assert str(refused.value).replace(str(tmp_path), "<here>") == snapshot
    check(path, ["1", "2"])


def test_an_array_opens_with_numpy_whatever_its_length(tmp_path: Path) -> None:
    with ArrayFile(tmp_path / "a.npy", (2,)) as array:
        for rows in (0, 1, 9, 10, 1000):
            array.set_rows(rows)
            assert np.load(tmp_path / "a.npy", mmap_mode="r").shape == (rows, 2)
