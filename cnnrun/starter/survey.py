"""What a folder of images is like: classes, counts, sizes and colours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import Numbers, Picture, height_and_width, read_picture
from cnnrun.data.decoding import AS_IT_IS
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Manifest

IMAGES_READ = 200  # at most: enough for a median, and seconds even where they are photographs


@dataclass(frozen=True)
class Survey:
    """What `cnnrun init --data` found in a folder.

    Attributes:
        folder: the folder.
        classes: the labels' names, sorted.
        images: the number of images of each class that training can draw on: those of `train/`
            where there are split folders, all of them where there are none.
        splits: the split folders ("train", "validation", "test"), or none.
        sizes: (height, width) of each image that was read, EXIF rotation applied.
        is_grey: whether every image that was read is grey.
        unreadable: the images that could not be read, relative to the folder.
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

    Of a large folder only a sample is read, spread evenly over the classes.

    Raises:
        DataError: the folder holds no such images.
    """
    manifest = manifest_from_directory(folder, classes=None, partial=False)
    sizes: list[tuple[int, int]] = []
    unreadable: list[str] = []
    is_grey = True
    for path in evenly_spread(manifest.paths, IMAGES_READ):
        try:
            with read_picture(folder / path, decoding=AS_IT_IS, exact=False) as picture:
                sizes.append(height_and_width(picture))
                is_grey = is_grey and holds_no_colour(picture)
        except BadImageError:
            unreadable.append(path)
    return Survey(
        folder=folder,
        classes=manifest.classes,
        images=training_counts(manifest),
        splits=split_folders(manifest),
        sizes=tuple(sizes),
        is_grey=is_grey,
        unreadable=tuple(unreadable),
    )


def evenly_spread(paths: Sequence[str], at_most: int) -> Iterator[str]:
    """At most so many of the paths, at equal distances."""
    step = max(1, -(-len(paths) // at_most))
    return islice(paths, 0, None, step)


def holds_no_colour(image: Picture) -> bool:
    """Whether an image is grey, also where it is stored as colour."""
    if isinstance(image, Numbers):
        return bool(image.values.shape[2] == 1)
    if len(image.getbands()) < 3 and image.mode not in ("P", "PA"):
        return True
    small = image.resize((64, 64), Image.Resampling.NEAREST).convert("RGB")
    pixels = np.asarray(small, dtype=np.int16)  # (height, width, 3)
    return bool(np.ptp(pixels, axis=-1).max() == 0)


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
