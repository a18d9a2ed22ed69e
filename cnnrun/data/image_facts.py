"""What is known of images that were looked at, and the form of what is found in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        kind: a word to select by, such as "unreadable".
        severity: "error" stops training or spoils its results; "warning" may; "note" is to know.
        message: what was found.
        advice: what to do about it.
        images: the images it concerns, each a path, perhaps with the reason or its copies.
        paths: the same as paths alone: for each entry its images, copies together.
    """

    kind: str
    severity: Severity
    message: str
    advice: str
    images: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What looking at one image told.

    Attributes:
        path: its path in the manifest.
        label: its class's name.
        split: "train", "validation", "test", or "" where there are no splits.
        reason: why it cannot be decoded; empty where it can, as the fields below suppose.
        height: of the upright image, in pixels.
        width: likewise.
        mode: Pillow's name for its colours, "L", "RGB", "P" and so on.
        is_transparent: whether it says that pixels are see-through.
        is_blank: whether all its pixels are the same.
        digest: a hash of its pixels; equal for equal pictures, whatever their file formats.
        bits: of each of its numbers, as they are stored.
        lowest: of its numbers.
        highest: likewise.
        pictures: how many there are in the file, of which the first is taken.
    """

    path: str
    label: str
    split: str
    reason: str = ""
    height: int = 0
    width: int = 0
    mode: str = ""
    is_transparent: bool = False
    is_blank: bool = False
    digest: bytes = b""
    bits: int = 8
    lowest: float = 0.0
    highest: float = 255.0
    pictures: int = 1


@dataclass(frozen=True)
class Said:
    """What the config says already, so that nothing is advised that it has.

    Attributes:
        image_size: (height, width) that images will be brought to, or None for their own.
        color_mode: "rgb", "grayscale" or "rgba", or None for their own.
        keep_aspect: whether the centre is cropped instead of squeezing the whole.
        value_range: the values of black and white, where they are given.
        takes_bands: whether bands are chosen.
        skips_bad_images: whether images that cannot be decoded are left out.
        weighs_classes: whether classes have weights.
    """

    image_size: tuple[int, int] | None = None
    color_mode: str | None = None
    keep_aspect: bool = False
    value_range: tuple[float, float] | None = None
    takes_bands: bool = False
    skips_bad_images: bool = False
    weighs_classes: bool = False


def alone(facts: Iterable[ImageFacts]) -> tuple[tuple[str, ...], ...]:
    """The paths of images, each an entry of its own."""
    return tuple((fact.path,) for fact in facts)
