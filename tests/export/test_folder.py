"""Exported folders: opened whole or refused by name, replaced whole or left. No TensorFlow."""

import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.data.decoding import Decoding
from cnnrun.errors import ExportError
from cnnrun.export.folder import (
    ExportFolder,
    network_hash,
    open_export,
    refuse_other_content,
    whole_folder,
)
from cnnrun.export.formats import FORMATS, refuse_absent_packages, refuse_unfit_options
from cnnrun.export.image_rule import ImageRule

RULE = ImageRule(
    Decoding((6, 5), "rgb", "bilinear", keep_aspect=True, value_range=(0.0, 10.0)),
    channels=3,
    of_arrays=False,
    array_range=None,
)


@pytest.fixture
def folder(tmp_path: Path) -> ExportFolder:
    """An export whose network is no network, which nobody opens here."""
    made = tmp_path / "handed"
    with whole_folder(made) as partial:
        write(partial)
    return ExportFolder(made)


def write(folder: ExportFolder, network: bytes = b"a network") -> None:
    file = folder.path / "model.onnx"
    file.write_bytes(network)
    described = {"format": "onnx", "file": "model.onnx", "classes": 2}
    folder.export_json.write_text(json.dumps(described | {"hash": network_hash(file)}))
    folder.classes_json.write_text('["a", "b"]')
    folder.preprocessing_json.write_text(json.dumps(RULE.as_json()))
    folder.predict_py.write_text("raise SystemExit('this is never run')")
    folder.readme_md.write_text("# a card")


def test_what_was_written_is_read(folder: ExportFolder) -> None:
    found = open_export(folder.path)
    assert found.rule == RULE
    assert found.classes == ("a", "b")
    assert found.form.name == "onnx"


DAMAGE = {
    "model.onnx": b"another network",
    "classes.json": b'["a"]',
    "classes.json ": b'["a", 2]',
    "preprocessing.json": b'{"image_size": "large"}',
    "preprocessing.json ": b"[",
    "export.json": b'{"format": "pickle", "file": "model.onnx"}',
    "export.json ": b'{"format": "onnx", "file": "../../model.onnx", "classes": 2}',
    "export.json  ": b"[]",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_named(
    folder: ExportFolder, name: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (folder.path / name.strip()).write_bytes(DAMAGE[name])
    with pytest.raises(ExportError) as refusal:
        open_export(folder.path)
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot


@pytest.mark.parametrize("name", ["model.onnx", "classes.json", "preprocessing.json"])
def test_a_missing_file_is_named(folder: ExportFolder, name: str) -> None:
    (folder.path / name).unlink()
    with pytest.raises(ExportError, match=f"without {name}"):
        open_export(folder.path)


def test_a_folder_is_replaced_whole_or_not_at_all(folder: ExportFolder) -> None:
    def fail() -> None:
        with whole_folder(folder.path) as partial:
            write(partial, b"a new one")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (folder.path / "model.onnx").read_bytes() == b"a network"
    with whole_folder(folder.path) as partial:
        write(partial, b"a new one")
    assert (folder.path / "model.onnx").read_bytes() == b"a new one"
    assert list(folder.path.parent.iterdir()) == [folder.path]


def test_what_a_killed_process_put_aside_is_put_back(folder: ExportFolder) -> None:
    former = folder.path.with_name(f".partial-0123-{folder.path.name}-former")
    folder.path.rename(former)
    (folder.path.parent / f".partial-0123-{folder.path.name}").mkdir()

    def fail() -> None:
        with whole_folder(folder.path):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(folder.path.parent.iterdir()) == [folder.path]
    assert open_export(folder.path).classes == ("a", "b")


def test_what_is_not_an_export_is_never_replaced(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")
    (tmp_path / "photos" / "dog.jpg").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    (tmp_path / "empty").mkdir()
    refuse_other_content(tmp_path / "empty")
    refuse_other_content(tmp_path / "absent")
    said = []
    for name in ("photos", "file", "link"):
        with pytest.raises(ExportError) as refusal:
            refuse_other_content(tmp_path / name)
        said.append(str(refusal.value).replace(str(tmp_path), "<folder>"))
    assert said == snapshot


def test_options_that_a_format_has_not(
    snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for name, precision, opset in (
        ("saved_model", "int8", None),
        ("litert", "float32", 17),
        ("onnx", "float32", 12),
        ("onnx", "float32", 99),
    ):
        with pytest.raises(ExportError) as refusal:
            refuse_unfit_options(FORMATS[name], precision=precision, opset=opset)  # type: ignore[arg-type]
        said.append(str(refusal.value))
    monkeypatch.setattr("cnnrun.export.formats.find_spec", lambda package: None)
    for name in FORMATS:
        with pytest.raises(ExportError) as refusal:
            refuse_absent_packages(FORMATS[name], to_write=True)
        said.append(str(refusal.value))
    assert said == snapshot
