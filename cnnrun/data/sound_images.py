"""That images were all decoded before: then they need not be again before the first epoch.

It is noted for images that lie many in one file, whose hashes tell in seconds that none of a
million has changed. The note is named after their contents and how they become pixels.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from cnnrun.data.decoding import Decoding
from cnnrun.data.manifest import Manifest
from cnnrun.data.packed_hashes import PackedHashes
from cnnrun.errors import StorageError
from cnnrun.runs.files import json_text, replacing
from cnnrun.runs.folder import HASHES

_FOLDER: Final = "decoded"


@dataclass(frozen=True)
class SoundImages:
    """Images whose contents are known; `file` is there where all of them were decoded before."""

    file: Path

    @property
    def is_noted(self) -> bool:
        """Whether each of them could be decoded."""
        return self.file.is_file()

    def note(self) -> None:
        """Note that each could be decoded; where that fails, they are decoded again."""
        with suppress(StorageError, OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.file) as partial:
                partial.write_bytes(b"")


def sound_images(
    manifest: Manifest, rows: npt.NDArray[np.int64], decoding: Decoding, cache_folder: Path
) -> SoundImages | None:
    """Some images of a manifest by their contents, or None where these are not noted.

    Args:
        manifest: the images.
        rows: which of them.
        decoding: how they become pixels.
        cache_folder: where hashes are noted.
    """
    if manifest.packing is None:
        return None
    hashes = PackedHashes(manifest.packing, notes_folder=cache_folder / HASHES)
    if not hashes.are_noted:
        return None
    key = blake3(hashes.of_rows(rows).encode())
    key.update(json_text(decoding.described(), indent=None).encode())
    return SoundImages(cache_folder / HASHES / _FOLDER / key.hexdigest(length=16))
