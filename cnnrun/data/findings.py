"""What can be found in images once each has been looked at: damage, copies, odd ones, imbalance."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from cnnrun.data.refusal import counted, listed

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"})
# Where "odd" begins. These are conventions of cnnrun, not results: a side four times the median
# side is a different kind of picture, and squeezing by more than two is plain to see.
ODD_SIDE_RATIO = 4.0
ODD_ASPECT_RATIO = 2.0
IMBALANCE_RATIO = 3.0
FEW_TRAINING_IMAGES = 20


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        kind: a word to select by, such as "unreadable".
        severity: "error" stops training or spoils its results; "warning" may; "note" is to know.
        message: what was found.
        advice: what to do about it.
        images: the images it concerns, each a path, perhaps with the reason or its copies.
    """

    kind: str
    severity: Literal["error", "warning", "note"]
    message: str
    advice: str
    images: tuple[str, ...]


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


def find_all(
    facts: Sequence[ImageFacts],
    *,
    classes: Sequence[str],
    image_size: tuple[int, int] | None,
    color_mode: str | None,
) -> tuple[Finding, ...]:
    """Everything found, the severest first.

    Args:
        facts: of each image.
        classes: the classes' names.
        image_size: (height, width) that images will be brought to, or None for their own.
        color_mode: "rgb", "grayscale" or "rgba", or None for their own.
    """
    sound = [fact for fact in facts if not fact.reason]
    found = [
        *_unreadable(facts),
        *_duplicates(sound),
        *_imbalance(facts, classes),
        *_blank(sound),
        *_odd_sizes(sound),
        *_odd_aspects(sound, image_size),
        *_enlarged(sound, image_size),
        *_colours(sound, color_mode),
    ]
    severities = ("error", "warning", "note")
    return tuple(sorted(found, key=lambda finding: severities.index(finding.severity)))


def _unreadable(facts: Sequence[ImageFacts]) -> Iterator[Finding]:
    bad = [f"{fact.path}: {fact.reason}" for fact in facts if fact.reason]
    if bad:
        yield Finding(
            "unreadable",
            "error",
            f"{counted(len(bad), 'image')} cannot be decoded",
            "restore or remove them, or leave them out with data.on_bad_image: skip",
            tuple(bad),
        )


def _duplicates(facts: Sequence[ImageFacts]) -> Iterator[Finding]:
    by_digest: dict[bytes, list[ImageFacts]] = defaultdict(list)
    for fact in facts:
        by_digest[fact.digest].append(fact)
    copies = [group for group in by_digest.values() if len(group) > 1]
    conflicting = [group for group in copies if _differ(fact.label for fact in group)]
    straddling = [group for group in copies if _differ(fact.split for fact in group)]
    plain = [group for group in copies if not _differ((fact.label, fact.split) for fact in group)]
    if conflicting:
        yield Finding(
            "conflicting_labels",
            "error",
            f"{counted(len(conflicting), 'picture')} under more than one label",
            "keep each under its right label alone",
            _groups(conflicting),
        )
    if straddling:
        yield Finding(
            "duplicates_across_splits",
            "error",
            f"{counted(len(straddling), 'picture')} in more than one split, which makes results "
            "look better than they are",
            "remove the copies, or keep them together with a group column (data.csv.group)",
            _groups(straddling, with_split=True),
        )
    if plain:
        yield Finding(
            "duplicates",
            "note",
            f"{counted(len(plain), 'picture')} more than once in the same class and split",
            "remove the copies, unless they are meant to weigh more",
            _groups(plain),
        )


def _differ(values: Iterable[object]) -> bool:
    return len(set(values)) > 1


def _groups(groups: Sequence[Sequence[ImageFacts]], *, with_split: bool = False) -> tuple[str, ...]:
    return tuple(
        " = ".join(f"{fact.path} ({fact.split})" if with_split else fact.path for fact in group)
        for group in groups
    )


def _imbalance(facts: Sequence[ImageFacts], classes: Sequence[str]) -> Iterator[Finding]:
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
            "warning",
            f"{largest} has {counts[largest]:,} images to learn from and {smallest} only "
            f"{counts[smallest]:,}",
            "set train.class_weight: balanced, and read balanced accuracy rather than accuracy",
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
    blank = tuple(fact.path for fact in facts if fact.is_blank)
    if blank:
        yield Finding(
            "blank",
            "warning",
            f"{counted(len(blank), 'image')} of a single colour throughout",
            "look at them, and remove what is no picture",
            blank,
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


def _odd_aspects(
    facts: Sequence[ImageFacts], image_size: tuple[int, int] | None
) -> Iterator[Finding]:
    if image_size is None or not facts:
        return
    height, width = image_size
    yield from _odd(
        facts,
        lambda fact: _ratio(fact.width / fact.height, width / height) > ODD_ASPECT_RATIO,
        kind="odd_aspect",
        message=f"squeezed to less than half on the way to {height}x{width}",
        advice="set data.resize.keep_aspect: true to crop the centre instead, or crop them "
        "yourself",
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
    odd = tuple(f"{fact.path}: {fact.height}x{fact.width}" for fact in facts if is_odd(fact))
    if odd:
        yield Finding(kind, "note", f"{counted(len(odd), 'image')} {message}", advice, odd)


def _ratio(one: float, other: float) -> float:
    return max(one, other) / min(one, other)


def _colours(facts: Sequence[ImageFacts], color_mode: str | None) -> Iterator[Finding]:
    transparent = tuple(fact.path for fact in facts if fact.is_transparent)
    if transparent and color_mode != "rgba":
        yield Finding(
            "transparent",
            "note",
            f"{counted(len(transparent), 'image')} with see-through pixels, laid on white",
            "set data.color_mode: rgba to keep transparency as a fourth channel",
            transparent,
        )
    grey = tuple(fact.path for fact in facts if fact.mode in GREY_MODES)
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
        )
