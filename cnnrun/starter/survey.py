"""What a folder of images is like: classes, counts, sizes and colours."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Manifest

HEADERS_READ = 1000  # at most: headers of so many images settle a median, on slow disks too
IMAGES_DECODED = 30  # at most: to see whether colour images hold any colour
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F"})
ORIENTATION_TAG = 0x0112
QUARTER_TURNS = frozenset({5, 6, 7, 8})  # EXIF orientations that exchange height and width


@dataclass(frozen=True)
class Survey:
    """What `cnnrun init --data` found in a folder.

    Attributes:
        folder: the folder.
        classes: the labels' names, sorted.
        images: the number of images of each class that training can draw on: those of `train/`
            where there are split folders, all of them where there are none.
        splits: the split folders ("train", "validation", "test"), or none.
        sizes: (height, width) of each image whose header was read, EXIF rotation applied.
        is_grey: whether every image that was looked at is grey.
        unreadable: the images whose header could not be read, relative to the folder.
    """

    folder: Path
    classes: tuple[str, ...]
    images: tuple[int, ...]
    splits: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    is_grey: bool
    unreadable: tuple[str, ...]


def survey_folder(folder: Path) -> Survey:
    """Looks at a folder of class folders, or of split folders that hold them.

    Of a large folder only a sample is opened, spread evenly over the classes.

    Raises:
        DataError: the folder holds no such images.
    """
    manifest = manifest_from_directory(folder, classes=None, partial=False)
    sizes: list[tuple[int, int]] = []
    modes: Counter[str] = Counter()
    unreadable: list[str] = []
    for path in evenly_spread(manifest.paths, HEADERS_READ):
        try:
            size, mode = header(folder / path)
        except (OSError, Image.DecompressionBombError):
            unreadable.append(path)
        else:
            sizes.append(size)
            modes[mode] += 1
    readable = [path for path in manifest.paths if path not in frozenset(unreadable)]
    return Survey(
        folder=folder,
        classes=manifest.classes,
        images=training_counts(manifest),
        splits=split_folders(manifest),
        sizes=tuple(sizes),
        is_grey=set(modes) <= GREY_MODES or holds_no_colour(folder, readable),
        unreadable=tuple(unreadable),
    )


def evenly_spread(paths: Sequence[str], at_most: int) -> Iterator[str]:
    """At most so many of the paths, at equal distances."""
    step = max(1, -(-len(paths) // at_most))
    return islice(paths, 0, None, step)


def header(path: Path) -> tuple[tuple[int, int], str]:
    """An image's (height, width) as it is to be seen, and Pillow's name of its mode."""
    with Image.open(path) as image:
        width, height = image.size
        if image.getexif().get(ORIENTATION_TAG) in QUARTER_TURNS:
            width, height = height, width
        return (height, width), image.mode


def training_counts(manifest: Manifest) -> tuple[int, ...]:
    """The number of images of each class from which the training split is taken."""
    labels = manifest.labels
    if manifest.splits is not None:
        labels = labels[np.array(manifest.splits) == "train"]
    return tuple(np.bincount(labels, minlength=len(manifest.classes)).tolist())


def split_folders(manifest: Manifest) -> tuple[str, ...]:
    """The splits that have folders of their own, in the order in which they are used."""
    present = frozenset(manifest.splits or ())
    return tuple(split for split in ("train", "validation", "test") if split in present)


def holds_no_colour(folder: Path, paths: Sequence[str]) -> bool:
    """Whether a sample of images is grey in every pixel, though stored as colour."""
    for path in evenly_spread(paths, IMAGES_DECODED):
        try:
            with Image.open(folder / path) as image:
                image.thumbnail((64, 64), Image.Resampling.NEAREST)
                pixels = np.asarray(image.convert("RGB"), dtype=np.int16)  # (height, width, 3)
        except OSError:  # truncated: `cnnrun check-data` names it
            continue
        if np.ptp(pixels, axis=-1).max() > 0:
            return False
    return True
