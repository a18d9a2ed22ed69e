"""What a page shows of test images with several labels or none: each label, mistakes, figures."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.pages.page_files import (
    LabelPicture,
    LabelTested,
    PictureMaps,
    read_label_tested,
    read_maps,
)
from cnnrun.pages.run_tested import ShownPicture
from cnnrun.pages.shares import percent
from cnnrun.pages.shown_figure import ShownFigure, shown_figure
from cnnrun.runs.folder import RunFolder

_NUMBERS: Final = ("average_precision", "roc_auc", "precision", "recall", "f1")


@dataclass(frozen=True)
class LabelCell:
    """A number of a label: in words, with its interval, and as it is sorted by."""

    text: str
    interval: str
    order: float


@dataclass(frozen=True)
class LabelRow:
    """A label's line: its name, its images, its threshold, its numbers."""

    name: str
    images: int
    threshold: str
    cells: tuple[LabelCell, ...]


@dataclass(frozen=True)
class LabelsView:
    """What a page shows of test images with several labels.

    Attributes:
        rows: of each label.
        mistakes: pictures of which something is said wrongly.
        figures: what is said of those that have a label; which labels stand together.
        maps: where the maps beside the mistakes were taken; None where there are none.
    """

    rows: tuple[LabelRow, ...]
    mistakes: tuple[ShownPicture, ...]
    figures: tuple[ShownFigure, ...]
    maps: PictureMaps | None


def labels_view(run: RunFolder, labels: Sequence[str]) -> LabelsView | None:
    """What became of a run's test images; None for one label an image, or without a test."""
    left = read_label_tested(run)
    if left is None:
        return None
    maps = read_maps(run)
    mistakes = tuple(
        _shown(picture, labels[picture.label], {} if maps is None else maps.webps)
        for picture in left.pictures
        if picture.label < len(labels)
    )
    return LabelsView(
        rows=tuple(map(_row, left.rows)),
        mistakes=mistakes,
        figures=tuple(_figures(left)),
        maps=maps if any(each.map_source for each in mistakes) else None,
    )


def _row(row: Mapping[str, Any]) -> LabelRow:
    intervals = row.get("intervals", {})
    return LabelRow(
        name=str(row["label"]),
        images=int(row.get("images", 0)),
        threshold=f"{row.get('threshold', 0.5):.3f}",
        cells=tuple(_cell(row.get(name), intervals.get(name)) for name in _NUMBERS),
    )


def _cell(value: float | None, interval: Sequence[float] | None) -> LabelCell:
    if value is None:
        return LabelCell("", "", -1.0)
    bounds = "" if interval is None else " to ".join(f"{end:.3f}" for end in interval)
    return LabelCell(f"{value:.3f}", bounds, value)


def _shown(picture: LabelPicture, name: str, maps: Mapping[tuple[str, int], str]) -> ShownPicture:
    truth, said = (name, f"not {name}") if picture.has_it else (f"not {name}", name)
    drawn = maps.get((picture.path, picture.label))
    certain = 1 - picture.probability if picture.has_it else picture.probability
    return ShownPicture(
        path=picture.path,
        truth=picture.label,
        prediction=picture.label,
        truth_name=truth,
        prediction_name=said,
        probability=percent(certain),
        source=f"data:image/webp;base64,{picture.webp}",
        map_source="" if drawn is None else f"data:image/webp;base64,{drawn}",
        looked_for=name,
        is_mistake=True,
    )


def _figures(left: LabelTested) -> Iterator[ShownFigure]:
    confusion = "Of each label: images that have it and are said to, those that are missed, those"
    yield shown_figure(
        base64.b64decode(left.confusion),
        alt=f"{confusion} that are said to have it and have not, and the others.",
        caption="What is said of the images that have a label, and of those that have it not",
    )
    yield shown_figure(
        base64.b64decode(left.together),
        alt="How many of the images with a label have each other label as well.",
        caption="Test images with the label of the row that have the label of the column as well",
    )
