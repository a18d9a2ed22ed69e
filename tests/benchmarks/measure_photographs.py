"""What photographs of 12 megapixels cost until they are batches: decoding, and little else.

Run `python tests/benchmarks/measure_photographs.py`. They are cuts of those that scikit-learn
ships, enlarged to 4000x3000, with noise so that they take 3 MB each. Sides take turns; medians of
the ratios count, beside the lowest and the highest. Bounds at 128x128, of the wall time: three
times as fast as with every image decoded whole, twice as fast as `flow_from_directory`, and faster
than `image_dataset_from_directory`.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import NamedTuple

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.images import open_images
from cnnrun.data.tensors import Feed

CLASSES = ("china", "flower")
PHOTOGRAPHS = 32
WIDTH, HEIGHT = 4000, 3000
BATCH, ROUNDS = 8, 5


class Spent(NamedTuple):
    """Seconds of a clock, and of all cores."""

    wall: float
    processor: float


def main() -> None:
    """Print the ratios at three sizes."""
    with tempfile.TemporaryDirectory() as folder:
        photographs = write_photographs(Path(folder))
        for side in (128, 224, 512):
            measure(photographs, side)


def write_photographs(folder: Path) -> Path:
    """Noisy photographs of a phone's size, a folder for each class."""
    random = np.random.default_rng(0)
    for name, photograph in zip(CLASSES, load_sample_images().images, strict=True):
        (folder / name).mkdir()
        for number in range(PHOTOGRAPHS // len(CLASSES)):
            left, top = random.integers(0, 100, size=2)
            cut = Image.fromarray(photograph[top : top + 324, left : left + 432])
            large = np.asarray(cut.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.int16)
            noise = random.normal(0, 5, size=(HEIGHT, WIDTH, 1)).astype(np.int16)
            noisy = Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8))
            noisy.save(folder / name / f"{number:04}.jpg", quality=90)
    return folder


def measure(photographs: Path, side: int) -> None:
    """One size: how many times as long each of the others takes as cnnrun does."""
    sides: dict[str, Callable[[], int]] = {
        "cnnrun": lambda: ours(photographs, side, shrink_on_load=True),
        "decoded whole": lambda: ours(photographs, side, shrink_on_load=False),
        "flow_from_directory": lambda: flow_from_directory(photographs, side),
        "image_dataset_from_directory": lambda: image_dataset(photographs, side),
    }
    rounds = [{name: timed(side) for name, side in sides.items()} for _ in range(ROUNDS + 1)][1:]
    first = median(round_["cnnrun"].processor for round_ in rounds) / PHOTOGRAPHS * 1000
    print(f"{side}x{side}: cnnrun {first:.0f} ms of processor an image")
    for name in [*sides][1:]:
        wall = [round_[name].wall / round_["cnnrun"].wall for round_ in rounds]
        processor = [round_[name].processor / round_["cnnrun"].processor for round_ in rounds]
        print(f"  {name}: {in_words(wall)} times as long, {in_words(processor)} of processor")


def ours(photographs: Path, side: int, *, shrink_on_load: bool) -> int:
    """The images of a first epoch as `cnnrun train` reads it."""
    manifest = manifest_from_directory(photographs, classes=None, partial=False)
    rows = np.arange(len(manifest))
    decoding = Decoding(
        (side, side), "rgb", "bilinear", keep_aspect=False, shrink_on_load=shrink_on_load
    )
    store = open_images(
        manifest,
        rows,
        decoding,
        memory_bytes=2**28,
        on_bad_image="error",
        cache_folder=photographs,
    )
    feed = Feed(store, manifest.labels, None, BATCH, None)
    return images_in(feed.training(rows, manifest.ids, seed=0, first_epoch=0))


def flow_from_directory(photographs: Path, side: int) -> int:
    """The images of an epoch of ImageDataGenerator, resized alike."""
    batches = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        photographs, target_size=(side, side), batch_size=BATCH, interpolation="bilinear"
    )
    return images_in(batches)


def image_dataset(photographs: Path, side: int) -> int:
    """The images of an epoch of Keras's data set, which looks at four pixels for each it makes."""
    return images_in(
        keras.utils.image_dataset_from_directory(
            photographs, image_size=(side, side), batch_size=BATCH, verbose=False
        )
    )


def images_in(batches: Iterable[tuple[object, ...]]) -> int:
    """How many images an epoch's batches have, seen once each."""
    seen = 0
    for batch in batches:
        seen += len(batch[0])  # type: ignore[arg-type]
        if seen >= PHOTOGRAPHS:
            break
    return seen


def timed(work: Callable[[], int]) -> Spent:
    """What some work takes, and a check that it saw all images."""
    wall, processor = time.perf_counter(), time.process_time()
    if work() < PHOTOGRAPHS:
        raise RuntimeError("some images were not seen")
    return Spent(time.perf_counter() - wall, time.process_time() - processor)


def in_words(ratios: list[float]) -> str:
    """The median, and the range."""
    return f"{median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


if __name__ == "__main__":
    main()
