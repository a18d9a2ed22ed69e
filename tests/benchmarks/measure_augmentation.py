"""How fast images are augmented, against ImageDataGenerator with the same parameters.

Run `python tests/benchmarks/measure_augmentation.py`. Both work on the same images in memory, in
turns, a batch of 32 at a time; figures are medians over the turns, with the lowest and the highest
ratio. Processor time tells what other programs on the machine took away. To reach: 15 times
ImageDataGenerator's images a second at 128x128x3 and 10 times at 28x28x1, with two threads.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from numpy.typing import NDArray
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cnnrun.augment.draws import draw
from cnnrun.augment.fast_engine import FastEngine

BATCH = 32
TURNS = 7
RESCALE = 1 / 255
PARAMETERS: dict[str, Any] = {
    "rotation_range": 20.0,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 10.0,
    "zoom_range": 0.1,
    "horizontal_flip": True,
}
OFF: dict[str, Any] = {
    "vertical_flip": False,
    "brightness_range": None,
    "channel_shift_range": 0.0,
}
LEVELS: dict[str, Any] = {"brightness_range": (0.7, 1.3), "channel_shift_range": 20.0}


def main() -> None:
    """Print each measurement beside its baseline."""
    print(f"{processor()}, {os.cpu_count()} processors")
    for images, shape in ((2048, (28, 28, 1)), (256, (128, 128, 3))):
        for threads in (1, 2):
            measure_engines(images, shape, {}, threads=threads)
        measure_engines(images, shape, {"fill_mode": "constant"}, threads=2)
        measure_engines(images, shape, {"fill_mode": "reflect"}, threads=2)
        measure_engines(images, shape, {"fill_mode": "wrap"}, threads=2)
        measure_engines(images, shape, LEVELS, threads=2)
    measure_draws()
    measure_growth()


def measure_engines(
    images: int, shape: tuple[int, int, int], more: dict[str, Any], *, threads: int
) -> None:
    """Every image once, against ImageDataGenerator's own batches."""
    pixels = np.random.default_rng(0).integers(0, 256, (images, *shape), np.uint8)
    generator = ImageDataGenerator(**PARAMETERS, **more, rescale=RESCALE)
    few = max(BATCH, images // 8)  # of these, one turn of Keras takes about as long
    batches = generator.flow(pixels[:few].astype(np.float32), batch_size=BATCH)

    def keras() -> None:
        for number in range(len(batches)):
            batches[number]

    turns = alternating(lambda: augment_all(pixels, more, threads=threads), keras)
    ratios = [theirs.wall / few / (ours.wall / images) for ours, theirs in turns]
    of_processor = [theirs.processor / few / (ours.processor / images) for ours, theirs in turns]
    ours, theirs = (
        statistics.median(times.wall for times in column) for column in zip(*turns, strict=True)
    )
    print(
        f"{shape} {more or ''} {threads} threads: {images / ours:,.0f} images/s, "
        f"ImageDataGenerator {few / theirs:,.0f}: {in_words(ratios)}; "
        f"per processor second {in_words(of_processor)}"
    )


def augment_all(pixels: NDArray[Any], more: dict[str, Any], *, threads: int) -> None:
    """An epoch: its draws, and its batches, each of them by one of the threads."""
    options = PARAMETERS | OFF | more
    fill_mode = options.pop("fill_mode", "nearest")
    ids = np.arange(len(pixels), dtype=np.uint64)
    draws = draw(ids, seed=0, epoch=0, image_size=pixels.shape[1:3], **options)

    engine = FastEngine(
        pixels.shape[1:], fill_mode=fill_mode, cval=0.0, interpolation_order=1, threads=1
    )

    def batch(first: int) -> None:
        some = slice(first, first + BATCH)
        augmented = engine(pixels[some], draws.take(some))
        augmented *= np.float32(RESCALE)

    with ThreadPoolExecutor(threads) as executor:
        list(executor.map(batch, range(0, len(pixels), BATCH)))


def measure_draws() -> None:
    """The draws of 100,000 images, every option on, against a dictionary an image from Keras."""
    ids = np.arange(100_000, dtype=np.uint64)
    options = PARAMETERS | OFF | LEVELS | {"vertical_flip": True}
    generator = ImageDataGenerator(**options)

    def keras() -> None:
        for _ in range(len(ids) // 100):
            generator.get_random_transform((128, 128, 3))

    turns = alternating(lambda: draw(ids, seed=0, epoch=0, image_size=(128, 128), **options), keras)
    took = statistics.median(ours.wall for ours, _ in turns)
    ratios = [theirs.wall * 100 / ours.wall for ours, theirs in turns]
    print(f"draws of {len(ids):,} images: {took:.3f} s, {in_words(ratios)} Keras")


def measure_growth() -> None:
    """The time an image takes, among 256, 1,024 and 4,096."""
    for images in (256, 1024, 4096):
        pixels = np.zeros((images, 64, 64, 3), np.uint8)
        took = statistics.median(
            timed(lambda pixels=pixels: augment_all(pixels, {}, threads=2)).wall
            for _ in range(TURNS)
        )
        print(f"{images:>5,} images of 64x64x3: {took / images * 1e6:.0f} us an image")


class Times(NamedTuple):
    """Seconds that pass, and seconds that processors work for this process."""

    wall: float
    processor: float


def alternating(ours: Callable[[], Any], theirs: Callable[[], Any]) -> list[tuple[Times, Times]]:
    """The times of two functions that take turns, after one turn that does not count."""
    return [(timed(ours), timed(theirs)) for _ in range(TURNS + 1)][1:]


def timed(function: Callable[[], Any]) -> Times:
    """How long a function takes."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return Times(time.perf_counter() - wall, time.process_time() - processor)


def in_words(ratios: Sequence[float]) -> str:
    """Such as `12.1x (11.0 to 12.5)`."""
    return f"{statistics.median(ratios):.1f}x ({min(ratios):.1f} to {max(ratios):.1f})"


def processor() -> str:
    """The model of the processor."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
