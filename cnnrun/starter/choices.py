"""What a first config for a folder of images should say, and why.

These are rules of thumb: nothing here trains or measures, and users are meant to change them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from cnnrun.starter.survey import Survey

LONGEST_SIDE = 128  # what a processor without a graphics card trains in minutes
SHORTEST_SIDE = 8
TRAINING_STEPS = 3000  # enough for a small network to level off on a few thousand images
NOTABLE_IMBALANCE = 1.5
SMALL_FOR_BACKBONE = 96  # a side that MobileNet halves to 3, and its default to 7
BACKBONE_SIDE = 224
HEAD_EPOCHS = 30
HEAD_PATIENCE = 8
FEW_IMAGES = 40  # of a class: 0.15 of fewer leaves hardly five to judge it by


@dataclass(frozen=True)
class ImageSize:
    """The size that images are brought to, and how."""

    height: int
    width: int
    keep_aspect: bool
    reason: str


@dataclass(frozen=True)
class Split:
    """The shares of images held back for validation and test."""

    validation: float
    test: float
    reason: str


@dataclass(frozen=True)
class Schedule:
    """How long to train, in batches of which size."""

    batch_size: int
    epochs: int
    patience: int


def image_size(sizes: Sequence[tuple[int, int]]) -> ImageSize:
    """A size near the images' own, small enough to train without a graphics card.

    Args:
        sizes: (height, width) of images, at least one.
    """
    if len(set(sizes)) == 1 and max(sizes[0]) <= LONGEST_SIDE:
        height, width = sizes[0]
        return ImageSize(height, width, False, "The images' own size, so nothing is resized.")
    middle_height = median(height for height, _ in sizes)
    middle_width = median(width for _, width in sizes)
    found = f"The median image is {middle_height:.0f} high and {middle_width:.0f} wide"
    if not shapes_agree(sizes):
        side = round_side(min(middle_height, middle_width, LONGEST_SIDE))
        return ImageSize(
            side, side, True, f"{found}, and shapes differ: the middle square of each is used."
        )
    scale = min(1.0, LONGEST_SIDE / max(middle_height, middle_width))
    return ImageSize(
        round_side(middle_height * scale),
        round_side(middle_width * scale),
        False,
        f"{found}; a side of at most {LONGEST_SIDE} trains without a graphics card.",
    )


def backbone_image_size(sizes: Sequence[tuple[int, int]]) -> ImageSize:
    """A square that a network which halves images five times can see something in.

    Args:
        sizes: (height, width) of images, at least one.
    """
    middle_height = median(height for height, _ in sizes)
    middle_width = median(width for _, width in sizes)
    is_square = max(middle_height, middle_width) <= 1.25 * min(middle_height, middle_width)
    if max(middle_height, middle_width) <= SMALL_FOR_BACKBONE:
        side = SMALL_FOR_BACKBONE
        reason = (
            f"MobileNet halves images five times: enlarged to {side} x {side}, small ones leave"
            f" {side >> 5} x {side >> 5} for it to look at."
        )
    else:
        side = BACKBONE_SIDE
        reason = f"The size that MobileNet was trained at, {side} x {side}."
    return ImageSize(side, side, not (is_square and shapes_agree(sizes)), reason)


def shapes_agree(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether most images have much the same ratio of height to width.

    The middle eight tenths of the ratios have to lie within a quarter of each other.
    """
    ratios = [height / width for height, width in sizes]
    if len(ratios) < 2:
        return True
    tenths = quantiles(ratios, n=10, method="inclusive")
    return tenths[-1] <= 1.25 * tenths[0]


def round_side(side: float) -> int:
    """A side that halves evenly several times, and enlarges nothing: a multiple of 16, or of 8."""
    step = 16 if side >= 48 else 8
    return max(SHORTEST_SIDE, min(LONGEST_SIDE, step * int(side / step)))


def split_shares(survey: Survey) -> Split | None:
    """The shares to cut for validation and test; None where the source brings all three splits."""
    if not survey.holds_back:
        reason = "Too few images of a class to hold any back: there is no validation and no test."
        return Split(validation=0.0, test=0.0, reason=reason)
    missing = [split for split in ("validation", "test") if split not in survey.splits]
    if survey.splits and not missing:
        return None
    smallest = min(survey.images)
    share = 0.15 if smallest >= FEW_IMAGES else 0.2
    noun = "label" if survey.data.is_multi_label else "class"
    few = (
        ""
        if smallest >= FEW_IMAGES
        else f" The smallest {noun} has but {smallest}: a larger share."
    )
    shares = {split: share if split in missing else 0.0 for split in ("validation", "test")}
    cut = f"No images given for {' and '.join(missing)}: cut evenly from each {noun}."
    return Split(**shares, reason=cut + few)


def filters(size: ImageSize) -> tuple[int, ...]:
    """The filters of each stage; every stage but the last halves the image, down to about 4."""
    halvings = int(math.log2(min(size.height, size.width) / 4))
    first = 32 if halvings <= 3 else 16
    return tuple(min(128, first * 2**stage) for stage in range(max(0, halvings) + 1))


def schedule(training_images: int) -> Schedule:
    """Batches small enough for several steps an epoch, and epochs for enough steps in all."""
    batch_size = 32
    while batch_size > 8 and training_images < 10 * batch_size:
        batch_size //= 2
    steps_an_epoch = math.ceil(training_images / batch_size)
    epochs = max(10, min(60, math.ceil(TRAINING_STEPS / steps_an_epoch)))
    return Schedule(batch_size=batch_size, epochs=epochs, patience=max(5, epochs // 4))


def imbalance(images: Sequence[int]) -> float:
    """How many times larger the largest class is than the smallest."""
    return max(images) / max(1, min(images))
