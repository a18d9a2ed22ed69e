"""Files appear whole or not at all; logs survive torn lines and full disks."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError, StorageError
from cnnrun.runs.files import (
    append_line,
    json_text,
    read_json,
    read_lines,
    replacing,
    storage_errors,
    sync_now,
    synced_together,
    write_bytes,
    write_json,
    write_text,
)


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / "bytes", b"\x00\xff")
    write_text(tmp_path / "text", "größer 猫\n")
    write_json(tmp_path / "json", {"classes": ["猫"]})
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    assert (tmp_path / "text").read_text(encoding="utf-8") == "größer 猫\n"
    assert "猫" in (tmp_path / "json").read_text(encoding="utf-8")
    assert sorted(os.listdir(tmp_path)) == ["bytes", "json", "text"]


def test_json_is_indented_for_people_and_ends_its_last_line(tmp_path: Path) -> None:
    value = {"best_epoch": 2, "seconds": [1.5]}
    write_json(tmp_path / "result.json", value)
    assert (tmp_path / "result.json").read_text() == json.dumps(value, indent=2) + "\n"


def test_a_file_is_synced_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that a loss of power asks for (rename(2), fsync(2)), as the system is called."""
    calls = []
    sync, rename = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        calls.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    def replace(source: Path, target: Path) -> None:
        calls.append(("rename", str(target)))
        rename(source, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not say what a descriptor is of")
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_text(tmp_path / "state.json", "x")
    (_, partial), renamed, synced = calls
    assert partial.endswith("-state.json")
    assert [renamed, synced] == [
        ("rename", str(tmp_path / "state.json")),
        ("sync", str(tmp_path)),
    ]


def test_files_that_belong_together_are_synced_once_and_not_before_their_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        sync(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not say what a descriptor is of")
    monkeypatch.setattr(os, "fsync", fsync)
    folder = tmp_path / "run"
    folder.mkdir()
    with synced_together():
        for number in range(3):
            append_line(folder / "metrics.jsonl", str(number))
            write_text(folder / "state.json", str(number))
        write_text(folder / "removed", "")
        (folder / "removed").unlink()
        assert (folder / "state.json").read_text() == "2"
        assert not synced
        with synced_together():
            sync_now()
        first, synced[:] = list(synced), []
        write_text(folder / "result.json", "x")
    assert first == ["metrics.jsonl", "state.json", "run"]
    assert synced == ["result.json", "run"]
    append_line(folder / "metrics.jsonl", "3")
    assert synced == ["result.json", "run", "metrics.jsonl"]


def test_what_could_not_be_synced_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write() -> None:
        with synced_together():
            write_text(tmp_path / "state.json", "x")
            monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageError, match=r"state\.json"):
        write()
    monkeypatch.undo()
    write_text(tmp_path / "after", "x")  # and the next file is synced by itself again


def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "written", "x")
    append_line(tmp_path / "appended", "x")
    (tmp_path / "plain").write_text("x")
    for name in ("written", "appended"):
        assert (tmp_path / name).stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    write_text(path, "before")

    def write_half() -> None:
        with replacing(path) as partial:
            assert partial.suffix == ".keras"
            partial.write_text("half of")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        write_half()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["model.keras"]


KEEP_WRITING = """
import sys
from pathlib import Path
from cnnrun.runs.files import write_json
for number in range(10**9):
    write_json(Path(sys.argv[1]), {"number": number, "filling": ["x" * 100] * 2000})
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", KEEP_WRITING, str(path)]) as writer:
            while not path.exists():
                time.sleep(0.01)
            time.sleep(0.05)
            writer.send_signal(signal.SIGKILL)
        assert len(read_json(path)["filling"]) == 2000


def test_json_has_null_for_what_json_lacks() -> None:
    values = {"nan": math.nan, "most": np.float32("inf"), "some": [np.int64(3), np.float64(0.5)]}
    assert json.loads(json_text(values, indent=None)) == {
        "nan": None,
        "most": None,
        "some": [3, 0.5],
    }


def test_json_holds_what_a_run_knows_of() -> None:
    value = {Path("a/b"): Path("a/b"), 3: (True, None, np.float32(0.5))}
    assert json_text(value, indent=None) == '{"a/b": "a/b", "3": [true, null, 0.5]}'


def test_json_keeps_file_names_that_are_no_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    write_json(tmp_path / "names.json", [name])
    assert read_json(tmp_path / "names.json") == [name]


@settings(max_examples=30)  # each writes to the disk
@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))))
def test_lines_come_back_as_they_were_appended(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    log = tmp_path_factory.mktemp("log") / "log.txt"
    for line in lines:
        append_line(log, line)
    assert read_lines(log) == lines


def test_a_line_stays_one_whatever_it_holds(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    append_line(log, "two\nlines")
    append_line(log, "bad " + os.fsdecode(b"caf\xe9.png"))
    assert read_lines(log) == ["two lines", r"bad caf\udce9.png"]


def test_a_log_that_is_no_utf8_can_be_read(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"caf\xe9\nnext\n")
    assert read_lines(log) == ["caf\N{REPLACEMENT CHARACTER}", "next"]


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "log.txt") == []


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("one\ntwo\nthr")
    assert read_lines(log) == ["one", "two"]


def test_a_line_does_not_run_on_from_a_torn_one(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("one\ntw")
    append_line(log, "three")
    assert read_lines(log) == ["one", "tw", "three"]


def test_a_full_disk_is_named_and_nothing_is_lost(
    small_disk: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    path = small_disk / "result.json"
    write_text(path, "before")
    with pytest.raises(StorageError) as raised:
        write_bytes(path, bytes(100_000))
    assert message_of(raised) == snapshot
    assert raised.value.exit_code == 1
    assert path.read_text() == "before"
    assert os.listdir(small_disk) == ["result.json"]


def test_a_log_on_a_full_disk_stays_readable(small_disk: Path) -> None:
    log = small_disk / "log.txt"

    def fill_disk() -> None:
        for _ in range(1000):
            append_line(log, "x" * 999)

    # The system writes the part that has room, which is no error of its own.
    with pytest.raises(StorageError, match="No space left on device; free some space"):
        fill_disk()
    assert set(read_lines(log)) == {"x" * 999}


def test_a_full_device_is_named(snapshot: SnapshotAssertion) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError) as raised:
        append_line(Path("/dev/full"), "line")
    assert str(raised.value) == snapshot


def test_a_read_only_disk_is_named(
    read_only_disk: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(StorageError) as raised:
        write_text(read_only_disk / "run" / "state.json", "x")
    assert message_of(raised) == snapshot


def test_a_forbidden_folder_is_named(
    tmp_path: Path, without_privileges, message_of, snapshot: SnapshotAssertion
) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError) as raised, without_privileges():
        append_line(tmp_path / "log.txt", "x")
    assert message_of(raised) == snapshot


def test_an_absent_folder_is_named(tmp_path: Path, message_of, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(StorageError) as raised:
        write_text(tmp_path / "gone" / "state.json", "x")
    assert message_of(raised) == snapshot


def test_a_file_in_the_place_of_a_folder_is_named(
    tmp_path: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(StorageError) as raised:
        write_text(tmp_path / "run" / "state.json", "x")
    assert message_of(raised) == snapshot


@pytest.mark.parametrize(
    "error",
    [
        OSError(),
        OSError("can't write data"),
        *(OSError(each, os.strerror(each)) for each in (errno.EIO, errno.EDQUOT)),
        *(OSError(each, os.strerror(each)) for each in (errno.EPERM, errno.EEXIST)),
    ],
    ids=repr,
)
def test_what_other_writers_complain_of_is_passed_on(
    error: OSError, snapshot: SnapshotAssertion
) -> None:
    # h5py's errors have a text without a number.
    with pytest.raises(StorageError) as raised, storage_errors(Path("features.h5")):
        raise error
    assert str(raised.value) == snapshot
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("content", [b"", b'{"half": ', b"\xff\xfe\x00", b"[" * 100_000])
def test_damaged_json_is_named(
    content: bytes, tmp_path: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "state.json").write_bytes(content)
    with pytest.raises(RunError) as raised:
        read_json(tmp_path / "state.json")
    assert message_of(raised) == snapshot(name="damaged json")


def test_absent_json_is_named(tmp_path: Path, message_of, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(RunError) as raised:
        read_json(tmp_path / "state.json")
    assert message_of(raised) == snapshot


@pytest.mark.parametrize("read", [read_json, read_lines])
def test_an_unreadable_file_is_named(
    read, tmp_path: Path, without_privileges, message_of, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("{}\n")
    path.chmod(0)
    with pytest.raises(RunError) as raised, without_privileges():
        read(path)
    assert message_of(raised) == snapshot(name="unreadable")
