"""Room on a disk, asked for before the work begins. Oracle: what the system says is free."""

import shutil
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import StorageError
from cnnrun.runs import disk_room
from cnnrun.runs.disk_room import WORTH_SAYING_BYTES, require_room


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> int:
    """A disk with two gigabytes free."""
    usage = shutil._ntuple_diskusage(10**10, 8 * 10**9, 2 * 10**9)  # type: ignore[attr-defined]
    monkeypatch.setattr(disk_room.shutil, "disk_usage", lambda _: usage)
    return 2 * 10**9


def test_what_does_not_fit_is_refused(
    free: int, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(StorageError) as refusal:
        require_room(tmp_path / "not/there/yet", free + 1, what="the features of 9 images")
    assert str(refusal.value).replace(str(tmp_path), "TMP") == snapshot


def test_only_what_is_much_is_said(free: int, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    assert require_room(tmp_path, WORTH_SAYING_BYTES - 1, what="the features") is None
    assert require_room(tmp_path, free, what="the features of 9 images") == snapshot


def test_a_small_disk_is_asked_itself(small_disk: Path) -> None:
    with pytest.raises(StorageError):
        require_room(small_disk / "experiments", 65 * 1024, what="the features")
    assert require_room(small_disk / "experiments", 30 * 1024, what="the features") is None
