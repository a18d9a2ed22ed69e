"""Bytes at positions: the same with and without Unix's calls. Oracle: the file read as a whole."""

import os
import threading
from pathlib import Path

import pytest

from cnnrun.runs.positions import open_at_positions, read_into, write_at

UNIX = ("pread", "preadv", "pwrite", "pwritev")


@pytest.fixture(params=["with Unix's calls", "without"])
def descriptor(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if request.param == "without":
        for name in UNIX:
            monkeypatch.delattr(os, name, raising=False)
    number = open_at_positions(tmp_path / "file", flags=os.O_CREAT)
    yield number
    os.close(number)


def test_threads_write_and_read_at_positions_of_their_own(descriptor: int, tmp_path: Path) -> None:
    parts = [bytes([number]) * 1000 for number in range(40)]
    wrong: list[int] = []

    def use(number: int) -> None:
        write_at(descriptor, parts[number], 1000 * number)
        content = bytearray(1000)
        if read_into(descriptor, content, 1000 * number) < 1000 or content != parts[number]:
            wrong.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (tmp_path / "file").read_bytes() == b"".join(parts)


def test_less_is_read_where_the_file_ends(descriptor: int) -> None:
    write_at(descriptor, b"abc\r\n", 0)
    content = bytearray(b"-----")
    assert read_into(descriptor, content, 3) == 2
    assert content == b"\r\n---"
