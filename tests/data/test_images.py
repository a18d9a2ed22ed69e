"""The store of decoded images. Oracle: decode_image, one image at a time."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import manifest_from_arrays
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.images import ImageStore, open_images
from cnnrun.data.manifest import Manifest
from cnnrun.errors import DataError

NAMES = [f"pets/{name}/{number}.png" for name in ("cat", "dog") for number in range(20)]
IMAGE_BYTES = 4 * 3 * 3


@pytest.fixture
def pets(write_images: Callable[[list[str]], None]) -> Manifest:
    write_images(NAMES)
    return manifest_from_directory(Path("pets"), classes=None, partial=False)


def open_store(manifest: Manifest, rows: Any = None, **arguments: Any) -> ImageStore:
    defaults = {
        "memory_bytes": 2**20,
        "on_bad_image": "error",
        "cache_folder": Path("cache"),
    }
    rows = np.arange(len(manifest)) if rows is None else np.array(rows)
    how = {"image_size": (4, 3), "color_mode": None}
    how |= {key: arguments.pop(key) for key in how if key in arguments}
    decoding = Decoding(**how, interpolation="bilinear", keep_aspect=False)
    return open_images(manifest, rows, decoding, **{**defaults, **arguments})


def one_by_one(manifest: Manifest, rows: Any) -> np.ndarray:
    return np.stack(
        [
            decode_image(
                manifest.file(row),
                Decoding((4, 3), "rgb", "bilinear", keep_aspect=False),
            )
            for row in rows
        ]
    )


KINDS = {
    "memory": {"memory_bytes": 40 * IMAGE_BYTES},
    "file": {"memory_bytes": 40 * IMAGE_BYTES - 1},
    "nothing": {"memory_bytes": 0, "cache_folder": Path("/proc/no/such/folder")},
}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, pets: Manifest) -> Iterator[ImageStore]:
    store = open_store(pets, **KINDS[request.param])
    assert store.kept_in == request.param
    yield store
    store.close()


def test_images_are_what_the_decoder_gives(store: ImageStore, pets: Manifest) -> None:
    rows = np.random.default_rng(0).permutation(len(pets))[:17]

    images = store.read(rows)

    assert images.dtype == store.dtype == np.uint8
    assert images.shape == (17, *store.shape)
    assert np.array_equal(images, one_by_one(pets, rows))


def test_a_row_can_be_read_twice_and_none_at_all(store: ImageStore) -> None:
    twice = store.read(np.array([3, 3]))

    assert np.array_equal(twice[0], twice[1])
    assert store.read(np.array([], dtype=np.int64)).shape == (0, *store.shape)


def test_images_are_located_among_others(store: ImageStore) -> None:
    rows = np.array([30, 2, 2, 7])

    images, places = store.locate(rows)

    assert np.array_equal(images[places], store.read(rows))
    is_copied = not np.shares_memory(images, store.locate(rows)[0])
    assert is_copied == (store.kept_in != "memory")


def test_all_rows_are_there(store: ImageStore, pets: Manifest) -> None:
    assert len(store) == len(pets)
    assert store.rows.tolist() == list(range(len(pets)))
    assert store.skipped == ()


def test_the_file_has_no_name_and_vanishes(pets: Manifest) -> None:
    store = open_store(pets, **KINDS["file"])

    assert list(Path("cache").iterdir()) == []

    store.close()


def test_some_rows(pets: Manifest) -> None:
    store = open_store(pets, rows=[30, 2, 7])

    assert store.rows.tolist() == [30, 2, 7]
    assert np.array_equal(store.read(np.array([7, 30])), one_by_one(pets, [7, 30]))
    with pytest.raises(KeyError, match="row 3"):
        store.read(np.array([2, 3]))


def test_everything_in_memory_by_row(pets: Manifest) -> None:
    whole = open_store(pets).in_memory(40 * IMAGE_BYTES)
    part = open_store(pets, rows=[2, 7]).in_memory(40 * IMAGE_BYTES)

    assert whole is not None
    assert np.array_equal(whole, one_by_one(pets, range(40)))
    assert part is not None
    assert np.array_equal(part[[2, 7]], whole[[2, 7]])
    assert not part[3].any()
    assert open_store(pets).in_memory(40 * IMAGE_BYTES - 1) is None
    assert open_store(pets, **KINDS["file"]).in_memory(2**30) is None


# --- images that cannot be decoded ---


@pytest.fixture
def damaged(pets: Manifest) -> Manifest:
    whole = pets.file(3).read_bytes()
    pets.file(3).write_bytes(whole[: len(whole) // 2])
    pets.file(25).write_bytes(b"")
    return pets


@pytest.mark.parametrize("kind", KINDS)
def test_bad_images_are_all_named(damaged: Manifest, kind: str, snapshot: object) -> None:
    with pytest.raises(DataError) as error:
        open_store(damaged, **KINDS[kind])

    assert str(error.value) == snapshot


def test_many_bad_images_are_counted(pets: Manifest, snapshot: object) -> None:
    for row in range(15):
        pets.file(row).write_bytes(b"")

    with pytest.raises(DataError) as error:
        open_store(pets)

    assert str(error.value) == snapshot


@pytest.mark.parametrize("kind", KINDS)
def test_bad_images_are_skipped_and_named(damaged: Manifest, kind: str, snapshot: object) -> None:
    store = open_store(damaged, on_bad_image="skip", **KINDS[kind])

    assert len(store) == 38
    assert store.rows.tolist() == [row for row in range(40) if row not in {3, 25}]
    assert list(store.skipped) == snapshot
    assert np.array_equal(store.read(np.array([4, 26])), one_by_one(damaged, [4, 26]))
    with pytest.raises(KeyError, match="row 25"):
        store.read(np.array([25]))
    store.close()


def test_skipped_images_are_black_in_memory(damaged: Manifest) -> None:
    images = open_store(damaged, on_bad_image="skip").in_memory(2**20)

    assert images is not None
    assert images.shape == (40, 4, 3, 3)
    assert not images[[3, 25]].any()


def test_nothing_but_bad_images(pets: Manifest, snapshot: object) -> None:
    for row in range(len(pets)):
        pets.file(row).write_bytes(b"no image")

    with pytest.raises(DataError) as error:
        open_store(pets, on_bad_image="skip")

    assert str(error.value) == snapshot


# --- arrays ---


ARRAY = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
AS_IT_IS = {"image_size": None, "color_mode": None}


def of_array(images: np.ndarray, value_range: tuple[float, float] | None = None) -> Manifest:
    return manifest_from_arrays(
        {"x": images, "y": np.array([0, 1] * 3)},
        place="a.npz",
        value_range=value_range,
        classes=None,
        names=ArrayNames(),
        partial=False,
    )


def test_an_array_that_fits_is_not_copied(here: Path) -> None:
    store = open_store(of_array(ARRAY), rows=range(6), **AS_IT_IS, memory_bytes=0)

    assert store.in_memory(2**20) is ARRAY
    assert np.array_equal(store.read(np.array([4, 1])), ARRAY[[4, 1]])


def test_rows_of_an_array_that_fits(here: Path) -> None:
    store = open_store(of_array(ARRAY), rows=[5, 2], **AS_IT_IS)

    assert np.array_equal(store.read(np.array([2])), ARRAY[[2]])
    with pytest.raises(KeyError):
        store.read(np.array([0]))


@pytest.mark.parametrize("memory_bytes", [0, 2**20], ids=["file", "memory"])
def test_floats_become_pixels(here: Path, memory_bytes: int) -> None:
    store = open_store(of_array(ARRAY / 255, (0, 1)), **AS_IT_IS, memory_bytes=memory_bytes)

    images = store.read(np.arange(6))

    assert images.dtype == store.dtype == np.float32
    assert np.abs(images - ARRAY).max() < 1e-3


def test_arrays_in_another_size_and_colour(here: Path) -> None:
    store = open_store(of_array(ARRAY), image_size=(8, 9), color_mode="grayscale")

    assert store.shape == (8, 9, 1)
    assert store.read(np.array([0])).dtype == np.uint8


def test_colours_of_channels_that_are_none(here: Path, snapshot: object) -> None:
    with pytest.raises(DataError) as error:
        open_store(of_array(np.repeat(ARRAY, 2, axis=3)), image_size=None, color_mode="rgb")

    assert str(error.value) == snapshot


def test_files_need_a_size(pets: Manifest) -> None:
    with pytest.raises(ValueError, match="image_size"):
        open_store(pets, image_size=None)


# --- limits of the machine ---


SCRIPT = """
import resource, signal
from pathlib import Path
import numpy as np
from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.images import open_images

def open_store(memory_bytes):
    manifest = manifest_from_directory(Path("photos"), classes=None, partial=False)
    return open_images(
        manifest, np.arange(len(manifest)),
        Decoding((128, 128), "rgb", "bilinear", keep_aspect=False),
        memory_bytes=memory_bytes, on_bad_image="error", cache_folder=Path("cache"),
    )

def peak_kib():
    # Not getrusage, which begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
"""


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-c", SCRIPT + script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def photos(write_image: Callable[..., Path]) -> None:
    """Six hundred images, 28 MiB once decoded; they share three files, as only pixels count."""
    for number in range(600):
        path = Path(f"photos/{'ab'[number % 2]}/{number}.jpg")
        if number < 3:
            write_image(str(path), seed=number, size=(128, 128))
        else:
            os.link(f"photos/{'ab'[number % 3 % 2]}/{number % 3}.jpg", path)


@pytest.mark.usefixtures("photos")
def test_memory_does_not_grow_with_images_in_a_file() -> None:
    script = """
few = np.arange(40)
store = open_store(0)
assert store.kept_in == "file"
before = peak_kib()
for _ in range(3):
    for start in range(0, 600, 40):
        store.read(few + start)
print(peak_kib(), peak_kib() - before)
"""
    peak, grown = map(int, run(script).split())
    in_memory = int(run("store = open_store(2**30); print(peak_kib())"))

    assert grown < 6_000, "KiB: batches, not the 28 MiB of all images"
    assert in_memory - peak > 20_000


@pytest.mark.usefixtures("photos")
def test_a_disk_without_room_is_done_without() -> None:
    script = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
store = open_store(0)
print(store.kept_in, store.read(np.array([5, 6])).shape)
"""
    assert run(script).strip() == "nothing (2, 128, 128, 3)"


@pytest.mark.usefixtures("photos")
def test_a_disk_that_fills_up_meanwhile(snapshot: object) -> None:
    script = """
from cnnrun.data.pixel_memory import InFile
from cnnrun.errors import StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = InFile(Path("cache"), size=8, shape=(2, 2, 2), dtype=np.dtype(np.uint8))
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
try:
    for slot in range(20):
        cache.write(slot, np.zeros((2, 2, 2), np.uint8))
except StorageError as error:
    print(error)
"""
    assert run(script) == snapshot
