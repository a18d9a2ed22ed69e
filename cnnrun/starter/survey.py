"""What a user's images are like: classes, counts, sizes and colours."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnrun.config.data_section import DataSpec
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import (
    Numbers,
    Picture,
    begins_as_an_image,
    height_and_width,
    read_picture,
)
from cnnrun.data.decoding import AS_IT_IS
from cnnrun.data.levels import likely_range, uses_few_levels
from cnnrun.data.manifest import Manifest
from cnnrun.data.packed_images import ImageFile, PackedImage
from cnnrun.data.parallel import map_in_threads
from cnnrun.data.used_range import range_in_use
from cnnrun.file_kinds import is_file
from cnnrun.runs.data_states import SPLITS
from cnnrun.starter.source import Source, source_of

HEADERS_AT_ONCE = 256
HEADER_BYTES = 64
# JPEG, PNG, GIF. What begins otherwise, or is shorter, Pillow looks at.
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF87a", b"GIF89a")
IMAGES_READ = 200  # at most: enough for a median, and seconds even where they are photographs


@dataclass(frozen=True)
class Survey:
    """What `cnnrun init --data` found.

    Attributes:
        data: the `data` section that reads the images, as far as it follows from them.
        reason: why they are read so, a sentence each.
        classes: the labels' names that can be learnt, in the order of the network's outputs.
        too_small: those left out, each with its number of images: too few to hold any back.
        images: the number of images of each class that training can draw on: those given to
            training where the source has splits, all of them where it has none.
        total: the number of these images; of labels, several of which an image may have, less than
            their sum.
        splits: the splits that the source has ("train", "validation", "test"), or none.
        holds_back: whether images can be held back for validation and test.
        sizes: (height, width) of each image that was read, EXIF rotation applied.
        is_grey: whether every image that was read is grey.
        unreadable: the images that could not be read.
    """

    data: DataSpec
    reason: tuple[str, ...]
    classes: tuple[str, ...]
    too_small: tuple[str, ...]
    images: tuple[int, ...]
    total: int
    splits: tuple[str, ...]
    holds_back: bool
    sizes: tuple[tuple[int, int], ...]
    is_grey: bool
    unreadable: tuple[str, ...]


def survey_images(place: Path, *, layout: str | None) -> Survey:
    """Looks at the images of a folder, a CSV file or an .npz file.

    The header of every file is read, and of a large folder a sample of images, spread evenly over
    the classes.

    Args:
        place: where the images are.
        layout: how the paths of a folder are read, where that is said.

    Raises:
        DataError: there are no such images, or their meaning is not certain.
    """
    source = source_of(place, layout=layout)
    manifest = source.manifest
    sizes, is_grey, unreadable = _looks(manifest)
    data, reason = _with_range(source)
    counts = training_counts(manifest)
    splits = split_folders(manifest)
    small = _too_small(manifest, unreadable, counts, splits)
    holds_back = len(manifest.classes) - len(small) > 1
    kept = [number for number in range(len(counts)) if not holds_back or number not in small]
    return Survey(
        data=data,
        reason=reason,
        classes=tuple(manifest.classes[number] for number in kept),
        too_small=tuple(
            f"{manifest.classes[number]} ({counts[number]})" for number in small if holds_back
        ),
        images=tuple(counts[number] for number in kept),
        total=len(_training_rows(manifest))
        if manifest.is_multi_label
        else sum(counts[number] for number in kept),
        splits=splits,
        holds_back=holds_back,
        sizes=sizes,
        is_grey=is_grey,
        unreadable=tuple(manifest.paths[row] for row in unreadable),
    )


def _with_range(source: Source) -> tuple[DataSpec, tuple[str, ...]]:
    """The values of black and white, where files use few of those that they could hold.

    All files are looked at where a sample uses few.
    """
    manifest = source.manifest
    if manifest.pixels is not None:
        return source.data, source.reason
    everything = range(len(manifest))
    for rows in (list(evenly_spread(everything, IMAGES_READ)), everything):
        found, bits = range_in_use(manifest, np.array(rows), AS_IT_IS)
        if not uses_few_levels(found, bits):
            return source.data, source.reason
    black, white = likely_range(*found, is_whole=True)
    said = f"files of {bits} bits with values from {found[0]:g} to {found[1]:g}"
    return replace(source.data, value_range=(black, white)), (*source.reason, said)


def _looks(manifest: Manifest) -> tuple[tuple[tuple[int, int], ...], bool, list[int]]:
    """Sizes and greyness of a sample, and the rows that cannot be read."""
    if manifest.pixels is not None:
        height, width, channels = manifest.pixels.shape[1:]
        return ((height, width),), channels == 1, []
    rows = range(len(manifest))
    parts = [rows[start : start + HEADERS_AT_ONCE] for start in rows[::HEADERS_AT_ONCE]]
    looked_at = map_in_threads(
        lambda part: [_has_header(manifest.file(row)) for row in part], parts
    )
    sound = [is_sound for part in looked_at for is_sound in part]
    unreadable = {row for row in rows if not sound[row]}
    sizes: list[tuple[int, int]] = []
    is_grey = True
    for row in evenly_spread([row for row in rows if sound[row]], IMAGES_READ):
        try:
            with read_picture(manifest.file(row), decoding=AS_IT_IS, exact=False) as picture:
                sizes.append(height_and_width(picture))
                is_grey = is_grey and holds_no_colour(picture)
        except BadImageError:
            unreadable.add(row)
    return tuple(sizes), is_grey, sorted(unreadable)


def _has_header(file: ImageFile) -> bool:
    """Whether a file begins as an image does."""
    if isinstance(file, Path) and not is_file(file):
        return False
    try:
        if isinstance(file, PackedImage):
            begin = replace(file, size=min(file.size, HEADER_BYTES)).read_bytes()
        else:
            with open(file, "rb", buffering=0) as opened:
                begin = opened.read(HEADER_BYTES)
    except (OSError, ValueError):
        return False
    if len(begin) == HEADER_BYTES and begin.startswith(BEGINNINGS):
        return True
    if begins_as_an_image(file):
        return True
    try:  # Pillow does not know all that can be read: TIFF of many bands
        with read_picture(file, decoding=AS_IT_IS, exact=False):
            return True
    except BadImageError:
        return False


def _too_small(
    manifest: Manifest, unreadable: Sequence[int], counts: Sequence[int], splits: Sequence[str]
) -> list[int]:
    """The classes of which no image can be held back, or none that can be read would be left."""
    held = sum(split not in splits for split in ("validation", "test"))
    if manifest.is_multi_label:
        return [number for number, images in enumerate(counts) if images < 1 + held]
    bad = Counter(int(manifest.labels[row]) for row in unreadable)
    units: dict[int, set[str]] = defaultdict(set)
    for row, label in enumerate(manifest.labels.tolist()):
        units[label].add(manifest.groups[row] if manifest.groups else manifest.paths[row])
    return [
        number
        for number, images in enumerate(counts)
        if len(units[number]) - bad[number] < 1 + held
        or images - bad[number] < 1 + held
        or (bad[number] and bad[number] >= images - max(held, math.ceil(0.2 * held * images)))
    ]


def evenly_spread(rows: Sequence[int], at_most: int) -> Iterator[int]:
    """At most so many of the rows, at equal distances."""
    step = max(1, -(-len(rows) // at_most))
    return islice(rows, 0, None, step)


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
    return tuple(manifest.counts(_training_rows(manifest)).tolist())


def _training_rows(manifest: Manifest) -> npt.NDArray[np.int64]:
    """The rows from which the training split is taken."""
    if manifest.splits is None:
        return np.arange(len(manifest), dtype=np.int64)
    return np.flatnonzero(np.array(manifest.splits) == "train")


def split_folders(manifest: Manifest) -> tuple[str, ...]:
    """The splits that have folders of their own, in the order in which they are used."""
    present = frozenset(manifest.splits or ())
    return tuple(split for split in SPLITS if split in present)
