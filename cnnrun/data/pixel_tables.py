"""Tables that hold the pixels of their images in a column, as FER2013's CSV does."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from cnnrun.config.data_sources import CsvSource
from cnnrun.data.image_rows import labels_in_order
from cnnrun.data.layouts import SplitNames
from cnnrun.data.manifest import Manifest, image_ids, number_labels
from cnnrun.data.sample_weights import note_of_unused, weights_of_rows
from cnnrun.data.table_labels import labels_of_rows
from cnnrun.data.tables import Table, TableRow
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed


def manifest_of_pixels(
    tables: Mapping[str, Table],
    *,
    source: CsvSource,
    words: Mapping[str, tuple[str, ...]],
    classes: tuple[str, ...] | int | None,
    partial: bool,
) -> Manifest:
    """The images of tables whose rows hold them: numbers from 0 to 255, parted by spaces.

    Images are square, and grey or of three channels that follow each other in every pixel. Rows
    without a label are left out, and rows of a split that has no meaning.

    Raises:
        DataError: a row does not hold such an image.
    """
    split_of = SplitNames(words)
    rows, labels, splits, groups, notes = [], [], [], [], []
    for given, table in tables.items():
        found = labels_of_rows(table.rows, label=source.label, place=shown(table.file))
        for row, label in zip(table.rows, found, strict=True):
            word = given or (row.values[source.split] if source.split else "")
            split = split_of(word) if word else ""
            if label and split is not None:
                rows.append(row)
                labels.append(label)
                splits.append(split)
                groups.append(row.values[source.group] if source.group else "")
    labelled = source.label if isinstance(source.label, tuple) else (source.label,)
    unused = note_of_unused(tables.values(), (*labelled, source.split, source.group, source.weight))
    notes += [unused] if unused else []
    everything = [row for table in tables.values() for row in table.rows]
    first = next(iter(tables.values()))
    place = shown(first.file)
    if not rows:
        raise DataError.at(
            place,
            rule="must have rows with a label, of a split that data.split names",
            received=f"none among {counted(len(everything), 'row')}",
            advice="correct data.csv.label and .split, and data.split.train, .validation and .test",
        )
    if len(rows) < len(everything):
        kept = {id(row) for row in rows}
        left = [row.place for row in everything if id(row) not in kept]
        notes.append(
            f"left out {counted(len(left), 'row')} without a label or of another split: "
            f"{listed(left)}"
        )
    pixels = _pixels(rows, source.pixels or "")
    names, ordered = labels_in_order(labels, classes)
    class_names, numbers = number_labels(names, classes=ordered, place=place, partial=partial)
    paths = tuple(f"{first.file.stem}[{number}]" for number in range(len(rows)))
    return Manifest(
        root=None,
        paths=paths,
        labels=numbers,
        classes=class_names,
        splits=tuple(splits) if any(splits) else None,
        groups=tuple(groups) if any(groups) else None,
        ids=image_ids(paths),
        pixels=pixels,
        value_range=None,
        notes=tuple(notes),
        weights=np.array(weights_of_rows(rows, source.weight), dtype=np.float32)
        if source.weight
        else None,
    )


def _pixels(rows: list[TableRow], column: str) -> npt.NDArray[np.uint8]:
    """The pixels of rows, `(images, height, width, channels)`."""
    images: list[npt.NDArray[np.uint8]] = []
    length = len(rows[0].values[column].split())
    for row in rows:
        text = row.values[column]
        try:
            values = np.array(text.split(), dtype=np.int64)
        except ValueError as error:
            raise _refused(row, column, f"{text[:20]!r}") from error
        if len(values) != length or not len(values) or values.min() < 0 or values.max() > 255:
            received = f"{len(values)} numbers"
            if len(values):
                received += f" from {values.min()} to {values.max()}"
            raise _refused(row, column, received)
        images.append(values.astype(np.uint8))
    for channels in (1, 3):
        side = math.isqrt(length // channels)
        if side * side * channels == length:
            return np.stack(images).reshape(len(images), side, side, channels)
    raise _refused(rows[0], column, f"{length} numbers, which make no square of 1 or 3 channels")


def _refused(row: TableRow, column: str, received: str) -> Exception:
    return DataError.at(
        row.place,
        rule=f"must hold in column {column} as many whole numbers from 0 to 255 as every other row",
        received=received,
        advice="correct the row, or data.csv.pixels",
    )
