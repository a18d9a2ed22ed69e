"""Writes datasets/digit_pairs: pictures of two of scikit-learn's handwritten digits each.

Run it with `python datasets/make_digit_pairs.py`; it needs scikit-learn (in the extra `test`), and
no network. The labels of a picture are the digits that are in it: two, or one where both are equal.
A digit that somebody wrote is in pictures of one split alone, so that none is tested on a digit
that it was trained on.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

FOLDER = Path(__file__).parent / "digit_pairs"
BRIGHTEST = 16  # the data set counts the dark pixels of a 4x4 block: 0 to 16
SIDE = 8
HEIGHT, WIDTH = 12, 20  # room to stand higher or lower, nearer or farther
PICTURES = {"train": 1400, "validation": 300, "test": 300}


def main() -> None:
    """Write 2,000 grey PNG files of 12x20 pixels, and labels.csv with path, digits and split."""
    digits = load_digits()
    generator = np.random.default_rng(0)
    order = generator.permutation(len(digits.images))
    ends = np.rint(np.cumsum([0, *PICTURES.values()]) / 2000 * len(order)).astype(int)
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    for split, number, first, last in zip(
        PICTURES, PICTURES.values(), ends[:-1], ends[1:], strict=True
    ):
        for _ in range(number):
            left, right = generator.choice(order[first:last], size=2, replace=False)
            name = f"pair_{len(rows):04d}.png"
            picture(digits.images[left], digits.images[right], generator).save(
                FOLDER / name, optimize=True
            )
            labels = sorted({str(digits.target[left]), str(digits.target[right])})
            rows.append((name, "|".join(labels), split))
    with (FOLDER / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "digits", "split"), *rows])
    print(f"{len(rows):,} pictures and labels.csv in {FOLDER}")


def picture(left: np.ndarray, right: np.ndarray, generator: np.random.Generator) -> Image.Image:
    """Two digits beside each other, each at a place of its own.

    Args:
        left: `(8, 8)` from 0 to 16.
        right: likewise.
        generator: draws the places.
    """
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    spare = WIDTH - 2 * SIDE
    gap = generator.integers(spare + 1)
    begin = generator.integers(spare - gap + 1)
    for digit, column in ((left, begin), (right, begin + SIDE + gap)):
        row = generator.integers(HEIGHT - SIDE + 1)
        values = np.rint(digit * (255 / BRIGHTEST)).astype(np.uint8)
        pixels[row : row + SIDE, column : column + SIDE] = values
    return Image.fromarray(pixels)


if __name__ == "__main__":
    main()
