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
from cnnrun.data.decode import Numbers, Picture, read_picture
from cnnrun.data.decoding import Decoding
from cnnrun.data.findings import Finding, ImageFacts, find_all
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION, Manifest
from cnnrun.data.parallel import map_in_threads
from cnnrun.data.splits import Splits

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
        findings: what was found, the severest first.
    """

    images: int
    unreadable: int
    classes: tuple[ClassCount, ...]
    sizes: Mapping[str, tuple[int, int]]
    modes: Mapping[str, int]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as what JSON can hold."""
        return dataclasses.asdict(self)


def check_images(
    manifest: Manifest,
    splits: Splits | None,
    decoding: Decoding,
) -> DataReport:
    """Decode every image, one after the other, and report what is wrong with them.

    Args:
        manifest: the images.
        splits: their splits, for copies across them; None where they could not be cut.
        decoding: how they will become pixels.

    Returns:
        A report. No pixels are held: memory grows by a few hundred bytes an image.
    """
    split_of_row = _split_names(splits, images=len(manifest))
    facts = list(
        map_in_threads(
            lambda row: _look_at(manifest, row, decoding, split=split_of_row[row]),
            range(len(manifest)),
        )
    )
    sound = [fact for fact in facts if not fact.reason]
    return DataReport(
        images=len(facts),
        unreadable=len(facts) - len(sound),
        classes=_class_counts(facts, manifest.classes),
        sizes=_sizes(sound),
        modes=dict(Counter(fact.mode for fact in sound).most_common()),
        findings=find_all(
            facts,
            classes=manifest.classes,
            image_size=decoding.image_size,
            color_mode=decoding.color_mode,
        ),
    )


def _split_names(splits: Splits | None, *, images: int) -> list[str]:
    names = [""] * images
    if splits is not None:
        for name, rows in (
            (TRAIN, splits.train),
            (VALIDATION, splits.validation),
            (TEST, splits.test),
        ):
            for row in rows.tolist():
                names[row] = name
    return names


def _look_at(manifest: Manifest, row: int, decoding: Decoding, *, split: str) -> ImageFacts:
    path, label = manifest.paths[row], manifest.classes[manifest.labels[row]]
    if manifest.pixels is not None:
        pixels = manifest.pixels[row]
        mode = ARRAY_MODES.get(pixels.shape[2], f"{pixels.shape[2]} channels")
        return _facts(pixels, path, label, split, mode=mode)
    try:
        with read_picture(manifest.file(row), decoding=decoding, exact=False) as picture:
            mode, pixels = _mode_and_pixels(picture)
    except BadImageError as error:
        return ImageFacts(path, label, split, reason=error.reason)
    return _facts(pixels, path, label, split, mode=mode)


def _mode_and_pixels(picture: Picture) -> tuple[str, npt.NDArray[Any]]:
    if isinstance(picture, Numbers):
        return f"{picture.values.shape[2]} bands of {picture.values.dtype}", picture.values
    mode = picture.mode
    # Palettes number their colours as they like, so that equal pictures may differ in numbers.
    if mode in {"P", "PA"} or picture.has_transparency_data:
        picture = picture.convert("RGBA")
    return mode, np.asarray(picture)


def _facts(pixels: npt.NDArray[Any], path: str, label: str, split: str, *, mode: str) -> ImageFacts:
    is_transparent = False
    if pixels.ndim == 3 and pixels.shape[2] == 4:
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
        mode=mode,
        is_transparent=is_transparent,
        is_blank=bool((pixels == pixels[0, 0]).all()),
        digest=digest.digest(),
    )


def _class_counts(facts: Sequence[ImageFacts], classes: Sequence[str]) -> tuple[ClassCount, ...]:
    counts = Counter((fact.label, fact.split) for fact in facts)
    images = Counter(fact.label for fact in facts)
    return tuple(
        ClassCount(
            name=name,
            images=images[name],
            train=counts[name, TRAIN],
            validation=counts[name, VALIDATION],
            test=counts[name, TEST],
        )
        for name in classes
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
