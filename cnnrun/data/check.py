"""What is wrong, or merely odd, with a set of images."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import Numbers, Picture, bits_of_file, read_picture, refuse_bands
from cnnrun.data.decoding import Decoding
from cnnrun.data.findings import find_all
from cnnrun.data.image_facts import Finding, ImageFacts, Said
from cnnrun.data.levels import lowest_and_highest
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION, Manifest
from cnnrun.data.near_copies import near_copies
from cnnrun.data.parallel import map_in_threads
from cnnrun.data.splits import Splits
from cnnrun.data.thumbnails import SIDE, Thumbnail, thumbnail

TOO_ALIKE = (
    "copies that were saved again or changed are not looked for: the images are too alike for that"
)
ARRAY_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class ClassCount:
    """How many images of a class, readable or not, are in each split; 0 where there are none."""

    name: str
    images: int
    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class DataReport:
    """What was found in a set of images.

    Attributes:
        images: how many were looked at.
        unreadable: how many of them cannot be decoded.
        classes: the images of each class, by split.
        sizes: smallest, median and largest (height, width), by each side on its own; empty where
            no image can be decoded.
        modes: how many images there are of each of Pillow's modes ("L", "RGB", "P" and so on).
        notes: what was left out or assumed when the source was read, a sentence each.
        findings: what was found, the severest first.
    """

    images: int
    unreadable: int
    classes: tuple[ClassCount, ...]
    sizes: Mapping[str, tuple[int, int]]
    modes: Mapping[str, int]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as what JSON can hold."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, eq=False)
class Look:
    """What looking at every image told.

    Attributes:
        facts: of each image, in the manifest's order.
        thumbnails: `(images, side, side)` of grey, black where an image cannot be decoded.
        near: pairs of places in `facts`, of images that are nearly the same.
        notes: what could not be looked for.
    """

    facts: tuple[ImageFacts, ...]
    thumbnails: npt.NDArray[np.uint8]
    near: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]


def look_at_images(manifest: Manifest, splits: Splits | None, decoding: Decoding) -> Look:
    """Decode every image, one after the other, and find those that are nearly the same.

    Args:
        manifest: the images.
        splits: their splits; None where they could not be cut.
        decoding: how they will become pixels.

    Returns:
        No pixels are held: memory grows by a kilobyte an image.
    """
    return look_of(*look_at_rows(manifest, splits, decoding, range(len(manifest))))


def look_at_rows(
    manifest: Manifest, splits: Splits | None, decoding: Decoding, rows: Sequence[int]
) -> tuple[tuple[ImageFacts, ...], npt.NDArray[np.uint8]]:
    """Facts and thumbnails of some images, in their order; arguments are those above."""
    images = len(manifest)
    split_of_row = [""] * images if splits is None else splits.names(images=images)
    thumbnails = np.zeros((len(rows), SIDE, SIDE), np.uint8)

    def look_at(place: int) -> ImageFacts:
        row = rows[place]
        fact, small = _look_at(manifest, row, decoding, split=split_of_row[row])
        if small is not None:
            thumbnails[place] = small
        return fact

    return tuple(map_in_threads(look_at, range(len(rows)))), thumbnails


def look_of(facts: tuple[ImageFacts, ...], thumbnails: npt.NDArray[np.uint8]) -> Look:
    """What looking at every image tells, with those that are nearly the same."""
    found = near_copies(thumbnails)
    notes = () if found.limit > 0 else (TOO_ALIKE,)
    near = tuple((one, other) for one, other in found.pairs.tolist())
    return Look(facts, thumbnails, near, notes)


def report_on(look: Look, manifest: Manifest, said: Said) -> DataReport:
    """What is wrong with images that were looked at.

    Args:
        look: what was seen.
        manifest: the images.
        said: what the config says already.
    """
    sound = [fact for fact in look.facts if not fact.reason]
    return DataReport(
        images=len(look.facts),
        unreadable=len(look.facts) - len(sound),
        classes=_class_counts(look.facts, manifest),
        sizes=_sizes(sound),
        modes=dict(Counter(fact.mode for fact in sound).most_common()),
        notes=(*manifest.notes, *look.notes),
        findings=find_all(
            look.facts,
            classes=manifest.classes,
            near=look.near,
            said=said,
            labels=manifest.labels if manifest.is_multi_label else None,
        ),
    )


def _look_at(
    manifest: Manifest, row: int, decoding: Decoding, *, split: str
) -> tuple[ImageFacts, Thumbnail | None]:
    path, label = manifest.paths[row], manifest.label_text(row)
    if manifest.pixels is not None:
        pixels = manifest.pixels[row]
        mode = ARRAY_MODES.get(pixels.shape[2], f"{pixels.shape[2]} channels")
        seen = _Seen(mode, pixels, 8 * pixels.itemsize, *lowest_and_highest(pixels))
        return _facts(seen, path, label, split), thumbnail(pixels)
    try:
        with read_picture(manifest.file(row), decoding=decoding, exact=False) as picture:
            refuse_bands(picture, decoding, manifest.file(row))
            small, seen = thumbnail(picture), _seen(picture, bits_of_file(manifest.file(row)))
    except BadImageError as error:
        return ImageFacts(path, label, split, reason=error.reason), None
    return _facts(seen, path, label, split), small


@dataclass(frozen=True, eq=False)
class _Seen:
    """A picture as arrays: its mode, its pixels, and what is told by the file alone."""

    mode: str
    pixels: npt.NDArray[Any]
    bits: int
    lowest: float
    highest: float
    pictures: int = 1


def _seen(picture: Picture, bits: int) -> _Seen:
    if isinstance(picture, Numbers):
        values = picture.values
        mode = f"{values.shape[2]} bands of {values.dtype}"
        return _Seen(mode, values, bits, *lowest_and_highest(values))
    mode = picture.mode
    numbers = np.asarray(picture)
    is_tiff = picture.format == "TIFF"
    pictures = int(getattr(picture, "n_frames", 1)) if is_tiff else 1
    # Palettes number their colours as they like, so that equal pictures may differ in numbers.
    if mode in {"P", "PA"} or picture.has_transparency_data:
        numbers = np.asarray(picture.convert("RGBA"))
    factor = 256 if bits == 16 and numbers.dtype == np.uint8 else 1  # Pillow keeps the upper half
    low, high = lowest_and_highest(numbers) if mode != "1" else (0.0, 1.0)
    return _Seen(mode, numbers, bits, low * factor, high * factor, pictures)


def _facts(seen: _Seen, path: str, label: str, split: str) -> ImageFacts:
    pixels, is_transparent = seen.pixels, False
    has_opacity = seen.mode in {"P", "PA", "LA", "RGBA", "RGB", "L"} and pixels.ndim == 3
    if has_opacity and pixels.shape[2] == 4:
        is_transparent = bool((pixels[..., 3] < 255).any())
        # An opacity that is full everywhere does not make a different picture.
        pixels = pixels if is_transparent else pixels[..., :3]
    digest = blake2b(f"{pixels.shape}{pixels.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return ImageFacts(
        path=path,
        label=label,
        split=split,
        height=pixels.shape[0],
        width=pixels.shape[1],
        mode=seen.mode,
        is_transparent=is_transparent,
        is_blank=bool((pixels == pixels[0, 0]).all()),
        digest=digest.digest(),
        bits=8 if seen.mode == "1" else seen.bits,
        lowest=seen.lowest,
        highest=255.0 if seen.mode == "1" else seen.highest,
        pictures=seen.pictures,
    )


def _class_counts(facts: Sequence[ImageFacts], manifest: Manifest) -> tuple[ClassCount, ...]:
    splits = np.array([fact.split for fact in facts])
    of_split = {
        split: manifest.counts(np.flatnonzero(splits == split)).tolist()
        for split in (TRAIN, VALIDATION, TEST)
    }
    images = manifest.counts(np.arange(len(manifest))).tolist()
    return tuple(
        ClassCount(
            name=name,
            images=images[number],
            train=of_split[TRAIN][number],
            validation=of_split[VALIDATION][number],
            test=of_split[TEST][number],
        )
        for number, name in enumerate(manifest.classes)
    )


def _sizes(facts: Sequence[ImageFacts]) -> dict[str, tuple[int, int]]:
    if not facts:
        return {}
    heights = [fact.height for fact in facts]
    widths = [fact.width for fact in facts]
    return {
        "smallest": (min(heights), min(widths)),
        "median": (round(median(heights)), round(median(widths))),
        "largest": (max(heights), max(widths)),
    }
