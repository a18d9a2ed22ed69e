"""Splits without class folders, which look like classes: what tells of them, in any language.

No sign alone is proof. The same classes in the names of files of several folders, or several names
that mean different splits, are refused with both readings; a weaker sign is said.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cnnrun.config.path_patterns import PatternError, literal
from cnnrun.data.image_tree import Folder, innermost, split_kind, unwrapped
from cnnrun.data.layout_choices import UndecidedError, name_layouts
from cnnrun.data.layout_findings import Findings
from cnnrun.data.layouts import SPLIT_WORDS, key_of, place_images
from cnnrun.data.manifest import TRAIN, Layout
from cnnrun.data.shared_folders import same_classes_in_names
from cnnrun.data.split_words import meant_split
from cnnrun.wording import listed

LOOKED_AT: Final = 400  # names of a folder, evenly spread
FOLDERS_AT_MOST: Final = 40
SPLITS_AT_MOST: Final = 4
_MOST: Final = 0.8
# Beginnings of files' names that cameras, programs and augmentation give: no classes.
_GIVEN_NAMES: Final = frozenset(
    """aug augmented angle back blur blurred bottom bright copy crop cropped dark dcim download dsc
    dscf dscn file flip flipped foto frame front gopr hflip im image images img imgs left mirror
    mirrored mvi noise noisy orig original photo pic pict picture pxl resized right rot rotate
    rotated rotation sample scan screenshot shift side top unnamed untitled vflip vid video view
    whatsapp zoom
    """.split()  # noqa: SIM905 (a list of words, one a line, hides them)
)
# Pattern and expression of a name that holds both; `{0}` is what stands between them.
_BOTH_IN_A_NAME: Final = (
    ("{{split}}{0}{{label}}", r"(?P<split>[^\W\d_]+){0}(?P<label>.+)"),
    ("{{label}}{0}{{split}}", r"(?P<label>.+){0}(?P<split>[^\W\d_]+)"),
)
_SHARES: Final = (
    (0.9, 0.1),
    (0.85, 0.15),
    (0.8, 0.2),
    (0.75, 0.25),
    (0.7, 0.3),
    (0.6, 0.4),
    (0.9, 0.05, 0.05),
    (0.8, 0.1, 0.1),
    (0.7, 0.15, 0.15),
    (0.7, 0.2, 0.1),
    (0.64, 0.2, 0.16),
    (0.6, 0.2, 0.2),
    (0.5, 0.25, 0.25),
)
_UNSORTED: Final = re.compile(r"un-?_?(label|annotat|sort|class)", re.IGNORECASE)
# By the number of folders: fewer images fall into such shares by chance.
_IMAGES_AT_LEAST: Final[Mapping[int, int]] = {2: 100, 3: 20}
_NUMBERED_AT_LEAST: Final = 10
OTHERWISE: Final = (
    "as splits: sort the images of each into a folder for each class, or name images and classes "
    "in a table (data.csv)"
)


def refuse_split_names(children: list[Folder], prefix: str, findings: Findings) -> None:
    """Refuse folders whose names mean different splits, in whatever language.

    Raises:
        UndecidedError: nearly all of a few names do.
    """
    if findings.given or not 1 < len(children) <= SPLITS_AT_MOST + 1:
        return
    kinds = {child.name: meant_split(child.name) for child in children}
    found = set(kinds.values()) - {None}
    strangers = sum(kind is None for kind in kinds.values())
    if TRAIN not in found or len(found) < 2 or strangers > 1:
        return
    named = [child for child in children if kinds[child.name]]
    train = next(child for child in named if kinds[child.name] == TRAIN)
    words = _by_split(kinds)
    chain, inner = unwrapped(train)
    above = "".join(f"{literal(name)}/" for name in chain)
    by_class = Layout((f"{prefix}{{label}}/**",))
    reason = f"the names of {listed([child.name for child in named])} can mean splits"
    if len(inner.folders) > 1:
        splits = Layout((f"{prefix}{{split}}/{above}{{label}}/**",), words)
        only = Layout((f"{prefix}{literal(train.name)}/{above}{{label}}/**",))
        raise UndecidedError(f"{reason}: splits, or classes?", [splits, only, by_class])
    chain, inner = innermost(train)
    above = "".join(f"{literal(name)}/" for name in chain)
    raise UndecidedError(
        f"{reason}, and {train.name} holds no class folders: splits, or classes?",
        [*name_layouts(inner, f"{prefix}{literal(train.name)}/{above}"), by_class],
        otherwise=OTHERWISE,
    )


def refuse_classes_named_by_split(children: list[Folder], prefix: str) -> None:
    """Refuse folders that are named by split and class together: `train_cat`, `cat-prueba`.

    Raises:
        UndecidedError: most names are, and some classes stand in more than one split.
    """
    names = [child.name for child in children]
    found = _split_and_class(names)
    if found is None:
        return
    pattern, words = found
    raise UndecidedError(
        f"the names of {listed(names)} can hold split and class together",
        [Layout((f"{prefix}{pattern}/**",), words), Layout((f"{prefix}{{label}}/**",))],
        otherwise="as splits: move the folders of each split into a folder of its own",
    )


def layouts_of_names(folder: Folder, prefix: str) -> list[Layout]:
    """The patterns that would find classes, and splits, in the names of a folder's images."""
    layouts = name_layouts(folder, prefix)
    for layout in layouts:
        placed = place_images(folder.images, Layout((layout.patterns[0].removeprefix(prefix),)))
        found = _split_and_class(sorted({image.label for image in placed.images}))
        if found is not None:
            pattern, words = found
            both = layout.patterns[0].replace("{label}", pattern)
            return [Layout((both,), words), *layouts]
    return layouts


def _split_and_class(names: Sequence[str]) -> tuple[str, dict[str, tuple[str, ...]]] | None:
    """The pattern of names that hold split and class together, and the words for the splits."""
    for pattern, expression in _BOTH_IN_A_NAME:
        for separator in "_- .":
            matches = (
                re.fullmatch(expression.format(re.escape(separator)), each) for each in names
            )
            pairs = {
                (key_of(match["label"]), match["split"], kind)
                for match in matches
                if match and (kind := meant_split(match["split"]))
            }
            kinds = {kind for *_, kind in pairs}
            shared = Counter(label for label, *_ in pairs)
            many = sum(number > 1 for number in shared.values()) > 1
            if many and TRAIN in kinds and len(kinds) > 1 and len(pairs) >= _MOST * len(names):
                words = _by_split({word: kind for _, word, kind in sorted(pairs)})
                return pattern.format(separator), words
    return None


def _by_split(kinds: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
    """The names of each split that there is, in the splits' order."""
    named = {
        split: tuple(name for name, kind in kinds.items() if kind == split) for split in SPLIT_WORDS
    }
    return {split: names for split, names in named.items() if names}


def refuse_classes_in_names(children: list[Folder], prefix: str, findings: Findings) -> None:
    """Refuse folders whose files' names carry the same classes, as flat splits and patients do.

    Where those names are words for splits, the folders are the classes, and that is said.

    Raises:
        UndecidedError: at least half of the folders hold at least two of the same.
    """
    flat = [child for child in children if not innermost(child)[1].folders][:FOLDERS_AT_MOST]
    name, labels = _labels_in_names(flat)
    counts = Counter(key_of(label) for found in labels.values() for label in found)
    shared = {label for label, number in counts.items() if number > 1}
    sharers = [
        child
        for child in flat
        if len({key_of(label) for label in labels.get(child.name, ())} & shared) > 1
    ]
    if len(sharers) < 2 or 2 * len(sharers) < min(len(children), FOLDERS_AT_MOST):
        return
    common = sorted({each for child in sharers for each in labels[child.name]})
    kinds = {each: split_kind(each) for each in common}
    found = set(kinds.values()) - {None}
    if TRAIN in found and len(found) > 1:
        words = ", ".join(
            f"{split}: [{', '.join(names)}]" for split, names in _by_split(kinds).items()
        )
        said = name.replace("{label}", "{split}")
        findings.notes.append(
            f"names of images begin or end with {listed(common)}, which was not taken for splits; "
            f'as splits: data.layout: "{prefix}{{label}}/{said}" and data.split: {{{words}}}'
        )
        return
    strangers = [child for child in children if child not in sharers] if len(flat) < 20 else []
    raise same_classes_in_names(sharers, strangers, common, prefix, name)


def _labels_in_names(folders: Sequence[Folder]) -> tuple[str, Mapping[str, set[str]]]:
    """The pattern that reads classes off the names in some folder, and those of each folder."""
    images = {folder.name: list(_evenly_spread(innermost(folder)[1].images)) for folder in folders}
    for folder in sorted(folders, key=lambda each: -len(images[each.name])):
        for layout in name_layouts(Folder("", images[folder.name]), ""):
            labels = {name: _labels(each, layout) for name, each in images.items()}
            if sum(len(found) > 1 for found in labels.values()) > 1:
                return layout.patterns[0], labels
    return "", {}


def _labels(images: Sequence[str], layout: Layout) -> set[str]:
    """The words that may be classes in the names of most of a folder's images."""
    try:
        placed = place_images(images, layout).images
    except PatternError:
        return set()
    if len(placed) < _MOST * len(images):
        return set()
    is_named = layout.patterns[0].startswith("*")  # by a word before it, such as `class`
    return {image.label for image in placed if is_named or _can_be_class(image.label)}


def _can_be_class(word: str) -> bool:
    letters = re.findall(r"[^\W\d_]+", word.casefold())
    return len("".join(letters)) > 1 and not _GIVEN_NAMES.issuperset(letters)


def _evenly_spread(names: Sequence[str]) -> Sequence[str]:
    return names[:: max(1, len(names) // LOOKED_AT)]


def weigh_signs_of_splits(children: list[Folder], prefix: str, findings: Findings) -> None:
    """Say what looks like splits all the same, and refuse it where two signs agree.

    Raises:
        UndecidedError: two signs agree, or some are named as images without a class are.
    """
    if not 1 < len(children) < SPLITS_AT_MOST:
        return
    flat = [innermost(child)[1] for child in children]
    if any(folder.folders for folder in flat):
        _weigh_uneven_depth(children, prefix, findings)
        return
    names = listed([child.name for child in children])
    signs = list(_signs(children, flat))
    if len(signs) > 1:
        raise UndecidedError(
            f"{names} have {' and '.join(signs)}: splits, or classes?",
            [Layout((f"{prefix}{{label}}/**",))],
            otherwise=OTHERWISE,
        )
    if signs:
        findings.notes.append(f"took {names} for the classes, though they have {signs[0]}")
        findings.notes.append(OTHERWISE)


def _signs(children: Sequence[Folder], flat: Sequence[Folder]) -> Iterator[str]:
    """What makes a few folders of images look like splits."""
    counts = sorted((len(folder.images) for folder in flat), reverse=True)
    total = sum(counts)
    if counts[0] < 1.5 * counts[1]:
        return
    if any(
        meant_split(child.name) == TRAIN and len(folder.images) == counts[0]
        for child, folder in zip(children, flat, strict=True)
    ):
        yield "the name of a split for the most images"
    shares = [part for part in _SHARES if len(part) == len(counts)]
    if total >= _IMAGES_AT_LEAST[len(counts)] and any(
        all(
            abs(count - share * total) <= 0.5 + 0.001 * total
            for count, share in zip(counts, each, strict=True)
        )
        for each in shares
    ):
        yield f"the shares of splits ({', '.join(f'{count:,}' for count in counts)} images)"
    if total >= _NUMBERED_AT_LEAST and _one_numbering(flat):
        yield "names with one numbering that runs through them"


def _one_numbering(folders: Sequence[Folder]) -> bool:
    """Whether the images' names differ in one number alone, none twice and none left out."""
    names = [os.path.splitext(image)[0] for folder in folders for image in folder.images]
    numbers = [tuple(map(int, re.findall(r"\d+", name))) for name in names]
    if len({re.sub(r"\d+", "0", name) for name in names}) > 1 or not numbers[0]:
        return False
    varying = [slot for slot in zip(*numbers, strict=True) if len(set(slot)) > 1]
    if len(varying) != 1:
        return False
    (slot,) = varying
    return len(set(slot)) == len(slot) and max(slot) - min(slot) + 1 == len(slot)


def _weigh_uneven_depth(children: Sequence[Folder], prefix: str, findings: Findings) -> None:
    """Say it where one folder holds folders and others only images: those may be the classes.

    Raises:
        UndecidedError: the others are named as images without a class are.
    """
    deep = [child for child in children if len(unwrapped(child)[1].folders) > 1]
    rest = [child for child in children if child not in deep]
    if len(deep) != 1 or deep[0].images or any(child.folders for child in rest):
        return
    chain, _ = unwrapped(deep[0])
    inside = "".join(f"{literal(name)}/" for name in (deep[0].name, *chain))
    layout = f"{prefix}{inside}{{label}}/**"
    if any(_UNSORTED.match(child.name) for child in rest):
        raise UndecidedError(
            f"{deep[0].name} holds folders, and {listed([child.name for child in rest])} beside it "
            "only images, which may have no class",
            [Layout((layout,)), Layout((f"{prefix}{{label}}/**",))],
        )
    findings.notes.append(
        f"took {listed([child.name for child in children])} for the classes; where the folders in "
        f'{deep[0].name} are, write data.layout: "{layout}"'
    )
