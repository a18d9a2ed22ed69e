"""What a layout reads off the paths of images: the class, the split and the group of each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cnnrun.config.path_patterns import LAYOUT_FIELDS, Exclusion, parse_pattern
from cnnrun.data.label_sets import LabelSet
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION, Layout, composed

# What `{split}` and a split column may say where `data.split` names no words.
SPLIT_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    TRAIN: ("train", "training"),
    VALIDATION: ("val", "valid", "validation"),
    TEST: ("test", "testing"),
}


class Placed(NamedTuple):
    """An image's path, and what is known of it; empty (no weight: None) where nothing is.

    Of several labels an image has, `label` is empty and `labels` holds them.
    """

    path: str
    label: str
    split: str
    group: str
    weight: float | None = None
    labels: LabelSet | None = None

    @property
    def is_labelled(self) -> bool:
        """Whether it is known which class it is of, or which labels it has, if any."""
        return bool(self.label) or self.labels is not None


@dataclass(frozen=True)
class Placement:
    """What a layout made of some paths.

    Attributes:
        images: those that it covers.
        uncovered: the paths that no pattern covers.
        excluded: how many paths `exclude` left out.
        other_words: how many images lie in splits that have no meaning, by their word.
    """

    images: list[Placed]
    uncovered: list[str]
    excluded: int
    other_words: Counter[str]


def place_images(paths: Iterable[str], layout: Layout) -> Placement:
    """Read each path by a layout.

    Raises:
        PatternError: a path can be read in two ways.
    """
    patterns = [parse_pattern(text, fields=LAYOUT_FIELDS) for text in layout.patterns]
    is_excluded = Exclusion(layout.exclude)
    split_of = SplitNames(layout.words)
    placement = Placement([], [], 0, Counter())
    excluded = 0
    for path in paths:
        if layout.exclude and is_excluded(path):
            excluded += 1
            continue
        name = composed(path)
        values = next((found for each in patterns if (found := each.read(name)) is not None), None)
        if values is None:
            placement.uncovered.append(path)
            continue
        word = values.get("split", "")
        split = split_of(word) if word else ""
        if split is None:
            placement.other_words[word] += 1
            continue
        placement.images.append(
            Placed(path, values.get("label", ""), split, values.get("group", ""))
        )
    return Placement(placement.images, placement.uncovered, excluded, placement.other_words)


class SplitNames:
    """Which split a word means: "train", "validation", "test", or None."""

    def __init__(self, words: Mapping[str, Sequence[str]]) -> None:
        usual = {
            word: split
            for split, names in SPLIT_WORDS.items()
            if split not in words
            for word in names
        }
        given = {key_of(word): split for split, names in words.items() for word in names}
        self._split_of = usual | given

    def __call__(self, word: str) -> str | None:
        """The split that a word means."""
        return self._split_of.get(key_of(word))


def key_of(name: str) -> str:
    """A name as it is compared with others: composed, and without regard to case."""
    return composed(name).casefold()
