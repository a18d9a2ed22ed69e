"""Which classes are taken for which, and how well each is known, for tables of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cnnrun.pages.shares import percent, percent_interval
from cnnrun.runs.shares import wilson_interval

MOST_IN_A_MATRIX: Final = 40
"""Above so many classes the pairs that are confused most are listed instead."""
_MOST_PAIRS: Final = 60
_SHADES: Final = 9

Counts = Mapping[tuple[int, int], int]
"""(true class, predicted class) -> images."""


@dataclass(frozen=True)
class ConfusionCell:
    """A cell of the matrix.

    Attributes:
        true: the number of the true class.
        predicted: that of the predicted class.
        images: how many there are.
        shade: from 0 to 9, by the share of the true class.
    """

    true: int
    predicted: int
    images: int
    shade: int


@dataclass(frozen=True)
class ClassRow:
    """How well a class is known.

    Attributes:
        name: of the class.
        images: that are of it.
        guessed: images that were taken for it.
        recall: the share of its images that were found; empty without any.
        recall_interval: its 95 % interval.
        precision: the share of those taken for it that are of it; empty without any.
        precision_interval: its 95 % interval.
        recall_order: what sorts by recall.
        precision_order: what sorts by precision.
    """

    name: str
    images: int
    guessed: int
    recall: str
    recall_interval: str
    precision: str
    precision_interval: str
    recall_order: float
    precision_order: float


def matrix(counts: Counts, classes: int) -> list[list[ConfusionCell]]:
    """A row of cells for each true class."""
    of_class = _sums(counts, 0)
    return [
        [_cell(counts, true, predicted, of_class) for predicted in range(classes)]
        for true in range(classes)
    ]


def most_confused(counts: Counts) -> list[tuple[int, int, int]]:
    """(true class, predicted class, images) of mistakes, the most frequent first."""
    mistakes = [(*pair, images) for pair, images in counts.items() if pair[0] != pair[1]]
    return sorted(mistakes, key=lambda each: (-each[2], each[0], each[1]))[:_MOST_PAIRS]


def class_rows(counts: Counts, classes: Sequence[str]) -> list[ClassRow]:
    """A row for each class, in their order."""
    of_class, taken_for = _sums(counts, 0), _sums(counts, 1)
    return [
        _class_row(
            name,
            right=counts.get((number, number), 0),
            images=of_class.get(number, 0),
            guessed=taken_for.get(number, 0),
        )
        for number, name in enumerate(classes)
    ]


def _cell(counts: Counts, true: int, predicted: int, of_class: Mapping[int, int]) -> ConfusionCell:
    images = counts.get((true, predicted), 0)
    # The square root lets a confusion of one in a hundred be seen beside the diagonal.
    share = images / of_class[true] if images else 0.0
    shade = max(1, round(_SHADES * share**0.5)) if images else 0
    return ConfusionCell(true, predicted, images, shade)


def _class_row(name: str, *, right: int, images: int, guessed: int) -> ClassRow:
    return ClassRow(
        name=name,
        images=images,
        guessed=guessed,
        recall=percent(right / images) if images else "",
        recall_interval=percent_interval(*wilson_interval(right, images)) if images else "",
        precision=percent(right / guessed) if guessed else "",
        precision_interval=percent_interval(*wilson_interval(right, guessed)) if guessed else "",
        recall_order=right / images if images else -1.0,
        precision_order=right / guessed if guessed else -1.0,
    )


def _sums(counts: Counts, axis: int) -> dict[int, int]:
    sums: dict[int, int] = {}
    for pair, images in counts.items():
        sums[pair[axis]] = sums.get(pair[axis], 0) + images
    return sums
