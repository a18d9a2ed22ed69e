"""The hash of each image's content; of a file that cannot have changed it is not taken again.

Beside its hash stands the file's state, see file_states.py; of images that lie many in one file the
state of that, see packed_hashes.py.
"""

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from cnnrun.data.file_states import FileState, file_state, is_at_rest
from cnnrun.data.manifest import Manifest
from cnnrun.data.packed_hashes import HASH_BYTES, PackedHashes, packed_hash
from cnnrun.data.packed_images import ImageFile, PackedImage
from cnnrun.data.parallel import map_in_threads
from cnnrun.errors import StorageError
from cnnrun.file_kinds import is_file
from cnnrun.runs.files import replacing

_CHUNK_BYTES: Final = 2**20
_NOTE: Final = np.dtype(
    [
        ("image", "<u8"),  # Manifest.ids
        ("size", "<i8"),
        ("inode", "<u8"),
        ("modified_ns", "<i8"),
        ("changed_ns", "<i8"),
        ("content", "S32"),
    ]
)


def content_hashes(manifest: Manifest, *, notes_folder: Path | None) -> tuple[str, ...]:
    """The hash of each image's whole file, or of its pixels where the images are arrays.

    Args:
        manifest: the images.
        notes_folder: where the hashes of files are noted for the next time; None to read all.

    Returns:
        32 hexadecimal digits an image, empty for a file that cannot be read, which may be skipped.
    """
    if manifest.pixels is not None:
        return tuple(map_in_threads(pixels_hash, manifest.pixels))
    if manifest.packing is not None:
        return PackedHashes(manifest.packing, notes_folder=notes_folder).all()
    files = [_file(manifest, row) for row in range(len(manifest))]
    keys: list[int] = manifest.ids.tolist()
    file = None if notes_folder is None else notes_folder / _name(manifest)
    notes = {} if file is None else _read(file)
    known = [_known(path, notes.get(key)) for path, key in zip(files, keys, strict=True)]
    unknown = [row for row, content in enumerate(known) if content is None]
    looks = dict(zip(unknown, map_in_threads(lambda row: _look(files[row]), unknown), strict=True))
    if file is not None and any(look.status for look in looks.values()):
        noted = {row: (look.status, look.content) for row, look in looks.items() if look.status}
        kept = {key: notes[key] for row, key in enumerate(keys) if known[row] is not None}
        _write(file, kept | {keys[row]: note for row, note in noted.items()})
    return tuple(
        looks[row].content if content is None else content for row, content in enumerate(known)
    )


class NotedHashes:
    """The hashes of a manifest's images, one at a time and by any thread, as they are asked for."""

    def __init__(self, manifest: Manifest, *, notes_folder: Path) -> None:
        """The notes of the last time are read from a file below `notes_folder`."""
        self._manifest = manifest
        self._file = notes_folder / _name(manifest)
        self._packed = None
        if manifest.packing is not None:
            self._packed = PackedHashes(manifest.packing, notes_folder=notes_folder)
        is_of_files = manifest.pixels is None and manifest.packing is None
        self._notes = _read(self._file) if is_of_files else {}
        self._has_news = False

    def of(self, row: int) -> str:
        """What `content_hashes` gives for an image."""
        if self._manifest.pixels is not None:
            return pixels_hash(self._manifest.pixels[row])
        if self._packed is not None:
            return self._packed.of(row)
        file, image = _file(self._manifest, row), int(self._manifest.ids[row])
        known = _known(file, self._notes.get(image))
        if known is not None:
            return known
        look = _look(file)
        if look.status is not None:
            self._notes[image] = look.status, look.content
            self._has_news = True
        return look.content

    def note(self) -> None:
        """Note the hashes for the next time; where that fails, files are read again."""
        if self._packed is not None:
            self._packed.note()
        if self._has_news:
            _write(self._file, self._notes)


def file_hash(image: ImageFile) -> str:
    """The hash of a whole image: 32 hexadecimal digits, none for one that cannot be read."""
    return packed_hash(image) if isinstance(image, PackedImage) else _look(image).content


def pixels_hash(pixels: npt.NDArray[Any]) -> str:
    """The hash of an array's numbers: 32 hexadecimal digits."""
    return blake3(np.ascontiguousarray(pixels).tobytes()).hexdigest(length=HASH_BYTES)


@dataclass(frozen=True)
class _Look:
    """A file's hash, and its status where it may be noted beside it."""

    content: str
    status: FileState | None


def _look(file: Path) -> _Look:
    now = time.time_ns()
    digest = blake3()
    try:
        if not is_file(file):
            return _Look("", None)
        with file.open("rb") as stream:
            before = os.fstat(stream.fileno())
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
            after = os.fstat(stream.fileno())
    except OSError:
        return _Look("", None)
    state = file_state(after)
    at_rest = file_state(before) == state and is_at_rest(state, now_ns=now)
    return _Look(digest.hexdigest(length=HASH_BYTES), state if at_rest else None)


def _known(file: Path, note: tuple[FileState, str] | None) -> str | None:
    """The noted hash, if the file is still what it is the hash of."""
    if note is None:
        return None
    try:
        return note[1] if file_state(os.stat(file)) == note[0] else None
    except OSError:
        return None


def _file(manifest: Manifest, row: int) -> Path:
    """The whole file that an image is."""
    file = manifest.file(row)
    if isinstance(file, PackedImage):
        raise ValueError(f"{file} is a part of a file")
    return file


def _name(manifest: Manifest) -> str:
    root = os.path.abspath(manifest.root or Path())
    return f"{hashlib.blake2b(os.fsencode(root), digest_size=8).hexdigest()}.npy"


def _read(file: Path) -> dict[int, tuple[FileState, str]]:
    """The notes by image; none where they are absent or damaged: they can be made again."""
    try:
        rows = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return {}
    if rows.dtype != _NOTE or rows.ndim != 1:
        return {}
    return {
        image: ((size, inode, modified, changed), content.decode("ascii", "replace"))
        for image, size, inode, modified, changed, content in rows.tolist()
    }


def _write(file: Path, notes: dict[int, tuple[FileState, str]]) -> None:
    rows: Sequence[Any] = [(key, *status, content) for key, (status, content) in notes.items()]
    with suppress(StorageError, OSError):  # without notes all files are read again the next time
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as partial, partial.open("wb") as stream:
            np.save(stream, np.array(rows, _NOTE), allow_pickle=False)
