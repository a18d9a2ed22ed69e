"""Names, ids and labels. Oracle for ids: hashlib."""

from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from cnnrun.data.manifest import image_ids


def test_ids_are_the_first_eight_bytes_of_blake2b() -> None:
    paths = ["cat/1.png", "dog/ü.png"]

    expected = [
        int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "little") for path in paths
    ]

    assert image_ids(paths).tolist() == expected
    assert image_ids(paths).dtype == np.uint64


def test_ids_of_nothing() -> None:
    assert image_ids([]).shape == (0,)


def test_images_in_memory_have_no_file(manifest_of) -> None:  # type: ignore[no-untyped-def]
    manifest = manifest_of({"x[0]": "a"})

    with pytest.raises(ValueError, match=r"x\[0\] is in memory"):
        manifest.file(0)


def test_length_and_files(manifest_of) -> None:  # type: ignore[no-untyped-def]
    manifest = manifest_of({"a/1.png": "a", "b/1.png": "b"}, root=Path("pets"))

    assert len(manifest) == 2
    assert manifest.file(1) == Path("pets/b/1.png")
