"""How the images that `cnnrun init --data` is given are read, as a config's `data` says it."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from cnnrun.config.data_section import CsvSource, DataSpec, SplitSpec
from cnnrun.config.path_patterns import PatternError
from cnnrun.data.array_names import ArrayNames, array_pairs
from cnnrun.data.arrays import read_npz
from cnnrun.data.folders import list_images
from cnnrun.data.image_files import list_folder
from cnnrun.data.image_tree import split_kind
from cnnrun.data.layouts import SPLIT_WORDS, place_images
from cnnrun.data.levels import likely_range, lowest_and_highest, uses_few_levels
from cnnrun.data.manifest import Layout, Manifest
from cnnrun.data.places import data_as_read, read_images_at, source_at
from cnnrun.data.recognition import Recognized, recognize
from cnnrun.data.refusal import refusal, shown
from cnnrun.data.table_guess import TableReading, readings_of_table
from cnnrun.data.table_paths import ImageNames
from cnnrun.data.tables import read_table
from cnnrun.data.tables_beside import tables_beside
from cnnrun.errors import DataError

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
        return _of_table(data.csv, ImageNames(list_folder(place.parent).images))
    if layout is not None and data.directory is not None:
        data = replace(data, layout=(layout,), split=_split_of(data.directory, layout))
    try:
        data, reasons = _with_range(data)
        manifest = read_images_at(data, partial=False)
    except DataError:
        found = _table_beside(data.directory) if data.directory and layout is None else None
        if found is None:
            raise
        return found
    return Source(data_as_read(data, manifest), manifest, (*manifest.notes, *reasons))


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


def _split_of(directory: Path, layout: str) -> SplitSpec:
    """The words for splits that a layout finds in a folder, where they are not the usual ones."""
    try:
        found = place_images(list_images(directory).images, Layout((layout,))).other_words
    except PatternError:  # refused when the images are read
        found = Counter()
    words = {
        split: tuple(sorted(word for word in found if split_kind(word) == split))
        for split in SPLIT_WORDS
    }
    usual = SplitSpec()
    return SplitSpec(
        train=words["train"] or None,
        validation=words["validation"] or usual.validation,
        test=words["test"] or usual.test,
    )


def _table_beside(directory: Path) -> Source | None:
    """The images by the one table in their folder, where no folder can be their class."""
    listing = list_images(directory)
    if not listing.tables or isinstance(recognize(listing.images), Recognized):
        return None
    readings = [each for table in tables_beside(directory, listing) for each in table.readings]
    return _read(readings[0]) if len(readings) == 1 else None


def _of_table(source: CsvSource, images: ImageNames) -> Source:
    file = source.file
    if not isinstance(file, Path):
        raise TypeError(f"{file} is not one table")
    readings = readings_of_table(read_table(file, columns=None), images, source=source)
    if not readings:
        raise refusal(
            shown(file),
            rule="must name images that lie below its folder, and have a column that can be their "
            "class",
            received=f"{images.number:,} images there",
            advice="say in a config which columns to read (data.csv.path, .label and .columns)",
        )
    if len(readings) > 1:
        raise refusal(
            shown(file),
            rule="must have one column that can be the class",
            received=f"{len(readings)} columns that can",
            advice="write a config that names one of them with data.csv.label\n"
            + "\n".join(f"  {reading.reason}" for reading in readings),
        )
    return _read(readings[0])


def _read(reading: TableReading) -> Source:
    data = DataSpec(csv=reading.source)
    split = replace(
        data.split,
        train=reading.words.get("train"),
        validation=reading.words.get("validation", data.split.validation),
        test=reading.words.get("test", data.split.test),
    )
    data = replace(data, split=split)
    manifest = read_images_at(data, partial=False)
    return Source(data_as_read(data, manifest), manifest, (reading.reason, *manifest.notes))
