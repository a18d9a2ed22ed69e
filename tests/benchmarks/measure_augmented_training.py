"""What augmentation costs where it is used: from JPEG files, and beside a training.

Run `python tests/benchmarks/measure_augmented_training.py`. Photographs of 500x400 pixels are cut
out of those that scikit-learn ships. The two sides of each ratio take turns; medians count, beside
the lowest and the highest. Bounds: a first epoch from files at least 4 times as fast as
ImageDataGenerator's, a training with augmentation at most 1.15 of the time of one without, with
RandAugment at most 1.5. `--training` measures the trainings alone. `--processor` counts the seconds
that processors work for a step and for RandAugment, which other processes change less.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
from keras_cases import FULL_AUGMENTATION, blocks
from PIL import Image
from sklearn.datasets import load_sample_images
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cnnrun.assembly.augmenting import augment_of
from cnnrun.assembly.building import build
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.augment_section import AugmentSpec
from cnnrun.config.load import load_config
from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import manifest_from_arrays
from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.images import open_images
from cnnrun.data.manifest import Manifest
from cnnrun.data.tensors import Feed

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
CLASSES = ("china", "flower")
PHOTOGRAPHS, TRAINED = 2560, 640
ROUNDS = 3
ROUNDS_IN_MEMORY = 7
SIDE, BATCH = 128, 32
RAND_AUGMENT = {"layers": [{"RandAugment": {"factor": 0.2}}]}
CONFIG = {
    "data": {
        "directory": "photographs",
        "image_size": [SIDE, SIDE],
        "split": {"validation": 0, "test": 0.05},
    },
    "model": {
        "blocks": {"batch_norm": "before_activation"},
        "layers": blocks(16, 32, 64),
    },
    "train": {"epochs": 4, "batch_size": BATCH, "best": "last"},
}


def main() -> None:
    """Print all ratios."""
    if "--processor" in sys.argv:
        measure_processor()
        return
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder) / "photographs", TRAINED)
        measure_training(Path(folder))
        if "--training" in sys.argv:
            return
        photographs = write_photographs(Path(folder) / "many", PHOTOGRAPHS)
        for interpolation in ("nearest", "bilinear"):
            measure_first_epoch(photographs, interpolation)
        for images, shape in ((2048, (128, 128, 3)), (16384, (28, 28, 1))):
            measure_cached_pixels(images, shape)


def write_photographs(folder: Path, images: int) -> Path:
    """JPEGs of 500x400 pixels, cut at random out of two photographs."""
    random = np.random.default_rng(0)
    for name, photograph in zip(CLASSES, load_sample_images().images, strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(images // len(CLASSES)):
            top = random.integers(0, photograph.shape[0] - 400 + 1)
            left = random.integers(0, photograph.shape[1] - 500 + 1)
            cut = photograph[top : top + 400, left : left + 500]
            Image.fromarray(cut).save(folder / name / f"{number:04}.jpg", quality=90)
    return folder


def measure_first_epoch(photographs: Path, interpolation: str) -> None:
    """Images a second of an epoch that begins with files on the disk.

    ImageDataGenerator resizes by "nearest" unless told otherwise, cnnrun by "bilinear". A round
    before does not count, in which libraries are loaded and the files come into memory.
    """
    ratios, of_processor = [], []
    ours(photographs, interpolation)
    for _ in range(ROUNDS):
        fast = timed(lambda: ours(photographs, interpolation))
        slow = timed(lambda: image_data_generator(photographs, interpolation))
        ratios.append(slow.wall / fast.wall)
        of_processor.append(slow.processor / fast.processor)
        print(
            f"from JPEG files: cnnrun {PHOTOGRAPHS / fast.wall:,.0f}, "
            f"ImageDataGenerator {PHOTOGRAPHS / slow.wall:,.0f} images/s"
        )
    print(
        f"{interpolation}: ratio {in_words(ratios)} (bound 4), "
        f"per processor second {in_words(of_processor)}"
    )


def ours(photographs: Path, interpolation: str) -> int:
    """The images of an epoch as `cnnrun train` reads it, decoding included."""
    manifest = manifest_from_directory(photographs, classes=None, partial=False)
    rows = np.arange(len(manifest))
    store = open_images(
        manifest,
        rows,
        Decoding((SIDE, SIDE), "rgb", interpolation, keep_aspect=False),
        memory_bytes=2**28,
        on_bad_image="error",
        cache_folder=photographs.parent,
    )
    augment = augment_of(
        AugmentSpec(**FULL_AUGMENTATION),
        locate=store.locate,
        ids=manifest.ids,
        training=np.arange(len(manifest)),
        seed=0,
        image_shape=store.shape,
        threads=2,
    )
    feed = Feed(store, manifest.labels, None, BATCH, augment)
    return seen_by_tensorflow(feed.training(rows, manifest.ids, seed=0, first_epoch=0))


def image_data_generator(photographs: Path, interpolation: str) -> int:
    """The images of an epoch of ImageDataGenerator with the same parameters."""
    batches = ImageDataGenerator(**FULL_AUGMENTATION, rescale=1 / 255).flow_from_directory(
        photographs, target_size=(SIDE, SIDE), batch_size=BATCH, interpolation=interpolation
    )
    return seen(batches)


def measure_cached_pixels(images: int, shape: tuple[int, int, int]) -> None:
    """Images a second of an epoch of batches of 32 from pixels in memory."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, size=(images, *shape), dtype=np.uint8)
    labels = np.arange(images) % 2
    feed, manifest = feed_of(pixels, labels)
    training = feed.training(np.arange(images), manifest.ids, seed=0, first_epoch=0)
    few = images // 8  # of these, a round of ImageDataGenerator takes about as long
    generator = ImageDataGenerator(**FULL_AUGMENTATION, rescale=1 / 255)
    flow = generator.flow(pixels[:few], labels[:few], BATCH)
    ratios, of_processor = [], []
    for _ in range(1 + ROUNDS_IN_MEMORY):
        fast, slow = timed(lambda: seen_by_tensorflow(training)), timed(lambda: seen(flow))
        ratios.append(slow.wall / few / (fast.wall / images))
        of_processor.append(slow.processor / few / (fast.processor / images))
        print(
            f"{shape} in memory: cnnrun {images / fast.wall:,.0f}, "
            f"ImageDataGenerator {few / slow.wall:,.0f} images/s"
        )
    print(
        f"ratio {in_words(ratios[1:])} (bound {15 if shape[0] == SIDE else 10}), "
        f"per processor second {in_words(of_processor[1:])}"
    )


def feed_of(pixels: np.ndarray, labels: np.ndarray) -> tuple[Feed, Manifest]:
    """A feed of augmented batches over an array."""
    manifest = manifest_from_arrays(
        {"images": pixels, "labels": labels},
        place="pixels",
        value_range=None,
        classes=None,
        names=ArrayNames(),
        partial=False,
    )
    store = open_images(
        manifest,
        np.arange(len(pixels)),
        Decoding(None, None, "bilinear", keep_aspect=False),
        memory_bytes=2**30,
        on_bad_image="error",
        cache_folder=Path(tempfile.gettempdir()),
    )
    augment = augment_of(
        AugmentSpec(**FULL_AUGMENTATION),
        locate=store.locate,
        ids=manifest.ids,
        training=np.arange(len(manifest)),
        seed=0,
        image_shape=store.shape,
        threads=2,
    )
    return Feed(store, manifest.labels, None, BATCH, augment), manifest


def seen(flow: Any) -> int:
    """The images of an epoch of ImageDataGenerator, whose own iteration does not end."""
    return sum(len(flow[index][0]) for index in range(len(flow)))


def seen_by_tensorflow(batches: Any) -> int:
    """The images of an epoch, which like a training takes its batches without Python."""
    total = batches.reduce(tf.constant(0), lambda total, batch: total + tf.shape(batch[0])[0])
    return int(total)


class Times(NamedTuple):
    """Seconds that pass, and seconds that processors work for this process."""

    wall: float
    processor: float


def timed(function: Callable[[], Any]) -> Times:
    """How long a function takes."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return Times(time.perf_counter() - wall, time.process_time() - processor)


def in_words(ratios: Sequence[float]) -> str:
    """Such as `12.1 (11.0 to 12.5)`."""
    return f"{median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"


def measure_training(folder: Path) -> None:
    """Seconds of an epoch, the first one left out, with and without augmentation."""
    augmentations: dict[str, dict[str, object]] = {
        "augmented": FULL_AUGMENTATION,
        "RandAugment": RAND_AUGMENT,
    }
    ratios: dict[str, list[float]] = {name: [] for name in augmentations}
    for number in range(ROUNDS):
        plain = epoch_seconds(folder, f"plain{number}", {})
        for name, augment in augmentations.items():
            seconds = epoch_seconds(folder, f"{name}{number}", augment)
            ratios[name].append(seconds / plain)
            print(f"an epoch of training: plain {plain:.2f} s, {name} {seconds:.2f} s")
    for name, bound in (("augmented", 1.15), ("RandAugment", 1.5)):
        found = ratios[name]
        print(
            f"{name}: ratio {median(found):.2f} ({min(found):.2f} to {max(found):.2f}; bound"
            f" {bound})"
        )


def measure_processor() -> None:
    """Processor milliseconds an image: a training step, and RandAugment of as many images."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(json.dumps({**CONFIG, "augment": RAND_AUGMENT}))
        config = load_config(file)
    shape, random = (SIDE, SIDE, 3), np.random.default_rng(0)
    network = build(
        config,
        input_shape=shape,
        classes=len(CLASSES),
        preprocessing=unfitted_preprocessing(config, shape),
    ).network
    network.model.compile("adam", "sparse_categorical_crossentropy")
    photographs = load_sample_images().images
    corners = random.integers(0, (400 - SIDE, 600 - SIDE), size=(8 * BATCH, 2)).tolist()
    pixels = np.stack(
        [
            photographs[number % 2][top : top + SIDE, left : left + SIDE]
            for number, (top, left) in enumerate(corners)
        ]
    )
    rows = np.arange(len(pixels))
    augment = augment_of(
        config.augment,
        locate=lambda some: (pixels, some),
        ids=random.integers(0, 2**63, len(rows)).astype(np.uint64),
        training=rows,
        seed=0,
        image_shape=shape,
        threads=2,
    )
    batch, labels = pixels[:BATCH].astype(np.float32), rows[:BATCH] % 2

    def step() -> None:
        network.model.train_on_batch(batch, labels)

    def augmented() -> None:
        for part in np.split(rows, len(rows) // BATCH):
            augment(part, 0)

    step(), augmented()
    steps, draws = [], []
    for _ in range(ROUNDS_IN_MEMORY):
        steps.append(1000 * timed(step).processor / BATCH)
        draws.append(1000 * timed(augmented).processor / len(rows))
    ratios = [1 + drawn / stepped for drawn, stepped in zip(draws, steps, strict=True)]
    print(f"an image: step {median(steps):.1f} ms, RandAugment {median(draws):.1f} ms")
    print(f"RandAugment: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}; bound 1.5)")


def epoch_seconds(folder: Path, name: str, augment: dict[str, object]) -> float:
    """The median time of an epoch of `cnnrun train`."""
    (folder / f"{name}.yaml").write_text(json.dumps({**CONFIG, "augment": augment}))
    command = [COMMAND, "train", f"{name}.yaml", "--into", name, "--json"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    lines = (folder / name / "metrics.jsonl").read_text().splitlines()
    return median(json.loads(line)["seconds"] for line in lines[1:])


if __name__ == "__main__":
    print(f"parameters: {asdict(AugmentSpec(**FULL_AUGMENTATION))}")
    main()
