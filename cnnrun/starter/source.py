"""How the images that `cnnrun init --data` is given are read, as a config's `data` says it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cnnrun.config.data_section import DataSpec, SplitSpec
from cnnrun.config.data_sources import CsvSource
from cnnrun.config.path_patterns import PatternError
from cnnrun.data.array_names import ArrayNames, array_pairs
from cnnrun.data.arrays import holds_several, read_npz
from cnnrun.data.folders import choice_text, is_one_class, list_images
from cnnrun.data.image_files import FolderListing, list_folder
from cnnrun.data.image_tree import split_kind
from cnnrun.data.layout_choices import Undecided
from cnnrun.data.layouts import SPLIT_WORDS, place_images
from cnnrun.data.levels import likely_range, lowest_and_highest, uses_few_levels
from cnnrun.data.manifest import Layout, Manifest
from cnnrun.data.places import data_as_read, read_images_at, source_at
from cnnrun.data.recognition import Recognized, recognize
from cnnrun.data.table_guess import TableReading, readings_of_table, table_of
from cnnrun.data.table_paths import ImageNames
from cnnrun.data.tables_beside import reading_choice, tables_beside
from cnnrun.errors import DataError
from cnnrun.shown_text import shown

WHITE = 255


@dataclass(frozen=True, eq=False)
class Source:
    """Images, as they will be read.

    Attributes:
        data: the `data` section that reads them, with everything that was found written out.
        manifest: the images.
        reason: why they are read so, a sentence each.
    """

    data: DataSpec
    manifest: Manifest
    reason: tuple[str, ...]


def source_of(place: Path, *, layout: str | None) -> Source:
    """The images of a folder, a CSV file or an .npz file.

    Args:
        place: where they are.
        layout: how the paths of a folder are read, where that is said.

    Raises:
        DataError: the images cannot be read, or their meaning is not certain.
    """
    data = source_at(place)
    if data.csv is not None:
        return _of_table(place)
    if layout is not None and data.directory is not None:
        data = _with_layout(data, data.directory, layout)
    try:
        data, reasons = _with_range(_with_task(data))
        manifest = read_images_at(data, partial=False)
    except DataError:
        found = _table_beside(data.directory) if data.directory and layout is None else None
        if found is None:
            raise
        return found
    return Source(data_as_read(data, manifest), manifest, (*manifest.notes, *reasons))


def _with_task(data: DataSpec) -> DataSpec:
    """Arrays of 0 and 1, several a row, as several labels an image."""
    if data.arrays is None:
        return data
    arrays = read_npz(data.arrays.file)
    shapes = {name: array.shape for name, array in arrays.items()}
    pairs, _ = array_pairs(shapes, ArrayNames(), place=shown(data.arrays.file), partial=False)
    labels = [arrays[pair.labels] for pair in pairs]
    is_several = any(array.ndim == 2 and holds_several(array) for array in labels)
    return replace(data, task="multi_label") if is_several else data


def _with_range(data: DataSpec) -> tuple[DataSpec, tuple[str, ...]]:
    """Arrays with the values of black and white, where their type does not say them."""
    if data.arrays is None:
        return data, ()
    arrays = read_npz(data.arrays.file)
    shapes = {name: array.shape for name, array in arrays.items()}
    pairs, _ = array_pairs(shapes, ArrayNames(), place=shown(data.arrays.file), partial=False)
    images = [arrays[pair.images] for pair in pairs]
    if any(array.dtype.kind not in "uif" or not array.size for array in images):
        return data, ()
    ranges = [lowest_and_highest(array) for array in images]
    found = min(low for low, _ in ranges), max(high for _, high in ranges)
    is_whole = all(array.dtype.kind in "ui" for array in images)
    if is_whole and found[0] >= 0 and found[1] <= WHITE and not uses_few_levels(found, 8):
        return data, ()
    black, white = likely_range(*found, is_whole=is_whole)
    reason = f"values from {found[0]:g} to {found[1]:g}: black is {black:g}, white {white:g}"
    return replace(data, arrays=replace(data.arrays, value_range=(black, white))), (reason,)


def _with_layout(data: DataSpec, directory: Path, layout: str) -> DataSpec:
    """A folder with its layout, and the words for splits and the exclusions that go with it.

    They are those of the choice that a refusal offered, or else the words that the layout finds.
    """
    images = list_images(directory).images
    recognized = recognize(images)
    if isinstance(recognized, Undecided):
        for choice in recognized.choices:
            if choice.layout is not None and choice.layout.patterns == (layout,):
                split = _split_with(choice.layout.words)
                exclude = choice.layout.exclude or None
                return replace(data, layout=(layout,), split=split, exclude=exclude)
    try:
        found = place_images(images, Layout((layout,))).other_words
    except PatternError:  # refused when the images are read
        found = Counter()
    words = {
        split: tuple(sorted(word for word in found if split_kind(word) == split))
        for split in SPLIT_WORDS
    }
    return replace(data, layout=(layout,), split=_split_with(words))


def _split_with(words: Mapping[str, tuple[str, ...]]) -> SplitSpec:
    usual = SplitSpec()
    return SplitSpec(
        train=words.get("train") or None,
        validation=words.get("validation") or usual.validation,
        test=words.get("test") or usual.test,
    )


def _table_beside(directory: Path) -> Source | None:
    """The images by the one table in their folder, where no folder can be their class."""
    listing = list_images(directory)
    if not listing.tables:
        return None
    recognized = recognize(listing.images)
    if isinstance(recognized, Recognized) and not is_one_class(listing, recognized.layout):
        return None
    tables, joined = tables_beside(directory, listing)
    readings = [reading for each in tables for reading in each.readings]
    if joined is None and len(readings) != 1:
        return None
    return _read(joined or readings[0])


def _of_table(file: Path) -> Source:
    listing = list_folder(file.parent)
    images = ImageNames(listing.images)
    table, columns = table_of(file, images)
    source = CsvSource(file=file, columns=columns)
    readings = readings_of_table(table, images, source=source)
    if not readings:
        raise DataError.at(
            shown(file),
            rule="must name images that lie below its folder, and have a column that can be their "
            "class",
            received=f"{images.number:,} images there",
            advice="say in a config which columns to read (data.csv.path, .label and .columns)",
        )
    if len(readings) > 1:
        raise DataError.at(
            shown(file),
            rule="must have one column that can be the class",
            received=f"{len(readings)} columns that can",
            advice="write a config with one of these under `data`\n"
            + "\n".join(choice_text(reading_choice(reading)) for reading in readings),
        )
    return _read(_with_siblings(readings[0], listing) or readings[0])


def _with_siblings(reading: TableReading, listing: FolderListing) -> TableReading | None:
    """The table together with those beside it for the other splits; None where there are none."""
    file = reading.source.file
    if not isinstance(file, Path) or split_kind(file.stem) is None:
        return None
    here = replace(listing, tables=tuple(name for name in listing.tables if "/" not in name))
    _, joined = tables_beside(file.parent, here)
    files = joined.source.file if joined else None
    return joined if isinstance(files, Mapping) and file in files.values() else None


def _read(reading: TableReading) -> Source:
    data = DataSpec(csv=reading.source, task=reading.task)
    split = replace(
        data.split,
        train=reading.words.get("train"),
        validation=reading.words.get("validation", data.split.validation),
        test=reading.words.get("test", data.split.test),
    )
    data = replace(data, split=split)
    manifest = read_images_at(data, partial=False)
    return Source(data_as_read(data, manifest), manifest, (reading.reason, *manifest.notes))
