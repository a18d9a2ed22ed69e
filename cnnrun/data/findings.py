"""What can be found in images once each has been looked at: damage, copies, odd ones, imbalance."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from cnnrun.data.copies import duplicates, near_duplicates
from cnnrun.data.depths import mixed_depths, unused_range
from cnnrun.data.image_facts import Finding, ImageFacts, Said, alone
from cnnrun.data.label_findings import find_in_labels
from cnnrun.data.label_twins import find_label_twins
from cnnrun.wording import counted, listed

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"})
# Where "odd" begins. These are conventions of cnnrun, not results: a side four times the median
# side is a different kind of picture, and squeezing by more than two is plain to see.
ODD_SIDE_RATIO = 4.0
ODD_ASPECT_RATIO = 2.0
IMBALANCE_RATIO = 3.0
FEW_TRAINING_IMAGES = 20


def find_all(
    facts: Sequence[ImageFacts],
    *,
    classes: Sequence[str],
    near: Sequence[tuple[int, int]],
    said: Said,
    labels: NDArray[np.int32] | None = None,
) -> tuple[Finding, ...]:
    """Everything found, the severest first.

    Args:
        facts: of each image.
        classes: the classes' names.
        near: pairs of places in `facts`, of images that are nearly the same.
        said: what the config says.
        labels: the matrix of their labels, where an image may have several.
    """
    sound = [fact for fact in facts if not fact.reason]
    found = [
        *_unreadable(facts, said),
        *duplicates(sound),
        *near_duplicates(facts, near),
        *find_label_twins(classes),
        *unused_range(sound, said),
        *mixed_depths(sound),
        *_several_pictures(sound),
        *(
            _imbalance(facts, classes, said)
            if labels is None
            else find_in_labels(labels, _trains(facts), names=classes)
        ),
        *_blank(sound),
        *_odd_sizes(sound),
        *_odd_aspects(sound, said),
        *_enlarged(sound, said.image_size),
        *([] if said.takes_bands else _colours(sound, said.color_mode)),
    ]
    severities = ("error", "warning", "note")
    return tuple(sorted(found, key=lambda finding: severities.index(finding.severity)))


def _unreadable(facts: Sequence[ImageFacts], said: Said) -> Iterator[Finding]:
    bad = [fact for fact in facts if fact.reason]
    if bad:
        skipped = said.skips_bad_images
        yield Finding(
            "unreadable",
            "warning" if skipped else "error",
            f"{counted(len(bad), 'image')} cannot be decoded"
            + (" and will be left out, as data.on_bad_image says" if skipped else ""),
            "restore or remove them"
            + ("" if skipped else ", or leave them out with data.on_bad_image: skip"),
            tuple(f"{fact.path}: {fact.reason}" for fact in bad),
            alone(bad),
        )


def _several_pictures(facts: Sequence[ImageFacts]) -> Iterator[Finding]:
    several = [fact for fact in facts if fact.pictures > 1]
    if several:
        yield Finding(
            "several_pictures",
            "note",
            f"{counted(len(several), 'TIFF file')} of several pictures, of which the first is "
            "taken",
            "write the others into files of their own; pages that are bands are chosen with "
            "data.bands",
            tuple(f"{fact.path}: {fact.pictures} pictures" for fact in several),
            alone(several),
        )


def _trains(facts: Sequence[ImageFacts]) -> NDArray[np.bool_]:
    return np.array([fact.split in {"", "train"} and not fact.reason for fact in facts], bool)


def _imbalance(
    facts: Sequence[ImageFacts], classes: Sequence[str], said: Said
) -> Iterator[Finding]:
    counts = dict.fromkeys(classes, 0)
    for fact in facts:
        if fact.split in {"", "train"} and not fact.reason:
            counts[fact.label] += 1
    few = [f"{name}: {count:,}" for name, count in counts.items() if count < FEW_TRAINING_IMAGES]
    if few:
        yield Finding(
            "few_images",
            "warning",
            f"{counted(len(few), 'class', 'classes')} with fewer than {FEW_TRAINING_IMAGES} "
            f"images to learn from: {listed(few)}",
            "add images, or expect results of these classes to be chance",
            (),
        )
    largest = max(counts, key=lambda name: counts[name])
    smallest = min(counts, key=lambda name: counts[name])
    if counts[largest] >= IMBALANCE_RATIO * max(counts[smallest], 1):
        yield Finding(
            "imbalance",
            "note" if said.weighs_classes else "warning",
            f"{largest} has {counts[largest]:,} images to learn from and {smallest} only "
            f"{counts[smallest]:,}" + (", which train.class_weight weighs" * said.weighs_classes),
            ("" if said.weighs_classes else "set train.class_weight: balanced, and ")
            + "read balanced accuracy rather than accuracy",
            (),
        )
    for split in ("validation", "test"):
        yield from _absent(facts, classes, split)


def _absent(facts: Sequence[ImageFacts], classes: Sequence[str], split: str) -> Iterator[Finding]:
    present = {fact.label for fact in facts if fact.split == split and not fact.reason}
    absent = [name for name in classes if name not in present]
    if present and absent:
        yield Finding(
            f"absent_in_{split}",
            "warning",
            f"no {split} images of {listed(absent)}",
            f"add some, or expect {split} results to say nothing of these classes",
            (),
        )


def _blank(facts: Sequence[ImageFacts]) -> Iterator[Finding]:
    blanks = [fact for fact in facts if fact.is_blank]
    blank = tuple(fact.path for fact in blanks)
    if blank:
        yield Finding(
            "blank",
            "warning",
            f"{counted(len(blank), 'image')} of a single colour throughout",
            "look at them, and remove what is no picture",
            blank,
            alone(blanks),
        )


def _odd_sizes(facts: Sequence[ImageFacts]) -> Iterator[Finding]:
    if not facts:
        return
    usual = median(max(fact.height, fact.width) for fact in facts)
    yield from _odd(
        facts,
        lambda fact: _ratio(max(fact.height, fact.width), usual) > ODD_SIDE_RATIO,
        kind="odd_size",
        message=f"far larger or smaller than the usual {usual:g} pixels",
        advice="look at them; thumbnails and scans do not belong among photographs",
    )


def _odd_aspects(facts: Sequence[ImageFacts], said: Said) -> Iterator[Finding]:
    if said.image_size is None or not facts:
        return
    height, width = said.image_size
    yield from _odd(
        facts,
        lambda fact: _ratio(fact.width / fact.height, width / height) > ODD_ASPECT_RATIO,
        kind="odd_aspect",
        message=f"cropped to less than half of its area on the way to {height}x{width}"
        if said.keep_aspect
        else f"squeezed to less than half on the way to {height}x{width}",
        advice="look whether what matters is in their middle, or crop them yourself"
        if said.keep_aspect
        else "set data.resize.keep_aspect: true to crop the centre instead, or crop them yourself",
    )


def _enlarged(facts: Sequence[ImageFacts], image_size: tuple[int, int] | None) -> Iterator[Finding]:
    if image_size is None:
        return
    height, width = image_size
    yield from _odd(
        facts,
        lambda fact: fact.height < height and fact.width < width,
        kind="enlarged",
        message=f"smaller than {height}x{width}, and so enlarged",
        advice="choose a smaller data.image_size: enlarging costs time and adds nothing",
    )


def _odd(
    facts: Sequence[ImageFacts],
    is_odd: Callable[[ImageFacts], bool],
    *,
    kind: str,
    message: str,
    advice: str,
) -> Iterator[Finding]:
    odd = [fact for fact in facts if is_odd(fact)]
    if odd:
        yield Finding(
            kind,
            "note",
            f"{counted(len(odd), 'image')} {message}",
            advice,
            tuple(f"{fact.path}: {fact.height}x{fact.width}" for fact in odd),
            alone(odd),
        )


def _ratio(one: float, other: float) -> float:
    return max(one, other) / min(one, other)


def _colours(facts: Sequence[ImageFacts], color_mode: str | None) -> Iterator[Finding]:
    see_through = [fact for fact in facts if fact.is_transparent]
    transparent = tuple(fact.path for fact in see_through)
    if transparent and color_mode != "rgba":
        yield Finding(
            "transparent",
            "note",
            f"{counted(len(transparent), 'image')} with see-through pixels, laid on white",
            "set data.color_mode: rgba to keep transparency as a fourth channel",
            transparent,
            alone(see_through),
        )
    greys = [fact for fact in facts if fact.mode in GREY_MODES]
    grey = tuple(fact.path for fact in greys)
    if grey and len(grey) == len(facts) and color_mode == "rgb":
        yield Finding(
            "all_grey",
            "note",
            "all images are grey, and are given three equal channels",
            "set data.color_mode: grayscale for a third of the input",
            (),
        )
    if grey and len(grey) < len(facts) and color_mode == "rgb":
        yield Finding(
            "some_grey",
            "note",
            f"{counted(len(grey), 'image')} grey among {len(facts) - len(grey):,} in colour",
            "make sure that colour does not give a class away; data.color_mode: grayscale rules "
            "it out",
            grey,
            alone(greys),
        )
