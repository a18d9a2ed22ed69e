"""Writes datasets/digit_pairs: pictures of two of scikit-learn's handwritten digits each.

Run it with `python datasets/make_digit_pairs.py`; it needs scikit-learn (in the extra `test`), and
no network. The labels of a picture are the digits that are in it: two, or one where both are equal.
A digit that somebody wrote is in pictures of one split alone, so that none is tested on a digit
that it was trained on. Where two digits look much like two others at the same places in another
split, or like these mirrored or turned, they are placed anew: no picture is nearly a copy of one
that it is tested against.
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
ALIKE = 0.8  # the correlation of two pictures' pixels, of which `cnnrun check-data` may say copies
PICTURES = {"train": 1400, "validation": 300, "test": 300}


def main() -> None:
    """Write 2,000 grey PNG files of 12x20 pixels, and labels.csv with path, digits and split."""
    digits = load_digits()
    generator, again = np.random.default_rng(0), np.random.default_rng(1)
    order = generator.permutation(len(digits.images))
    ends = np.rint(np.cumsum([0, *PICTURES.values()]) / 2000 * len(order)).astype(int)
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, str, str]] = []
    vectors: list[np.ndarray] = []
    for split, number, first, last in zip(
        PICTURES, PICTURES.values(), ends[:-1], ends[1:], strict=True
    ):
        others = np.array(vectors)  # of the splits before
        for _ in range(number):
            left, right = generator.choice(order[first:last], size=2, replace=False)
            pair = digits.images[left], digits.images[right]
            name = f"pair_{len(rows):04d}.png"
            image = picture(*pair, generator)
            while len(others) and (others @ vectors_of(image).T).max() > ALIKE:
                image = picture(*pair, again)
            image.save(FOLDER / name, optimize=True)
            vectors.append(vectors_of(image)[0])
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


def vectors_of(image: Image.Image) -> np.ndarray:
    """The pixels `(4, 240)` as they are, mirrored either way, and turned: products correlate."""
    as_is = np.asarray(image, np.float64)
    seen = (as_is, as_is[:, ::-1], as_is[::-1], as_is[::-1, ::-1])
    centred = np.stack([each.ravel() - as_is.mean() for each in seen])
    return centred / np.linalg.norm(centred[0])


if __name__ == "__main__":
    main()
