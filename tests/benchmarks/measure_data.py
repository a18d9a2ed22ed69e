"""How long data take: listing, ordering and decoding, each against the plainest way to do it.

Run `python tests/benchmarks/measure_data.py`. Listing also has a bound: a few seconds.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.images import open_images
from cnnrun.data.manifest import Manifest
from cnnrun.data.order import epoch_order
from cnnrun.data.splits import split_rows
from cnnrun.starter.survey import survey_images

FILES = 100_000
LINKS_AT_MOST = 50_000  # to one file; ext4 allows 65,000
CLASSES = 100
MANY_CLASSES = 1_000
PHOTOS = 1_000
PHOTO_SIDE = 256
PEAK_SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.decoding import Decoding
from cnnrun.data.images import open_images

manifest = manifest_from_directory(Path(sys.argv[1]), classes=None, partial=False)
rows = np.arange(len(manifest))
store = open_images(
    manifest, rows, Decoding((64, 64), "rgb", "bilinear", keep_aspect=False),
    memory_bytes=2**20, on_bad_image="error", cache_folder=Path(sys.argv[2]),
)
for start in range(0, len(rows), 32):
    store.read(rows[start : start + 32])
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


LARGE = (12_000, 9_000)  # 108 megapixels
LARGE_SCRIPT = """
import sys
from pathlib import Path
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding

wanted = Decoding((224, 224), "rgb", "bilinear", keep_aspect=False, megapixels_at_most=120)
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
before = peak()
decode_image(Path(sys.argv[1]), wanted)
print(peak() - before)
"""


def main() -> None:
    """Print each measurement beside its baseline."""
    with tempfile.TemporaryDirectory() as folder:
        measure_listing(Path(folder) / "many")
        measure_headers(Path(folder) / "headers")
        measure_order()
        photos = write_photos(Path(folder) / "photos")
        measure_decoding(photos, Path(folder) / "cache")
        measure_memory(Path(folder))
        measure_large_photograph(Path(folder))


def measure_listing(folder: Path) -> None:
    """A folder of 100,000 files, against os.walk."""
    for label in range(CLASSES):
        (folder / f"class{label:03}").mkdir(parents=True)
        for number in range(FILES // CLASSES):
            (folder / f"class{label:03}" / f"{number:06}.jpg").touch()
    walked = seconds(lambda: sum(len(files) for _, _, files in os.walk(folder)))
    manifest = manifest_from_directory(folder, classes=None, partial=False)
    listed = seconds(lambda: manifest_from_directory(folder, classes=None, partial=False))
    cut = seconds(lambda: split_rows(manifest, validation=0.15, test=0.15, seed=0))
    report(f"list {FILES:,} files", listed, "os.walk", walked)
    report(f"cut {FILES:,} files into splits", cut, "os.walk", walked)


def measure_headers(folder: Path) -> None:
    """What `init` looks at in 100,000 images of 1,000 classes, against listing and opening them.

    The files are hard links to a few. Pillow opens them in the baseline.
    """
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    folder.mkdir()
    for label in range(MANY_CLASSES):
        first = folder.parent / f"{label * FILES // MANY_CLASSES // LINKS_AT_MOST}.png"
        if not first.exists():
            first.write_bytes(stream.getvalue())
        (folder / f"{label:04} {'abc'[label % 3]}").mkdir()
        for number in range(FILES // MANY_CLASSES):
            name = f"{label:04} {'abc'[label % 3]}/{label * 7919 + number * 104_729}.png"
            (folder / name).hardlink_to(first)

    def list_and_open() -> None:
        for place, _, names in os.walk(folder):
            for name in names:
                with Image.open(os.path.join(place, name)):
                    pass

    plain, ours = (
        processor_seconds(list_and_open),
        processor_seconds(lambda: survey_images(folder, layout=None)),
    )
    print(f"headers of {FILES:,} files: {ours:.1f} s, listed and opened {plain:.1f} s", end="")
    print(f", {ours / plain:.2f}x")


def processor_seconds(work: Callable[[], object]) -> float:
    """The processor time of the better of two goes, so that the files are in memory."""
    times = []
    for _ in range(2):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def measure_order() -> None:
    """The order of a million images, against numpy's own shuffle."""
    ids = np.random.default_rng(0).integers(0, 2**64, 10**6, dtype=np.uint64)
    ordered = seconds(lambda: epoch_order(ids, seed=0, epoch=0))
    shuffled = seconds(lambda: np.random.default_rng(0).permutation(10**6))
    report("order 1,000,000 images", ordered, "numpy permutation", shuffled)


def measure_decoding(photos: Manifest, cache: Path) -> None:
    """A thousand JPEGs, against a loop over Pillow."""

    def loop() -> None:
        for row in range(PHOTOS):
            with Image.open(photos.file(row)) as image:
                np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR))

    in_memory = seconds(lambda: open_photos(photos, cache, memory_bytes=2**30))
    in_file = seconds(lambda: open_photos(photos, cache, memory_bytes=0))
    looped = seconds(loop)
    report(f"decode {PHOTOS:,} JPEGs into memory", in_memory, "a loop over Pillow", looped)
    report(f"decode {PHOTOS:,} JPEGs into a file", in_file, "a loop over Pillow", looped)
    memory, file = (open_photos(photos, cache, memory_bytes=size) for size in (2**30, 0))
    rows = np.random.default_rng(0).permutation(PHOTOS)
    report(
        f"read {PHOTOS:,} images from the file",
        seconds(lambda: file.read(rows)),
        "from memory",
        seconds(lambda: memory.read(rows)),
    )


def measure_memory(folder: Path) -> None:
    """Peak memory of reading images through a file, of few images and of ten times as many."""
    peaks = []
    for count in (1_000, 10_000):
        photos = folder / f"photos{count}"
        for number in range(count):
            path = photos / "ab"[number % 2] / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / "photos" / "a" / "0.jpg", path)
        command = [sys.executable, "-c", PEAK_SCRIPT, str(photos), str(folder / "cache")]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        peaks.append(int(output) / 1024)
    print(f"peak memory, 1,000 and 10,000 images: {peaks[0]:.0f} and {peaks[1]:.0f} MiB")


def measure_large_photograph(folder: Path) -> None:
    """The peak memory that one photograph of 108 megapixels takes, by the kind of its file."""
    photograph = Image.effect_noise((600, 450), 60).convert("RGB").resize(LARGE)
    for suffix in ("jpg", "png", "tif"):
        photograph.save(folder / f"large.{suffix}")
        peak = subprocess.run(
            [sys.executable, "-c", LARGE_SCRIPT, str(folder / f"large.{suffix}")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        pixels = LARGE[0] * LARGE[1]
        print(
            f"a {suffix} of {pixels / 1e6:.0f} megapixels: {int(peak) / pixels:.1f} bytes a pixel"
        )


def write_photos(folder: Path) -> Manifest:
    """Smooth noise as JPEGs, which compress like photographs."""
    random = np.random.default_rng(0)
    for number in range(PHOTOS):
        coarse = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        path = folder / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((PHOTO_SIDE, PHOTO_SIDE)).save(path)
    return manifest_from_directory(folder, classes=None, partial=False)


def open_photos(photos: Manifest, cache: Path, *, memory_bytes: int):  # type: ignore[no-untyped-def]
    """The photos at 64x64."""
    return open_images(
        photos,
        np.arange(len(photos)),
        Decoding((64, 64), "rgb", "bilinear", keep_aspect=False),
        memory_bytes=memory_bytes,
        on_bad_image="error",
        cache_folder=cache,
    )


def seconds(work: Callable[[], object]) -> float:
    """The best wall time of three."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def report(name: str, value: float, baseline: str, baseline_value: float) -> None:
    """Print one line."""
    print(f"{name:<34} {value:7.3f} s   {value / baseline_value:5.2f} x {baseline}")


if __name__ == "__main__":
    main()
