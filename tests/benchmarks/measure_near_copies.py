"""How many planted copies `check-data` finds by thumbnails alone, and what else it takes for one.

Run `python tests/benchmarks/measure_near_copies.py [cifar10-small.zip]`; the archive is looked for
in ../shared/data beside the project. A hundred copies of each alteration are planted among all its
images. Pairs that were not planted are listed: CIFAR-10 holds a few copies of its own.
"""

import io
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from cnnrun.data.near_copies import near_copies
from cnnrun.data.thumbnails import thumbnail

ARCHIVE = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10-small.zip"
COPIES = 100


def saved_again(image: Image.Image, quality: int) -> Image.Image:
    """The image after JPEG."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return Image.open(io.BytesIO(content.getvalue())).convert("RGB")


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG at quality 30": lambda image: saved_again(image, 30),
    "mirrored": lambda image: saved_again(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
    "brightness by 1.3": lambda image: saved_again(ImageEnhance.Brightness(image).enhance(1.3), 90),
}


def main() -> None:
    """Print the recall of each alteration and the pairs that nobody planted."""
    archive = zipfile.ZipFile(sys.argv[1] if len(sys.argv) > 1 else ARCHIVE)
    names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
    images = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    chosen = np.random.default_rng(0).permutation(len(images))
    planted = {}
    for number, (name, change) in enumerate(CHANGES.items()):
        for row in chosen[number * COPIES : (number + 1) * COPIES].tolist():
            planted[row, len(images)] = name
            images.append(change(images[row]))
    thumbnails = np.stack([thumbnail(image) for image in images])
    began = time.process_time()
    found = near_copies(thumbnails)
    print(f"{len(images):,} images, {time.process_time() - began:.1f} s, limit {found.limit:.3f}")
    pairs = [(one, other) for one, other in found.pairs.tolist()]
    counts = Counter(planted[pair] for pair in pairs if pair in planted)
    for name in CHANGES:
        print(f"{name}: recall {counts[name] / COPIES:.2f}")
    for one, other in (pair for pair in pairs if pair not in planted):
        print(f"not planted: {names[one]} = {names[other] if other < len(names) else other}")


if __name__ == "__main__":
    main()
