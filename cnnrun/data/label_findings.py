"""What can be found in several labels an image: which always, or never, stand together."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.data.image_facts import Finding
from cnnrun.wording import counted, listed

FEW_TRAINING_IMAGES: Final = 20
EXPECTED_AT_LEAST: Final = 5.0
"""So many images would have both labels if these knew nothing of each other."""
RARE_SHARE: Final = 0.05
COMMON_SHARE: Final = 0.9
"""Of a label that more images have, it says nothing that another one stands beside it."""


def find_in_labels(
    labels: NDArray[np.int32], trains: NDArray[np.bool_], *, names: Sequence[str]
) -> Iterator[Finding]:
    """What is odd about labels.

    Args:
        labels: `(images, labels)` of 1, 0, and -1 for unknown.
        trains: which images train, `(images,)`.
        names: the labels' names.
    """
    yield from _pairs(labels == 1, names)
    yield from _constant(labels, names)
    yield from _few(labels[trains], names)


def _pairs(present: NDArray[np.bool_], names: Sequence[str]) -> Iterator[Finding]:
    numbers = present.astype(np.int64)
    both, each = numbers.T @ numbers, numbers.sum(axis=0)
    always = [
        f"{names[one]} (always with {names[other]}): {counted(int(each[one]), 'image')}"
        for one in range(len(names))
        for other in range(len(names))
        if one != other
        and both[one, other] == each[one] >= EXPECTED_AT_LEAST
        and each[other] < COMMON_SHARE * len(present)
    ]
    if always:
        yield Finding(
            "labels_always_together",
            "warning",
            f"{counted(len(always), 'label')} that never stand without another one",
            "check that both were meant; a network cannot learn what tells them apart",
            tuple(always),
        )
    expected = np.outer(each, each) / max(len(present), 1)
    never = [
        f"{names[one]} and {names[other]} ({expected[one, other]:.0f} expected by chance)"
        for one, other in zip(*np.nonzero(np.triu(both == 0, 1)), strict=True)
        if expected[one, other] >= EXPECTED_AT_LEAST
    ]
    if never:
        yield Finding(
            "labels_never_together",
            "note",
            f"{counted(len(never), 'pair')} of labels that no image has both of",
            "no image has two labels at all: leave `task: multi_label` out, if none can"
            if (present.sum(axis=1) <= 1).all()
            else "check that they exclude each other, and that nobody stopped at the first one",
            tuple(never),
        )


def _constant(labels: NDArray[np.int32], names: Sequence[str]) -> Iterator[Finding]:
    found = [
        name
        for name, column in zip(names, labels.T, strict=True)
        if (column == 1).any() and not (column == 0).any()
    ]
    if found:
        yield Finding(
            "labels_of_all",
            "warning",
            f"{counted(len(found), 'label')} that every image has of which it is known: "
            f"{listed(found)}",
            "leave them out with data.classes: nothing can be learnt about them",
            (),
        )


def _few(labels: NDArray[np.int32], names: Sequence[str]) -> Iterator[Finding]:
    each = (labels == 1).sum(axis=0).tolist()
    few = [
        f"{name}: {number:,}"
        for name, number in zip(names, each, strict=True)
        if number < FEW_TRAINING_IMAGES
    ]
    if few:
        yield Finding(
            "few_images",
            "warning",
            f"{counted(len(few), 'label')} with fewer than {FEW_TRAINING_IMAGES} images to learn "
            f"from: {listed(few)}",
            "add images, or expect results of these labels to be chance",
            (),
        )
    rare = [
        f"{name}: {number / len(labels):.1%}"
        for name, number in zip(names, each, strict=True)
        if number >= FEW_TRAINING_IMAGES and number < RARE_SHARE * len(labels)
    ]
    if rare:
        yield Finding(
            "imbalance",
            "note",
            f"{counted(len(rare), 'label')} of fewer than {RARE_SHARE:.0%} of the images: "
            f"{listed(rare)}",
            "`train.class_weight: balanced` lets images with and without a label weigh the same",
            (),
        )
