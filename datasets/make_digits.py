"""Writes datasets/digits: scikit-learn's handwritten digits as PNG files, a folder a class.

Run it with `python datasets/make_digits.py`; it needs scikit-learn (in the extra `test`). The files
are in the repository already; this script is how they came to be.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parent / "digits"
BRIGHTEST = 16  # the data set counts the dark pixels of a 4x4 block: 0 to 16


def main() -> None:
    """Write 1,797 grey PNG files of 8x8 pixels, named by their index in the data set."""
    digits = load_digits()
    for index, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        folder = FOLDER / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.rint(image * (255 / BRIGHTEST)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"digit_{index:04d}.png", optimize=True)
    print(f"{len(digits.images):,} images in {FOLDER}")


if __name__ == "__main__":
    main()
