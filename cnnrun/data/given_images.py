"""Images without labels that a user names: files, folders, tables of paths, arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from cnnrun.data.arrays import checked_images, read_npz
from cnnrun.data.image_files import TABLE_SUFFIXES, image_files, list_folder
from cnnrun.data.packed_images import ImageFile
from cnnrun.data.packed_sources import packed_images, packed_source_at
from cnnrun.data.table_guess import column_of_paths, table_of
from cnnrun.data.table_paths import ImageNames, paths_of_rows
from cnnrun.data.tables import read_table
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import listed

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class GivenImages:
    """Images that a user names.

    Attributes:
        names: what each is called: its file, its part of one, or its place in an array,
            `shots.npz:x[17]`.
        arrays: the pixels of those that are no files, `(height, width, channels)`, by name.
        notes: what a person should know about how they were read, a sentence each.
    """

    names: tuple[ImageFile, ...]
    arrays: dict[ImageFile, Array]
    notes: tuple[str, ...]


def given_images(places: Sequence[Path], *, value_range: tuple[float, float] | None) -> GivenImages:
    """The images of places: files, folders, tables that name them, arrays in .npz, tar files.

    Args:
        places: the places.
        value_range: the values that stand for black and white in arrays; None says 0 and 255.

    Raises:
        DataError: there is no such place, or it holds no images.
    """
    names: list[ImageFile] = []
    arrays: dict[ImageFile, Array] = {}
    notes: list[str] = []
    for place in places:
        suffix = place.suffix.lower()
        packed = packed_source_at(place)
        if packed is not None:
            names += packed_images(packed, notes)
        elif suffix == ".npz" and not place.is_dir():
            found = _of_arrays(place, value_range)
            arrays |= found
            names += found
        elif suffix in TABLE_SUFFIXES and not place.is_dir():
            names += _of_table(place, notes)
        else:
            names += image_files([place])
    return GivenImages(tuple(names), arrays, tuple(notes))


def _of_arrays(file: Path, value_range: tuple[float, float] | None) -> dict[ImageFile, Array]:
    found = read_npz(file)
    images = {name: array for name, array in found.items() if array.ndim > 2}
    if not images:
        described = [f"{name} {array.shape}" for name, array in found.items()]
        raise DataError.at(
            shown(file),
            rule="must hold images, (images, height, width) or (images, height, width, channels)",
            received=listed(described) or "no arrays",
            advice="add a first axis to a single image, images[None]",
        )
    fractions = [name for name, array in images.items() if array.dtype.kind in "fb"]
    if value_range is None and fractions:
        raise DataError.at(
            shown(file),
            rule="must hold integers from 0 to 255, where the network was trained on such",
            received=f"type {images[fractions[0]].dtype} in {fractions[0]}",
            advice="write them as uint8, black as 0 and white as 255",
        )
    return {
        Path(f"{file.as_posix()}:{name}[{row}]"): image
        for name, array in images.items()
        for row, image in enumerate(
            checked_images(array, place=f"{shown(file)}: {name}", value_range=value_range)
        )
    }


def _of_table(file: Path, notes: list[str]) -> list[ImageFile]:
    below = list_folder(file.parent).images if file.parent.is_dir() else ()
    images = ImageNames(below)
    table, _ = table_of(file, images)
    first = [each for each in table.columns if _is_file(file.parent, each)]
    if first:  # absolute paths, say, in a file without a header
        columns = [f"column_{n}" for n in range(1, len(table.columns) + 1)]
        table = read_table(file, columns=columns)
        column: str | None = columns[list(read_table(file, columns=None).columns).index(first[0])]
    elif "path" in table.columns:
        column = "path"
    else:
        column, _ = column_of_paths(table, images)
    if column is None or not table.rows:
        raise DataError.at(
            shown(file),
            rule="must have a column that names images, relative to its folder",
            received=f"the columns {listed(list(table.columns))}" if table.rows else "no line",
            advice="name the images in a column `path`",
        )
    paths = paths_of_rows(
        table.rows, path=column, root=file.parent, images=lambda: below, says=notes
    )
    return [file.parent / path for path in paths]


def _is_file(folder: Path, name: str) -> bool:
    try:
        return (folder / name).is_file()
    except (OSError, ValueError):
        return False
