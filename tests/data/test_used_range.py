"""Images that come in almost black. Oracle: the values that each test writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import is_channels_first, manifest_from_arrays
from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.images import open_images
from cnnrun.data.manifest import Manifest
from cnnrun.data.used_range import refuse_unused_range
from cnnrun.errors import DataError

pytestmark = pytest.mark.usefixtures("here")


def write_files(low: int, high: int, dtype: Any, *, images: int = 6) -> Manifest:
    random = np.random.default_rng(0)  # anew, for tests run in any order
    for number in range(images):
        values = random.integers(low, high + 1, (8, 8)).astype(dtype)
        values[0, :2] = low, high
        path = Path(f"scans/{'ab'[number % 2]}/{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
    return manifest_from_directory(Path("scans"), classes=None, partial=False)


def manifest_of(arrays: Mapping[str, Any], value_range: tuple[float, float] | None) -> Manifest:
    return manifest_from_arrays(
        arrays,
        place="a.npz",
        names=ArrayNames(),
        value_range=value_range,
        classes=None,
        partial=False,
    )


def check(manifest: Manifest, **how: Any) -> None:
    size = (8, 8) if manifest.pixels is None else None
    decoding = Decoding(size, "grayscale", "bilinear", keep_aspect=False, **how)
    store = open_images(
        manifest,
        np.arange(len(manifest)),
        decoding,
        memory_bytes=2**20,
        on_bad_image="error",
        cache_folder=Path("cache"),
    )
    refuse_unused_range(manifest, store, decoding)


def refused(manifest: Manifest) -> str:
    with pytest.raises(DataError) as error:
        check(manifest)
    return str(error.value)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 4095), (3, 900), (0, 1), (30_000, 34_000), (0, 16_000)]
)
def test_files_of_sixteen_bits(low: int, high: int, snapshot: object) -> None:
    manifest = write_files(low, high, np.uint16)

    assert refused(manifest) == snapshot
    check(manifest, value_range=(0, 65535))


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(0, 65_535, np.uint16), (0, 20_000, np.uint16), (100, 130, np.uint8)]
)
def test_files_that_use_their_range(low: int, high: int, dtype: Any) -> None:
    check(write_files(low, high, dtype))


def test_one_dark_picture_among_others() -> None:
    write_files(0, 65_535, np.uint16)
    Image.fromarray(np.full((8, 8), 700, np.uint16)).save("scans/a/night.png")

    check(manifest_from_directory(Path("scans"), classes=None, partial=False))


def test_files_of_eight_bits(snapshot: object) -> None:
    assert refused(write_files(0, 5, np.uint8)) == snapshot


@pytest.mark.parametrize("high", [1, 16])
def test_arrays(high: int, snapshot: object) -> None:
    images = np.random.default_rng(0).integers(0, high + 1, (30, 8, 8))
    images[0, 0, 0] = high
    arrays = {"images": images, "labels": np.arange(30) % 2}

    def manifest(value_range: tuple[float, float] | None) -> Manifest:
        return manifest_of(arrays, value_range)

    assert refused(manifest(None)) == snapshot
    check(manifest((0, high)))
    check(manifest((0, 255)))


def test_arrays_that_are_black_throughout_are_another_matter() -> None:
    arrays = {"x": np.zeros((6, 8, 8), np.uint8), "y": np.arange(6) % 2}
    check(manifest_of(arrays, None))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((60, 3, 32, 32), True),
        ((60, 1, 28, 28), True),
        ((60, 13, 64, 64), True),
        ((60, 4, 100, 80), True),
        ((60, 32, 32, 3), False),
        ((60, 28, 28, 1), False),
        ((60, 64, 64, 13), False),
        ((60, 7, 7, 512), False),
        ((60, 8, 8, 4), False),
        ((60, 2, 30, 3), False),
        ((60, 30, 2, 3), False),
    ],
)
def test_channels_first(shape: tuple[int, ...], expected: bool) -> None:
    assert is_channels_first(shape) is expected


def test_arrays_with_channels_first_are_refused(snapshot: object) -> None:
    arrays = {"images": np.zeros((6, 3, 20, 24), np.uint8), "labels": np.arange(6) % 2}

    with pytest.raises(DataError) as error:
        manifest_of(arrays, None)

    assert str(error.value) == snapshot
