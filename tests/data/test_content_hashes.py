"""Hashes of contents, and when a noted one is believed. Oracle: hashing every file again."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from cnnrun.data import content_hashes as module
from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.file_states import AT_REST_NS
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Manifest

NAMES = [f"pets/{kind}/{number}.bmp" for kind in ("cat", "dog") for number in range(3)]


@pytest.fixture
def pets(write_images: Callable[[list[str]], None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images that have lain there for a while, as the clock of this test says."""
    write_images(NAMES)
    later = time.time_ns() + 10 * AT_REST_NS
    monkeypatch.setattr(module.time, "time_ns", lambda: later)
    return Path("pets")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    look = module._look

    def seen(file: Path) -> object:
        names.append(file.name)
        return look(file)

    monkeypatch.setattr(module, "_look", seen)
    return names


def manifest_of(folder: Path) -> Manifest:
    return manifest_from_directory(folder, classes=None, partial=False)


def by_hand(folder: Path) -> tuple[str, ...]:
    return tuple(
        blake3(manifest_of(folder).file(row).read_bytes()).hexdigest(length=16)
        for row in range(len(manifest_of(folder)))
    )


def test_a_second_look_reads_no_file(pets: Path, read: list[str]) -> None:
    first = content_hashes(manifest_of(pets), notes_folder=Path("experiments"))
    assert first == by_hand(pets)
    assert len(read) == len(NAMES)
    assert content_hashes(manifest_of(pets), notes_folder=Path("experiments")) == first
    assert len(read) == len(NAMES)
    assert not [path for path in pets.rglob("*") if path.is_file() and path.suffix != ".bmp"]


def edit_in_place(file: Path) -> None:
    """As an editor changes a bitmap: the size stays, and a careful program sets the time back."""
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    with file.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        last = stream.read(1)
        stream.seek(-1, os.SEEK_END)
        stream.write(bytes([last[0] ^ 1]))
    os.utime(file, ns=times)


def replace_by_a_copy(file: Path) -> None:
    """Another file of the same size and time."""
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    other = file.with_name("other")
    other.write_bytes(file.read_bytes()[:-1] + b"\x07")
    os.utime(other, ns=times)
    os.replace(other, file)


def swap_with_neighbour(file: Path) -> None:
    neighbour = file.with_name("1.bmp")
    file.rename("kept")
    neighbour.rename(file)
    Path("kept").rename(neighbour)


@pytest.mark.parametrize("change", [edit_in_place, replace_by_a_copy, swap_with_neighbour])
def test_a_changed_file_of_the_same_size_and_time_is_noticed(
    pets: Path, change: Callable[[Path], None]
) -> None:
    before = content_hashes(manifest_of(pets), notes_folder=Path("experiments"))
    change(pets / "cat/0.bmp")
    now = content_hashes(manifest_of(pets), notes_folder=Path("experiments"))
    assert now == by_hand(pets)
    assert now != before


def test_a_file_that_has_just_been_written_is_not_trusted(
    write_images: Callable[[list[str]], None], read: list[str]
) -> None:
    """It could change again within the tick of the clock in which it was hashed."""
    write_images(NAMES)
    for _ in range(2):
        content_hashes(manifest_of(Path("pets")), notes_folder=Path("experiments"))
    assert len(read) == 2 * len(NAMES)


def test_only_what_is_new_is_read(pets: Path, read: list[str]) -> None:
    content_hashes(manifest_of(pets), notes_folder=Path("experiments"))
    del read[:]
    (pets / "dog/9.bmp").write_bytes(b"new")
    (pets / "dog/2.bmp").unlink()
    assert content_hashes(manifest_of(pets), notes_folder=Path("experiments")) == by_hand(pets)
    assert read == ["9.bmp"]


@pytest.mark.parametrize("damage", [b"", b"no notes", b"\x93NUMPY\x01\x00"])
def test_damaged_notes_are_made_again(pets: Path, read: list[str], damage: bytes) -> None:
    content_hashes(manifest_of(pets), notes_folder=Path("experiments"))
    (notes,) = Path("experiments").iterdir()
    notes.write_bytes(damage)
    assert content_hashes(manifest_of(pets), notes_folder=Path("experiments")) == by_hand(pets)
    assert len(read) == 2 * len(NAMES)


def test_where_nothing_can_be_noted_all_is_read(pets: Path) -> None:
    Path("experiments").write_text("a file stands where the folder should")
    assert content_hashes(manifest_of(pets), notes_folder=Path("experiments")) == by_hand(pets)


def test_what_cannot_be_read_has_no_hash(pets: Path) -> None:
    """A link to nowhere, and a pipe that nobody writes to; neither is waited for."""
    (pets / "cat/7.bmp").symlink_to("nowhere")
    os.mkfifo("pipe")
    (pets / "cat/8.bmp").symlink_to(Path("pipe").absolute())
    hashes = content_hashes(manifest_of(pets), notes_folder=Path("experiments"))
    names = manifest_of(pets).paths
    assert [name for name, content in zip(names, hashes, strict=True) if not content] == [
        "cat/7.bmp",
        "cat/8.bmp",
    ]


def test_random_histories_end_in_the_hashes_of_what_is_there(pets: Path, attack) -> None:
    """Edits, moves, copies and removals in any order, with looks between them."""
    changes = [edit_in_place, replace_by_a_copy, swap_with_neighbour]
    for _ in attack.rounds(30):
        folder = pets / attack.random.choice(["cat", "dog"])
        attack.random.choice(changes)(folder / "0.bmp")
        if attack.random.random() < 0.5:
            hashes = content_hashes(manifest_of(pets), notes_folder=Path("experiments"))
            assert hashes == by_hand(pets)


def test_pixels_have_a_hash_an_image() -> None:
    pixels = np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)
    first, second = map(module.pixels_hash, pixels)
    assert first == blake3(pixels[0].tobytes()).hexdigest(length=16)
    assert first != second
    assert module.pixels_hash(pixels[0][::-1][::-1]) == first
