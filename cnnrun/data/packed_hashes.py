"""The hashes of images that lie many in one file, noted for each file that has not changed.

Beside a file's state stands for each image where it begins, its size and its hash. So one look at
each file tells whether the hashes of all its images still hold.
"""

import hashlib
import os
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from cnnrun.data.file_states import FileState, file_state, is_at_rest
from cnnrun.data.packed_images import PackedImage, Packing
from cnnrun.data.parallel import map_in_threads
from cnnrun.errors import StorageError
from cnnrun.runs.files import replacing

HASH_BYTES: Final = 16
_AT_ONCE: Final = 64  # images are small beside the handing over
_NOTE: Final = np.dtype([("position", "<i8"), ("size", "<i8"), ("content", "u1", HASH_BYTES)])

Rows = npt.NDArray[np.int64]


class PackedHashes:
    """The hashes of a manifest's images, one at a time and by any thread, or all of them."""

    def __init__(self, packing: Packing, *, notes_folder: Path | None) -> None:
        """Reads the notes of the last time; None for none."""
        images = len(packing.positions)
        self._packing = packing
        self._folder = notes_folder
        self._contents = np.zeros((images, HASH_BYTES), np.uint8)
        self._is_known = np.zeros(images, bool)
        self._began_ns = time.time_ns()
        self._states = [_state(file) for file in packing.files]
        self._has_news: set[int] = set()
        order = np.argsort(packing.file_of, kind="stable")
        ends = np.cumsum(np.bincount(packing.file_of, minlength=len(packing.files)))[:-1]
        self._rows_of: list[Rows] = np.split(order, ends)
        if notes_folder is not None:
            for number, rows in enumerate(self._rows_of):
                self._take_notes(number, rows)

    def of(self, row: int) -> str:
        """The hash of an image's bytes, 32 hexadecimal digits; empty where they cannot be read."""
        if not self._is_known[row] and not self._hash(row):
            return ""
        digits: str = self._contents[row].tobytes().hex()
        return digits

    def all(self) -> tuple[str, ...]:
        """The hashes of all images, noted for the next time."""
        unknown = np.flatnonzero(~self._is_known)
        # In the order in which they lie, for disks.
        unknown = unknown[
            np.lexsort((self._packing.positions[unknown], self._packing.file_of[unknown]))
        ]
        for _ in map_in_threads(self._hash, unknown.tolist(), at_once=_AT_ONCE):
            pass
        self.note()
        digits, width = self._contents.tobytes().hex(), 2 * HASH_BYTES
        return tuple(
            digits[width * row : width * (row + 1)] if is_known else ""
            for row, is_known in enumerate(self._is_known.tolist())
        )

    @property
    def are_noted(self) -> bool:
        """Whether all hashes are known without a look at the images."""
        return bool(self._is_known.all())

    def of_rows(self, rows: Rows) -> str:
        """One hash of the contents of some images that are noted, in their order."""
        return blake3(self._contents[rows].tobytes()).hexdigest(length=HASH_BYTES)

    def note(self) -> None:
        """Note what was hashed for the next time; where that fails, it is hashed again."""
        if self._folder is None:
            return
        for number in sorted(self._has_news):
            file, state = self._packing.files[number], self._states[number]
            if state is None or state != _state(file):
                continue
            if not is_at_rest(state, now_ns=self._began_ns):
                continue
            rows = self._rows_of[number]
            rows = rows[self._is_known[rows]]
            notes = np.zeros(len(rows), _NOTE)
            notes["position"] = self._packing.positions[rows]
            notes["size"] = self._packing.sizes[rows]
            notes["content"] = self._contents[rows]
            _write(self._folder / _name(file), state, np.sort(notes, order=["position", "size"]))
        self._has_news.clear()

    def _hash(self, row: int) -> bool:
        try:
            content = self._packing.image(row, "").read_bytes()
        except (OSError, ValueError):
            return False
        self._contents[row] = np.frombuffer(blake3(content).digest(HASH_BYTES), np.uint8)
        self._is_known[row] = True
        self._has_news.add(int(self._packing.file_of[row]))
        return True

    def _take_notes(self, number: int, rows: Rows) -> None:
        """Take the hashes noted of a file's images, if it is what they were noted of."""
        state = self._states[number]
        notes = None if state is None else _read(self._notes_file(number), state)
        if notes is None or not len(notes):
            return
        places = np.searchsorted(notes["position"], self._packing.positions[rows])
        places = np.minimum(places, len(notes) - 1)
        found = notes[places]
        fits = (found["position"] == self._packing.positions[rows]) & (
            found["size"] == self._packing.sizes[rows]
        )
        self._contents[rows[fits]] = found["content"][fits]
        self._is_known[rows[fits]] = True

    def _notes_file(self, number: int) -> Path:
        folder = self._folder
        if folder is None:
            raise ValueError("there are no notes without a folder for them")
        return folder / _name(self._packing.files[number])


def packed_hash(image: PackedImage) -> str:
    """The hash of an image's bytes: 32 hexadecimal digits, none for one that cannot be read."""
    try:
        return blake3(image.read_bytes()).hexdigest(length=HASH_BYTES)
    except (OSError, ValueError):
        return ""


def _state(file: Path) -> FileState | None:
    try:
        return file_state(os.stat(file))
    except OSError:
        return None


def _name(file: Path) -> str:
    path = os.fsencode(os.path.abspath(file))
    return f"{hashlib.blake2b(path, digest_size=8).hexdigest()}.npz"


def _read(notes: Path, state: FileState) -> npt.NDArray[Any] | None:
    """The notes of a file in a state; None where they are absent, damaged or of another state."""
    try:
        with np.load(notes, allow_pickle=False) as arrays:
            noted: Sequence[Any] = arrays["state"].tolist()
            rows: npt.NDArray[Any] = arrays["images"]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    if tuple(noted) != state or rows.dtype != _NOTE or rows.ndim != 1:
        return None
    return rows


def _write(notes: Path, state: FileState, rows: npt.NDArray[Any]) -> None:
    with suppress(StorageError, OSError):
        notes.parent.mkdir(parents=True, exist_ok=True)
        with replacing(notes) as partial, partial.open("wb") as stream:
            np.savez(stream, state=np.array(state, np.uint64), images=rows)
