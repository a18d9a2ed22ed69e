"""CSV files and arrays made to harm or damaged: refused by name, and soon."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_sources import CsvSource
from cnnrun.data.arrays import read_npz
from cnnrun.data.csv_file import manifest_from_csv
from cnnrun.data.manifest import Layout, Manifest
from cnnrun.errors import DataError
from cnnrun.runs.tables import csv_table


def from_csv(file: Path) -> Manifest:
    source = CsvSource(file=file, path="path", label="label", split=None, group=None)
    return manifest_from_csv(source, directory=None, layout=Layout(()), classes=None, partial=False)


@pytest.mark.parametrize("read", [from_csv, read_npz])
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero"])
def test_what_has_no_end_is_not_read(
    tmp_path: Path, read, kind: str, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "data"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(kind)
    with pytest.raises(DataError) as refusal:
        read(path)
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot


def header(shape: str, kind: str = "|u1") -> bytes:
    """An array's file that ends after its description."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def npz(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        header("(3, 2097152, 2097152)"),  # 12 TiB
        header("(9, 9)", "<f8"),
        header("(9, -9)"),
        header("'many'"),
        header("(9" * 500),
        header("(9,)", "no type"),
        b"\x93NUMPY\x09\x09",
        b"",
    ],
    ids=["12 TiB", "cut off", "negative", "text", "nested", "no type", "version 9", "empty"],
)
def test_arrays_that_claim_what_is_not_there_are_named(
    tmp_path: Path, content: bytes, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(DataError) as refusal:
        read_npz(npz(tmp_path / "data.npz", content))
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot


def test_arrays_with_random_bytes_changed_are_read_or_refused(tmp_path: Path, attack) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, images=np.zeros((3, 4, 4), np.uint8), labels=np.arange(3))
    whole = stream.getvalue()
    refusals = []
    for _ in attack.rounds(300):
        content = bytearray(whole)
        for _ in range(attack.random.choice([1, 3, 10])):
            content[attack.random.randrange(len(content))] = attack.random.randrange(256)
        path = tmp_path / "data.npz"
        path.write_bytes(content)
        try:
            read_npz(path)
        except DataError as refusal:
            refusals.append(str(refusal))
    assert refusals
    assert all("data.npz" in told for told in refusals)


NAMES = ["=a.png", "'=a.png", "''=a.png", "@b.png", "-c.png", "+d.png", "'e.png"]


@pytest.mark.parametrize("escaped", [True, False])
def test_any_name_goes_through_a_table(
    write_images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, escaped: bool
) -> None:
    """As cnnrun writes it, and as a user's own program would."""
    write_images(NAMES)
    rows = [(name, "=cat" if number % 2 else "dog") for number, name in enumerate(NAMES)]
    table = csv_table(["path", "label"], rows)
    plain = "path,label\n" + "".join(f"{path},{label}\n" for path, label in rows)
    Path("labels.csv").write_text(table if escaped else plain)
    manifest = from_csv(Path("labels.csv"))
    assert sorted(manifest.paths) == sorted(NAMES)
    assert manifest.classes == ("=cat", "dog")
