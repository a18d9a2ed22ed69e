"""Which arrays of an .npz file are images, which their labels, and of which split."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cnnrun.config.path_patterns import PatternError, parse_pattern
from cnnrun.data.layouts import SplitNames
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION
from cnnrun.errors import DataError
from cnnrun.runs.data_states import SPLITS
from cnnrun.wording import listed, nearest

_IMAGE_WORDS: Final = frozenset(
    ["x", "images", "image", "imgs", "img", "data", "pixels", "photos", "pictures"]
)
_LABEL_WORDS: Final = frozenset(["y", "labels", "label", "lbl", "targets", "target", "classes"])
_WEIGHT_WORDS: Final = frozenset(["w", "weight", "weights"])
_SPLIT_WORDS: Final = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
_WANTED: Final = "x_train and y_train (and x_test and so on), or images and labels"


@dataclass(frozen=True)
class ArrayNames:
    """What a config says of the arrays; None where their names are to be understood.

    Attributes:
        images: the name of the array of images, or a pattern of several with `{split}`.
        labels: likewise of the labels.
        groups: likewise of the groups.
        weights: likewise of the weights.
        words: what `{split}` calls a split; others keep their usual words.
    """

    images: str | None = None
    labels: str | None = None
    groups: str | None = None
    weights: str | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class ArrayPair(NamedTuple):
    """The names of a split's arrays, "" where there is none; the split is "" for all."""

    images: str
    labels: str
    groups: str
    split: str
    weights: str = ""


def array_pairs(
    shapes: Mapping[str, tuple[int, ...]], names: ArrayNames, *, place: str, partial: bool
) -> tuple[list[ArrayPair], list[str]]:
    """The pairs of images and labels, and the names of the arrays that nothing uses.

    Args:
        shapes: the arrays' shapes, by name.
        names: what the config says of them.
        place: what messages name as the place of the arrays.
        partial: whether there may be none for training.

    Raises:
        DataError: there is no pair, an array lacks the other of its pair, or one is not understood.
    """
    weights = _named(shapes, names.weights, "weights", names.words, place) if names.weights else {}
    shapes = {name: shape for name, shape in shapes.items() if name not in weights.values()}
    pairs, unused = _pairs(shapes, names, place, partial=partial)
    return _with_weights(pairs, weights, place), unused


def _with_weights(
    pairs: Sequence[ArrayPair], weights: Mapping[str, str], place: str
) -> list[ArrayPair]:
    """The pairs with their weights; those of validation and test may lack them."""
    if weights.keys() == {""} and len(pairs) > 1:  # one array, of the images that are trained with
        weights = {TRAIN: weights[""]}
    unweighed = pairs[0].split not in weights
    if weights and (unweighed or not weights.keys() <= {pair.split for pair in pairs}):
        raise DataError.at(
            place,
            rule="must hold weights of the images that are trained with, and of no others than "
            "there are",
            received=f"{listed(sorted(weights.values()))} beside "
            f"{listed([pair.images for pair in pairs])}",
            advice='correct data.arrays.weights, such as "{split}_weights"',
        )
    return [pair._replace(weights=weights.get(pair.split, "")) for pair in pairs]


def _pairs(
    shapes: Mapping[str, tuple[int, ...]], names: ArrayNames, place: str, *, partial: bool
) -> tuple[list[ArrayPair], list[str]]:
    if names.images or names.labels:
        pairs = _given_pairs(shapes, names, place)
        used = {name for pair in pairs for name in pair[:3] if name}
        return pairs, sorted(set(shapes) - used)
    pairs = _understood_pairs(shapes, names.words, place, partial=partial)
    used = {name for pair in pairs for name in pair[:3] if name}
    unused = [name for name in shapes if name not in used]
    if unused:
        described = listed([f"{name} {shapes[name]}" for name in unused])
        raise DataError.at(
            place,
            rule="must hold nothing but pairs of images and labels whose names say which belong "
            f"together, as in {_WANTED}",
            received=f"{described} beside {listed(sorted(used))}",
            advice=_misspelt(unused, used)
            or _as_weights(unused)
            or "rename them, or say which to take with "
            'data.arrays.images and .labels, such as {images: "{split}_images", labels: '
            '"{split}_labels"}; the others are left out then',
        )
    return pairs, []


def _as_weights(unused: Sequence[str]) -> str:
    """How to use an array that seems to hold weights."""
    called = [
        name for name in unused if set(re.findall(r"[^\W_]+", name.casefold())) & _WEIGHT_WORDS
    ]
    return f"write data.arrays.weights: {called[0]}, if it weighs the images" if called else ""


def _misspelt(unused: Sequence[str], used: set[str]) -> str:
    """Whether an array seems to lack nothing but a letter of the name that it should have."""
    known = [f"{kind}_{split}" for kind in "xy" for split in SPLITS]
    return next((hint for name in unused if (hint := nearest(name, sorted({*known} - used)))), "")


def _given_pairs(
    shapes: Mapping[str, tuple[int, ...]], names: ArrayNames, place: str
) -> list[ArrayPair]:
    images = _named(shapes, names.images, "images", names.words, place)
    labels = _named(shapes, names.labels, "labels", names.words, place)
    groups = _named(shapes, names.groups, "groups", names.words, place) if names.groups else {}
    if set(images) != set(labels):
        lacking = sorted(set(images) ^ set(labels))
        raise DataError.at(
            place,
            rule="must hold images and labels of the same splits",
            received=f"one of both alone for {listed([each or 'all' for each in lacking])}",
            advice="correct data.arrays.images or .labels",
        )
    order = ("", TRAIN, VALIDATION, TEST)
    return [
        ArrayPair(images[split], labels[split], groups.get(split, ""), split)
        for split in sorted(images, key=order.index)
    ]


def _named(
    shapes: Mapping[str, tuple[int, ...]],
    given: str | None,
    key: str,
    words: Mapping[str, tuple[str, ...]],
    place: str,
) -> dict[str, str]:
    """The arrays of a name or pattern, by split."""
    if given is None:
        raise DataError.at(
            place,
            rule="must have data.arrays.images and .labels, where one of them is given",
            received=f"nothing for data.arrays.{key}",
            advice=f"the arrays are {listed(sorted(shapes))}",
        )
    if "{" not in given:
        if given not in shapes:
            raise _absent(shapes, given, key, place)
        return {"": given}
    try:
        pattern = parse_pattern(given, fields=("split",))
    except PatternError as error:
        raise DataError.at(
            f"data.arrays.{key}", rule=str(error), received=f"`{given}`", advice="use {split}"
        ) from error
    split_of = SplitNames(words)
    found: dict[str, str] = {}
    for name in shapes:
        values = pattern.read(name)
        split = split_of(values["split"]) if values else None
        if split is not None:
            found[split] = name
    if not found:
        raise _absent(shapes, given, key, place)
    return found


def _absent(shapes: Mapping[str, object], given: str, key: str, place: str) -> Exception:
    return DataError.at(
        place,
        rule=f"must hold the array that data.arrays.{key} names, {given}",
        received=listed(sorted(shapes)) or "no array",
        advice=nearest(given, list(shapes)) or "correct the name",
    )


def _understood_pairs(
    shapes: Mapping[str, tuple[int, ...]],
    words: Mapping[str, tuple[str, ...]],
    place: str,
    *,
    partial: bool,
) -> list[ArrayPair]:
    """The pairs by the words in the arrays' names."""
    found: dict[tuple[str, str], str] = {}
    for name in shapes:
        kind, split = _meaning(name, words)
        if kind and (kind, split) in found:
            raise DataError.at(
                place,
                rule="must hold one array of images and one of labels for a split",
                received=f"{found[kind, split]} and {name}",
                advice="say which to take with data.arrays.images and .labels",
            )
        if kind:
            found[kind, split] = name
    splits = {split for _, split in found}
    for split in sorted(splits, key=lambda each: (("images", each) not in found, each)):
        images, labels = found.get(("images", split)), found.get(("labels", split))
        if images and labels:
            continue
        there = images or labels or ""
        missing = _partner(there, is_images=bool(images))
        raise DataError.at(
            place,
            rule=f"must hold {_WANTED}",
            received=f"{there} without {missing}" + (f" ({split})" if split else ""),
            advice=nearest(missing, [name for name in shapes if name not in found.values()])
            or f"add {missing}, or name both with data.arrays.images and .labels",
        )
    has_training = TRAIN in splits or (partial and bool(splits))
    if splits != {""} and (not has_training or "" in splits):
        raise DataError.at(
            place,
            rule=f"must hold {_WANTED}",
            received=listed(sorted(shapes)) or "no array",
            advice="rename the arrays, or name them with data.arrays.images and .labels",
        )
    return [
        ArrayPair(found["images", split], found["labels", split], "", split)
        for split in ("", TRAIN, VALIDATION, TEST)
        if split in splits
    ]


def _meaning(name: str, words: Mapping[str, tuple[str, ...]]) -> tuple[str, str]:
    """What an array's name says it is, "images" or "labels", and of which split; else nothing."""
    parts = [part.casefold() for part in re.findall(r"[^\W_]+", name)]
    split_of = SplitNames(words)
    splits = [split for part in parts if (split := split_of(part) or _SPLIT_WORDS.get(part))]
    kinds = [
        kind
        for part in parts
        for kind, known in (("images", _IMAGE_WORDS), ("labels", _LABEL_WORDS))
        if part in known
    ]
    if len(kinds) != 1 or len(splits) > 1 or len(parts) != 1 + len(splits):
        return "", ""
    return kinds[0], splits[0] if splits else ""


def _partner(name: str, *, is_images: bool) -> str:
    """What the other array of a pair would be called."""
    pairs = {"x": "y", "images": "labels", "image": "label", "data": "labels", "pixels": "labels"}
    pairs = (
        pairs
        if is_images
        else {"y": "x", "label": "image", "target": "data"}
        | {
            "labels": "images",
            "targets": "images",
        }
    )
    for part in re.findall(r"[^\W_]+", name):
        if part.casefold() in pairs:
            other = pairs[part.casefold()]
            return re.sub(rf"(?<![^\W_]){part}(?![^\W_])", other, name)
    return "its labels" if is_images else "its images"
