"""What tells one state of the data from another."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.manifest import Manifest

METHOD: Final = "blake3 of paths, classes and whole contents"


def data_fingerprint(manifest: Manifest, *, notes_folder: Path | None) -> dict[str, Any]:
    """A hash that changes when an image, its path, label or weight does; see `fingerprint_of`.

    Args:
        manifest: the images.
        notes_folder: see `content_hashes`.
    """
    return fingerprint_of(manifest, content_hashes(manifest, notes_folder=notes_folder))


def fingerprint_of(manifest: Manifest, contents: Sequence[str]) -> dict[str, Any]:
    """A hash that changes when an image, its path, label or weight does.

    The order of rows in the source does not matter.

    Args:
        manifest: the images.
        contents: what `content_hashes` gives.

    Returns:
        `{"method": how, "blake3": 32 hexadecimal digits, "images": their number}`.
    """
    total = blake3()
    for row, (path, content) in enumerate(zip(manifest.paths, contents, strict=True)):
        total.update(f"{path}\0{manifest.label_text(row)}\0{content}\0".encode())
    method = METHOD
    if manifest.weights is not None:
        method = f"{METHOD}, and weights"
        total.update(manifest.weights.astype("<f4").tobytes())
    return {"method": method, "blake3": total.hexdigest(length=16), "images": len(manifest)}
