"""What tells one state of the data from another."""

import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

from cnnrun.data.manifest import Manifest
from cnnrun.data.parallel import map_in_threads

CONTENTS_AT_MOST_BYTES = 2**30
HEAD_BYTES = 4096
CHUNK_BYTES = 2**20


def data_fingerprint(manifest: Manifest) -> dict[str, Any]:
    """A hash that changes when an image, its path or its label does.

    All contents are hashed up to 1 GiB of files; beyond it names, sizes and first 4 KiB. The order
    of rows in the source does not matter.

    Returns:
        `{"method": how, "blake2b": 32 hexadecimal digits, "images": their number}`.
    """
    if manifest.pixels is not None:
        method = "contents"
        digests = map_in_threads(lambda image: blake2b(image.tobytes()).digest(), manifest.pixels)
    else:
        sizes = [_size(manifest.file(row)) for row in range(len(manifest))]
        whole = sum(sizes) <= CONTENTS_AT_MOST_BYTES
        method = "contents" if whole else "names, sizes and first 4 KiB"
        at_most = None if whole else HEAD_BYTES
        digests = map_in_threads(
            lambda row: _file_digest(manifest.file(row), sizes[row], at_most), range(len(manifest))
        )
    total = blake2b(digest_size=16)
    for path, label, digest in zip(manifest.paths, manifest.labels, digests, strict=True):
        total.update(f"{path}\0{manifest.classes[label]}\0".encode())
        total.update(digest)
    return {"method": method, "blake2b": total.hexdigest(), "images": len(manifest)}


def _size(file: Path) -> int:
    """A file's size, or -1 for one that cannot be read; images like that may be skipped."""
    try:
        return os.stat(file).st_size
    except OSError:
        return -1


def _file_digest(file: Path, size: int, at_most: int | None) -> bytes:
    digest = blake2b(str(size).encode())
    try:
        with file.open("rb") as stream:
            if at_most is not None:
                digest.update(stream.read(at_most))
            while at_most is None and (chunk := stream.read(CHUNK_BYTES)):
                digest.update(chunk)
    except OSError:
        digest.update(b"unreadable")
    return digest.digest()
