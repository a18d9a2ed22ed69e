"""What became of a run's test images: from `page/`, or else from predictions.csv."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from cnnrun.errors import RunError
from cnnrun.pages.confusion import Counts
from cnnrun.pages.page_files import Picture, PictureMaps, Tested, read_maps, read_tested
from cnnrun.pages.shares import percent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.tables import without_apostrophe

_MOST_LISTED: Final = 100
"""Mistakes that are listed where there are no pictures."""


@dataclass(frozen=True)
class ShownPicture:
    """A picture as the page has it.

    Attributes:
        path: of the image.
        truth: the number of its class.
        prediction: the number of the class that it was taken for.
        truth_name: the name of its class.
        prediction_name: the name of the class that it was taken for.
        probability: what the network gives to that, in words.
        source: the `data:` address of the picture; empty where there is none.
        map_source: the same of what the network looked at; empty where that was not drawn.
        looked_for: what it looked for there: the class that it was taken for, or a label.
        is_mistake: whether it was taken for another class than its own.
    """

    path: str
    truth: int
    prediction: int
    truth_name: str
    prediction_name: str
    probability: str
    source: str
    map_source: str
    looked_for: str
    is_mistake: bool

    @property
    def alt(self) -> str:
        """The picture in words."""
        said = "taken for" if self.is_mistake else "found to be"
        return f"{self.path}: {self.truth_name}, {said} {self.prediction_name}, {self.probability}"

    @property
    def map_alt(self) -> str:
        """The map in words."""
        return f"{self.path}: where the network looked for {self.looked_for}"


@dataclass(frozen=True)
class TestedImages:
    """What a page shows of the test images.

    Attributes:
        counts: (true class, predicted class) -> images.
        images: how many there are.
        wrong: how many of them are wrong.
        mistakes: the most confident first.
        uncertain: right ones, the least certain first.
        has_pictures: whether they can be seen.
        maps: where the maps beside the mistakes were taken; None where there are none.
    """

    counts: Counts
    images: int
    wrong: int
    mistakes: tuple[ShownPicture, ...]
    uncertain: tuple[ShownPicture, ...]
    has_pictures: bool
    maps: PictureMaps | None


def tested_images(run: RunFolder, classes: Sequence[str]) -> TestedImages | None:
    """What became of the test images; None where there were none, or nothing tells of them."""
    left = read_tested(run)
    tested = _of_predictions(run, classes) if left is None else _within(left, len(classes))
    if tested is None:
        return None
    counts = {(true, predicted): images for true, predicted, images in tested.confusion}
    wrong = sum(images for pair, images in counts.items() if pair[0] != pair[1])
    maps = read_maps(run)
    shown = [_shown(picture, classes, maps) for picture in tested.pictures]
    return TestedImages(
        counts=counts,
        images=sum(counts.values()),
        wrong=wrong,
        mistakes=tuple(each for each in shown if each.is_mistake),
        uncertain=tuple(each for each in shown if not each.is_mistake),
        has_pictures=left is not None,
        maps=maps if any(each.map_source for each in shown) else None,
    )


def _within(tested: Tested, classes: int) -> Tested:
    """Without what names a class that there is not, as a damaged file may."""
    known = range(classes)
    return replace(
        tested,
        confusion=tuple(each for each in tested.confusion if each[0] in known and each[1] in known),
        pictures=tuple(
            each for each in tested.pictures if each.truth in known and each.prediction in known
        ),
    )


def _of_predictions(run: RunFolder, classes: Sequence[str]) -> Tested | None:
    """The same from predictions.csv, without pictures."""
    numbers = {name: number for number, name in enumerate(classes)}
    rows: list[Picture] = []
    with suppress(OSError, csv.Error, ValueError, KeyError, IndexError, RunError):
        rows = list(_predicted(run, numbers))
    if not rows:
        return None
    pairs = Counter((row.truth, row.prediction) for row in rows)
    mistakes = sorted((row for row in rows if row.is_mistake), key=lambda row: -row.probability)
    return Tested(
        confusion=tuple((*pair, images) for pair, images in sorted(pairs.items())),
        pictures=tuple(mistakes[:_MOST_LISTED]),
    )


def _predicted(run: RunFolder, numbers: dict[str, int]) -> Iterator[Picture]:
    with run.predictions_csv.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        rows = csv.reader(lines)
        next(rows)
        for row in rows:
            path, label, prediction = map(without_apostrophe, row[:3])
            yield Picture(path, numbers[label], numbers[prediction], float(row[3]), webp="")


def _shown(picture: Picture, classes: Sequence[str], maps: PictureMaps | None) -> ShownPicture:
    found = maps.webps.get((picture.path, picture.prediction), "") if maps else ""
    return ShownPicture(
        path=picture.path,
        truth=picture.truth,
        prediction=picture.prediction,
        truth_name=classes[picture.truth],
        prediction_name=classes[picture.prediction],
        probability=percent(picture.probability),
        source=_address(picture.webp),
        map_source=_address(found),
        looked_for=classes[picture.prediction],
        is_mistake=picture.is_mistake,
    )


def _address(webp: str) -> str:
    """The `data:` address of a WebP file in base64; empty where there is none."""
    return f"data:image/webp;base64,{webp}" if webp else ""
