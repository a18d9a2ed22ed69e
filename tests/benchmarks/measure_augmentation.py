"""How fast images are augmented, against ImageDataGenerator with the same parameters.

Run `python tests/benchmarks/measure_augmentation.py`. Both work on the same images in memory, in
turns, a batch of 32 at a time; figures are medians. To reach: 15 times ImageDataGenerator's images
a second at 128x128x3 and 10 times at 28x28x1, with two threads.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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

    ours, theirs = alternating(lambda: augment_all(pixels, more, threads=threads), keras)
    report(f"{shape} {more or ''} {threads} threads", images / ours, few / theirs)


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

    ours, theirs = alternating(
        lambda: draw(ids, seed=0, epoch=0, image_size=(128, 128), **options), keras
    )
    print(f"draws of {len(ids):,} images: {ours:.3f} s, {theirs * 100 / ours:.0f}x Keras")


def measure_growth() -> None:
    """The time an image takes, among 256, 1,024 and 4,096."""
    for images in (256, 1024, 4096):
        pixels = np.zeros((images, 64, 64, 3), np.uint8)
        took = median(lambda pixels=pixels: augment_all(pixels, {}, threads=2))
        print(f"{images:>5,} images of 64x64x3: {took / images * 1e6:.0f} us an image")


def alternating(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds of two functions that take turns, after one turn that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(TURNS + 1):
        for function, taken in zip((ours, theirs), times, strict=True):
            took = seconds(function)
            if turn:
                taken.append(took)
    return statistics.median(times[0]), statistics.median(times[1])


def median(function: Callable[[], Any]) -> float:
    """Median seconds of a function."""
    return statistics.median(seconds(function) for _ in range(TURNS))


def seconds(function: Callable[[], Any]) -> float:
    """How long a function takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def processor() -> str:
    """The model of the processor."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


def report(what: str, ours: float, theirs: float) -> None:
    """Print one line."""
    print(f"{what}: {ours:,.0f} images/s, ImageDataGenerator {theirs:,.0f}: {ours / theirs:.1f}x")


if __name__ == "__main__":
    main()
