"""Who may write to a folder of features, and what a manifest is."""

from pathlib import Path

import pytest

from cnnrun.errors import FeaturesError
from cnnrun.features.folder import (
    FeatureFolder,
    ManifestRow,
    hold_folder,
    read_manifest_rows,
    write_manifest_rows,
)

HASH = "0" * 32


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureFolder:
    monkeypatch.chdir(tmp_path)
    return FeatureFolder(Path("features"))


def refused(folder: FeatureFolder, *, resume: bool) -> str:
    with pytest.raises(FeaturesError) as error, hold_folder(folder, resume=resume):
        pass
    return str(error.value)


def test_a_new_folder_and_one_to_go_on_with(folder: FeatureFolder) -> None:
    with hold_folder(folder, resume=False):
        folder.features_json.write_text("{}")
    with hold_folder(folder, resume=True):
        assert folder.features_json.exists()


def test_what_was_killed_before_it_began(folder: FeatureFolder) -> None:
    folder.path.mkdir()
    (folder.path / ".partial-0123-features.json").touch()
    folder.lock.touch()
    with hold_folder(folder, resume=False):
        assert [entry.name for entry in folder.path.iterdir()] == [".lock"]


def test_features_are_not_overwritten(folder: FeatureFolder, snapshot) -> None:
    folder.path.mkdir()
    folder.features_json.write_text("{}")
    assert refused(folder, resume=False) == snapshot


def test_a_folder_of_something_else(folder: FeatureFolder, snapshot) -> None:
    folder.path.mkdir()
    (folder.path / "thesis.txt").touch()
    assert refused(folder, resume=True) == snapshot


def test_a_file(folder: FeatureFolder, snapshot) -> None:
    folder.path.touch()
    assert refused(folder, resume=True) == snapshot


def test_a_folder_in_use(folder: FeatureFolder, snapshot) -> None:
    with hold_folder(folder, resume=False):
        assert refused(folder, resume=True) == snapshot


def test_names_of_all_kinds_come_back(folder: FeatureFolder) -> None:
    folder.path.mkdir()
    names = ['a "quoted", name.png', "two\nlines.png", "Ünï.png", "0.png"]
    rows = [ManifestRow(row, name, "a,b", HASH) for row, name in enumerate(names)]
    write_manifest_rows(folder, rows)
    assert read_manifest_rows(folder) == rows


def test_another_table(folder: FeatureFolder, snapshot) -> None:
    folder.path.mkdir()
    folder.manifest_csv.write_text("path,label\na.png,a\n")
    with pytest.raises(FeaturesError) as error:
        read_manifest_rows(folder)
    assert str(error.value) == snapshot
