"""Runs side by side as one page: where they differ, their curves, the images they disagree on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cnnrun.errors import RunError
from cnnrun.pages.figures import svg
from cnnrun.pages.page_files import read_tested
from cnnrun.pages.render import render
from cnnrun.pages.shares import percent
from cnnrun.pages.shown_figure import ShownFigure, shown_figure
from cnnrun.plots.bands import learning_bands
from cnnrun.runs.comparing import (
    Comparison,
    RunGroup,
    changed_data_lines,
    difference_cells,
    group_cells,
    group_columns,
    metrics_of,
)
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow, read_epochs
from cnnrun.runs.predictions import ImageKey, Predicted, by_content, by_path

_CURVES: Final = ("loss", "val_loss", "val_accuracy")
_MOST_IMAGES: Final = 120
"""Images of a pair of runs that are listed."""
_MOST_PAIRS: Final = 6
_PICTURE_LETTERS: Final = 2_000_000
"""Of all pictures together: a page holds three megabytes."""


@dataclass(frozen=True)
class ComparedWords:
    """What `compare` says of a group against the first one.

    Attributes:
        second: the number of the group, from 1.
        sentences: what was compared, and how far it reaches.
        columns: the headings of `rows`.
        rows: the differences.
    """

    second: int
    sentences: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Judged:
    """What a run made of an image: the class that it took it for, in words, and how sure it was."""

    prediction: str
    probability: str
    is_right: bool


@dataclass(frozen=True)
class DisputedImage:
    """An image that one of two runs has right.

    Attributes:
        path: its path in the second run.
        truth: its class.
        source: the `data:` address of its picture; empty where neither run left one.
        first: what the first group's run made of it.
        second: what the other group's run made of it.
    """

    path: str
    truth: str
    source: str
    first: Judged
    second: Judged


@dataclass(frozen=True)
class Dispute:
    """The images on which a run of a group and one of the first group disagree.

    Attributes:
        second: the number of the group.
        runs: the names of the two runs, the first group's first.
        images: some of them, those first of which a wrong run was surest.
        number: how many there are.
    """

    second: int
    runs: tuple[str, str]
    images: tuple[DisputedImage, ...]
    number: int


def comparison_page(
    comparison: Comparison, words: Sequence[ComparedWords], missing: Sequence[str]
) -> str:
    """Groups of runs as an HTML page.

    Args:
        comparison: the groups.
        words: of each group that was held against the first, what may be said.
        missing: why others were not.
    """
    groups = comparison.groups
    names = [f"{number} {group.name}" for number, group in enumerate(groups, 1)]
    held = words[:_MOST_PAIRS]
    return render(
        "comparison.html",
        {
            "title": f"{len(groups)} groups of runs side by side"
            if len(groups) > 1
            else f"{groups[0].name}: {len(groups[0].runs)} runs",
            "names": names,
            "columns": group_columns(groups),
            "rows": [
                group_cells(number, group, metrics_of(groups))
                for number, group in enumerate(groups, 1)
            ],
            "differences": [difference_cells(each, groups) for each in comparison.differing],
            "data_changes": changed_data_lines(comparison),
            "left_out": [(each.run.name, each.why) for each in comparison.left_out],
            "words": words,
            "missing": missing,
            "curves": _curves(groups, names),
            "disputes": [
                _dispute(groups[0], each.second, groups, room=_PICTURE_LETTERS // len(held))
                for each in held
            ],
        },
    )


def _curves(groups: Sequence[RunGroup], names: Sequence[str]) -> ShownFigure:
    curves = {
        name: [_epochs(RunFolder(run)) for run in group.runs]
        for name, group in zip(names, groups, strict=True)
    }
    words = "Learning curves over each other; of a group of several seeds the mean, and one"
    words += " standard deviation to either side."
    return shown_figure(svg(learning_bands(curves, metrics=_CURVES)), alt=words, caption=words)


def _epochs(run: RunFolder) -> tuple[EpochRow, ...]:
    try:
        return read_epochs(run)
    except RunError:
        return ()


def _dispute(first: RunGroup, number: int, groups: Sequence[RunGroup], *, room: int) -> Dispute:
    """The images on which a group's run and the first group's disagree; `room` for pictures."""
    one, other = _pair(first, groups[number - 1])
    ours, theirs = _predictions(one, other)
    keys = [
        key
        for key in ours.keys() & theirs.keys()
        if ours[key].label == theirs[key].label and ours[key].is_right != theirs[key].is_right
    ]
    keys.sort(key=lambda key: (-_wrong(ours[key], theirs[key]).probability, theirs[key].path))
    pictures = {**_pictures(one), **_pictures(other)}
    shown = []
    for key in keys[:_MOST_IMAGES]:
        source = pictures.get(theirs[key].path) or pictures.get(ours[key].path, "")
        room -= len(source)
        shown.append(
            DisputedImage(
                path=theirs[key].path,
                truth=theirs[key].label,
                source=source if room >= 0 else "",
                first=_judged(ours[key]),
                second=_judged(theirs[key]),
            )
        )
    return Dispute(number, (one.path.name, other.path.name), tuple(shown), len(keys))


def _pair(first: RunGroup, second: RunGroup) -> tuple[RunFolder, RunFolder]:
    """A run of each group, of the same seed where they share one."""
    ours, theirs = (dict(zip(each.seeds, each.runs, strict=True)) for each in (first, second))
    seed = next((seed for seed in sorted(ours) if seed in theirs), None)
    if seed is None:
        return RunFolder(first.runs[0]), RunFolder(second.runs[0])
    return RunFolder(ours[seed]), RunFolder(theirs[seed])


Predictions = Mapping[ImageKey, Predicted]


def _predictions(one: RunFolder, other: RunFolder) -> tuple[Predictions, Predictions]:
    ours, theirs = by_content(one), by_content(other)
    if ours is None or theirs is None:
        return by_path(one), by_path(other)
    return ours, theirs


def _wrong(one: Predicted, other: Predicted) -> Predicted:
    return other if one.is_right else one


def _judged(predicted: Predicted) -> Judged:
    return Judged(predicted.prediction, percent(predicted.probability), predicted.is_right)


def _pictures(run: RunFolder) -> dict[str, str]:
    """Path -> `data:` address, of the images that a run left a picture of."""
    tested = read_tested(run)
    pictures = tested.pictures if tested else ()
    return {each.path: f"data:image/webp;base64,{each.webp}" for each in pictures}
