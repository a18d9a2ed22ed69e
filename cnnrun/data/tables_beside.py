"""Tables that lie among images and name them: what their columns could say, and contradict."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cnnrun.config.data_section import CsvSource
from cnnrun.data.image_files import FolderListing
from cnnrun.data.layout_choices import Choice
from cnnrun.data.layouts import place_images
from cnnrun.data.manifest import Layout
from cnnrun.data.table_guess import TableReading, readings_of_table
from cnnrun.data.table_paths import ImageNames
from cnnrun.data.tables import Table, read_table
from cnnrun.errors import DataError

BYTES_AT_MOST: Final = 2**24  # a larger one beside images holds something else
TABLES_AT_MOST: Final = 12
_MOST: Final = 0.9
_HALF: Final = 0.5


@dataclass(frozen=True)
class TableBeside:
    """A table among images, and the ways to read it."""

    file: Path
    table: Table
    readings: tuple[TableReading, ...]


def tables_beside(directory: Path, listing: FolderListing) -> Iterator[TableBeside]:
    """The tables of a folder that name its images and have columns that can be their class."""
    images = ImageNames(listing.images)
    for name in listing.tables[:TABLES_AT_MOST]:
        file = directory / name
        if file.stat().st_size > BYTES_AT_MOST:
            continue
        try:
            table = read_table(file, columns=None)
        except DataError:
            continue
        readings = readings_of_table(table, images, source=CsvSource(file=file))
        if readings:
            yield TableBeside(file, table, readings)


def table_choices(beside: TableBeside) -> tuple[Choice, ...]:
    """The ways to read a table as lines of a config's `data` section."""
    return tuple(
        Choice((f"csv: {_csv_text(reading.source, beside.file)}",), reading.reason)
        for reading in beside.readings
    )


def _csv_text(source: CsvSource, file: Path) -> str:
    """A table and its columns as a config says them; the file in full, wherever the config lies."""
    label = source.label
    said = {
        "file": f'"{file.absolute().as_posix()}"',
        "path": source.path,
        "label": label if isinstance(label, str) else f"[{', '.join(label)}]",
        "split": source.split,
        "group": source.group,
    }
    return f"{{{', '.join(f'{key}: {value}' for key, value in said.items() if value)}}}"


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
