"""Tables that lie among images and name them: what their columns could say, and contradict."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cnnrun.config.data_sources import CsvSource
from cnnrun.data.image_files import FolderListing
from cnnrun.data.image_tree import split_kind
from cnnrun.data.layout_choices import Choice, quoted
from cnnrun.data.layouts import SPLIT_WORDS, place_images
from cnnrun.data.manifest import TRAIN, Layout
from cnnrun.data.table_guess import (
    NAMED,
    TableReading,
    readings_of_table,
    share_found,
    table_of,
)
from cnnrun.data.table_paths import ImageNames
from cnnrun.data.tables import Table
from cnnrun.errors import DataError

BYTES_AT_MOST: Final = 2**24  # a larger one beside images holds something else
TABLES_AT_MOST: Final = 12
_MOST: Final = 0.9
_HALF: Final = 0.5
_PLAIN: Final = re.compile(r"[A-Za-z_]\w*")
_NOT_TEXT: Final = frozenset({"null", "true", "false"})


@dataclass(frozen=True)
class TableBeside:
    """A table among images, and the ways to read it by itself."""

    file: Path
    table: Table
    readings: tuple[TableReading, ...]


def tables_beside(
    directory: Path, listing: FolderListing
) -> tuple[tuple[TableBeside, ...], TableReading | None]:
    """The tables of a folder that name its images and have columns that can be their class.

    Returns:
        The tables; and those named after splits, such as `train.csv` and `test.csv`, read as one,
        where there are such.
    """
    images = ImageNames(listing.images)
    tables = []
    for name in listing.tables[:TABLES_AT_MOST]:
        file = directory / name
        if file.stat().st_size > BYTES_AT_MOST:
            continue
        try:
            table, columns = table_of(file, images)
        except DataError:
            continue
        readings = readings_of_table(table, images, source=CsvSource(file=file, columns=columns))
        tables.append(TableBeside(file, table, readings))
    joined = _of_splits(tables, images)
    return tuple(each for each in tables if each.readings), joined


def _of_splits(tables: Sequence[TableBeside], images: ImageNames) -> TableReading | None:
    """The table for training with those that have its columns and are named after other splits."""
    by_split = {split_kind(each.file.stem): each for each in tables}
    train = by_split.get(TRAIN)
    if train is None or len(train.readings) != 1 or train.readings[0].source.split is not None:
        return None
    (reading,) = train.readings
    files = {
        split: by_split[split].file
        for split in SPLIT_WORDS
        if split in by_split and _is_alike(by_split[split].table, train.table, reading, images)
    }
    if len(files) < 2:
        return None
    named = ", ".join(f"{file.name} for {split}" for split, file in files.items())
    source = replace(reading.source, file=files)
    return TableReading(source, {}, f"took {named}: {reading.reason}", reading.named, reading.task)


def _is_alike(table: Table, train: Table, reading: TableReading, images: ImageNames) -> bool:
    """Whether a table has the columns of the one for training, names images, and shares classes."""
    source = reading.source
    if table.columns != train.columns:
        return False
    if source.pixels is None and share_found(table, source.path, images) < NAMED:
        return False
    label = source.label
    if not isinstance(label, str):
        return True
    return bool(
        {row.values[label] for row in table.rows} & {row.values[label] for row in train.rows}
    )


def reading_choice(reading: TableReading) -> Choice:
    """A way to read a table as lines of a config's `data` section; files in full.

    So the lines hold wherever the config lies.
    """
    source = reading.source
    said = {
        "file": _flow_of(source.file),
        "columns": _flow_of(source.columns),
        "path": _flow_of(source.path) if source.pixels is None else "",
        "pixels": _flow_of(source.pixels),
        "label": _flow_of(source.label),
        "split": _flow_of(source.split),
        "group": _flow_of(source.group),
    }
    text = ", ".join(f"{key}: {value}" for key, value in said.items() if value)
    words = ", ".join(f"{split}: {_flow_of(names)}" for split, names in reading.words.items())
    lines = [f"csv: {{{text}}}", *([f"split: {{{words}}}"] if words else [])]
    lines += [f"task: {reading.task}"] if reading.task else []
    return Choice(tuple(lines), reading.reason)


def _flow_of(value: object) -> str:
    """A value in one line of YAML."""
    if value is None:
        return ""
    if isinstance(value, Path):
        return f'"{value.absolute().as_posix()}"'
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow_of(each)}' for key, each in value.items())}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_flow_of, value))}]"
    text = str(value)
    return text if _PLAIN.fullmatch(text) and text not in _NOT_TEXT else quoted(text)


def contradicts(beside: TableBeside, listing: FolderListing, layout: Layout) -> bool:
    """Whether a table names most images, and none of its columns agrees with their folders.

    A column agrees where nearly every folder has one value of it, or every value one folder.
    """
    folder_of = {image.path: image.label for image in place_images(listing.images, layout).images}
    if max(reading.named for reading in beside.readings) < _HALF * len(folder_of):
        return False
    return not any(_agrees(beside.table, reading, folder_of) for reading in beside.readings)


def _agrees(table: Table, reading: TableReading, folder_of: Mapping[str, str]) -> bool:
    if not isinstance(reading.source.label, str):
        return True
    values = [row.values[reading.source.path] for row in table.rows]
    names = ImageNames(folder_of)
    found = [names.find(value) for value in values]
    pairs = Counter(
        (folder_of[image], row.values[reading.source.label])
        for image, row in zip(found, table.rows, strict=True)
        if image is not None
    )
    return max(_purity(pairs, 0), _purity(pairs, 1)) >= _MOST


def _purity(pairs: Counter[tuple[str, str]], by: int) -> float:
    """The share of images that have the commonest partner of their folder, or of their value."""
    largest: dict[str, int] = defaultdict(int)
    for pair, count in pairs.items():
        largest[pair[by]] = max(largest[pair[by]], count)
    return sum(largest.values()) / max(1, pairs.total())
