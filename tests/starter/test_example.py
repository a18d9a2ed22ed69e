"""The example project: one source, copied whole, never over anything."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.errors import InputError, StorageError
from cnnrun.starter.example import REPOSITORY, example_project, write_example


def test_an_editable_install_reads_the_repository_itself() -> None:
    assert example_project() == REPOSITORY
    assert (REPOSITORY / "pyproject.toml").is_file()


def test_the_copy_equals_the_source(tmp_path: Path) -> None:
    written = write_example(tmp_path / "demo")
    assert written
    for copy in written:
        source = REPOSITORY / copy.relative_to(tmp_path / "demo")
        assert copy.read_bytes() == source.read_bytes()
        assert not copy.name.startswith(".")
    assert {copy.relative_to(tmp_path / "demo").parts[0] for copy in written} == {
        "configs",
        "datasets",
    }


def test_nothing_is_overwritten(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    mine = tmp_path / "configs" / "digits.yaml"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(InputError) as refusal:
        write_example(tmp_path)
    assert str(refusal.value).replace(str(tmp_path), "<here>") == snapshot
    assert mine.read_text() == "mine"
    assert not (tmp_path / "datasets").exists()


def test_a_place_that_cannot_hold_files(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    (tmp_path / "demo").write_text("a file where the folder should be")
    with pytest.raises(StorageError) as refusal:
        write_example(tmp_path / "demo")
    message = str(refusal.value).replace(str(tmp_path), "<here>")
    assert message.partition(" Not a directory")[2] == snapshot


def test_every_copied_config_is_valid(tmp_path: Path) -> None:
    configs = [copy for copy in write_example(tmp_path / "demo") if copy.suffix == ".yaml"]
    assert tmp_path / "demo" / "configs" / "digits.yaml" in configs
    for config in configs:
        load_config(config)
