"""Whether images use the levels that they are read with, or come in almost black."""

from collections.abc import Iterator, Sequence

import numpy as np

from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import Numbers, bits_of_file, read_picture
from cnnrun.data.decoding import Decoding
from cnnrun.data.images import ImageStore, Rows
from cnnrun.data.levels import Range, likely_range, lowest_and_highest, uses_few_levels
from cnnrun.data.manifest import Manifest
from cnnrun.errors import DataError
from cnnrun.shown_text import shown

ROWS_LOOKED_AT = 256
ROWS_AT_ONCE = 256


def refuse_unused_range(manifest: Manifest, store: ImageStore, decoding: Decoding) -> None:
    """Raise unless a value range is given or images use more than a quarter of the levels.

    Some hundred images are looked at, evenly spread, and the others only where these use few.

    Args:
        manifest: all images.
        store: them, decoded.
        decoding: how.

    Raises:
        DataError: 16-bit files all have 14 bits or fewer in use, or no image of any kind has a
            level above a quarter of white. The message has the line that mends it.
    """
    given = decoding.value_range if manifest.pixels is None else manifest.value_range
    if given is not None or store.dtype != np.uint8:
        return
    rows = store.rows[:: max(1, len(store.rows) // ROWS_LOOKED_AT)]
    if manifest.pixels is None and uses_few_levels(range_of_deep(manifest, rows, decoding), 16):
        found = range_of_deep(manifest, store.rows, decoding)
        if found is not None and uses_few_levels(found, 16):
            raise _unused(manifest, found, bits=16)
    if uses_few_levels(_range_of_store(store, rows), 8):
        found = _range_of_store(store, store.rows)
        if uses_few_levels(found, 8):
            raise _unused(manifest, found, bits=8)


def range_of_deep(manifest: Manifest, rows: Rows, decoding: Decoding) -> Range | None:
    """The lowest and the highest value of those files that have more than 8 bits; None for none."""
    ranges = list(_ranges_of_deep(manifest, rows, decoding))
    return _widest(ranges) if ranges else None


def range_in_use(manifest: Manifest, rows: Rows, decoding: Decoding) -> tuple[Range, int]:
    """The lowest and the highest value in files, and of how many bits those are: 16 or 8.

    Where some have more than 8 bits, theirs count. Files that cannot be read count for nothing.
    """
    deep = range_of_deep(manifest, rows, decoding)
    if deep is not None:
        return deep, 16
    ranges = list(_ranges_of_files(manifest, rows, decoding))
    return (_widest(ranges) if ranges else (0, 255)), 8


def _ranges_of_files(manifest: Manifest, rows: Rows, decoding: Decoding) -> Iterator[Range]:
    for row in rows.tolist():
        try:
            with read_picture(manifest.file(row), decoding=decoding, exact=False) as picture:
                if isinstance(picture, Numbers):
                    yield lowest_and_highest(picture.values)
                else:  # transparency and palettes aside
                    is_grey = picture.mode in ("1", "L", "LA")
                    yield lowest_and_highest(np.array(picture.convert("L" if is_grey else "RGB")))
        except BadImageError:
            continue


def _ranges_of_deep(manifest: Manifest, rows: Rows, decoding: Decoding) -> Iterator[Range]:
    for row in rows.tolist():
        file = manifest.file(row)
        if bits_of_file(file) > 8:
            try:
                with read_picture(file, decoding=decoding, exact=False) as picture:
                    values = picture.values if isinstance(picture, Numbers) else np.array(picture)
            except BadImageError:
                continue
            # Of colours, Pillow keeps the higher eight bits.
            factor = 256 if values.dtype == np.uint8 else 1
            low, high = lowest_and_highest(values)
            yield low * factor, high * factor


def _range_of_store(store: ImageStore, rows: Rows) -> Range:
    parts = (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))
    return _widest([lowest_and_highest(store.read(part)) for part in parts])


def _widest(ranges: Sequence[Range]) -> Range:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _unused(manifest: Manifest, found: Range, *, bits: int) -> DataError:
    low, high = found
    black, white = likely_range(low, high, is_whole=True)
    levels = int((high - low) * 256 // 2**bits) + 1
    key = "data.value_range" if manifest.pixels is None else "data.arrays.value_range"
    return DataError.at(
        "the images" if manifest.root is None else shown(manifest.root),
        rule=f"must use the values from 0 to {2**bits - 1}, which are read as black and white,"
        " or say which ones they use",
        received=f"values from {low:g} to {high:g} in all of them, {levels} of 256 levels",
        advice=f"add {key}: [{black:g}, {white:g}], or [0, {2**bits - 1}] if they are meant to be"
        " so dark",
    )
