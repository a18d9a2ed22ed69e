"""Images that a run has not brought itself, read as its own were; and which of them it has seen."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import CsvSource
from cnnrun.config.path_patterns import PatternError
from cnnrun.data.folders import list_images
from cnnrun.data.layouts import place_images
from cnnrun.data.manifest import TEST, Layout, Manifest
from cnnrun.data.packed_images import PackedImage
from cnnrun.data.parallel import map_in_threads
from cnnrun.data.places import read_images_at, source_at
from cnnrun.data.tables import read_table
from cnnrun.data.tar_files import LABEL_ENDINGS
from cnnrun.errors import DataError
from cnnrun.shown_text import shown


def read_new_images(place: Path, data: DataSpec, *, classes: tuple[str, ...]) -> Manifest:
    """The images of a place, to evaluate a run on.

    Args:
        place: a folder, a CSV or .npz file, or tar files.
        data: the run's own `data` section: a table's columns, an array's names and a folder's
            layout are understood as there, where they fit.
        classes: the run's classes.

    Raises:
        DataError: the place cannot be read, or has other classes.
    """
    source = replace(source_at(place), classes=classes, task=data.task)
    if data.is_multi_label and source.csv is None and source.arrays is None:
        raise DataError.at(
            shown(place),
            rule="must be a table or an .npz file, for the run's images have several labels each",
            received="a folder" if source.directory else "files that hold one label an image",
            advice="write a CSV file of paths and labels beside the images, and name that",
        )
    if source.csv is not None and data.csv is not None:
        header = read_table(place, columns=data.csv.columns).columns
        split = data.csv.split if data.csv.split in header else None
        source = replace(
            source,
            csv=replace(data.csv, file=place, split=split),
            label_map=data.label_map,
            split=data.split,
        )
    elif source.csv is not None and data.is_multi_label:
        header = read_table(place, columns=None).columns
        if CsvSource.label not in header and set(classes) <= set(header):  # a column a label
            source = replace(source, csv=replace(source.csv, label=classes))
    if source.tar is not None and data.tar is not None:
        label = None if data.tar.label in LABEL_ENDINGS else data.tar.label  # those are found
        tar = replace(data.tar, file=source.tar.file, label=label)
        source = replace(source, tar=tar, split=data.split)
    if source.tfrecord is not None and data.tfrecord is not None:
        tfrecord = replace(data.tfrecord, file=source.tfrecord.file)
        source = replace(source, tfrecord=tfrecord, split=data.split)
    if source.parquet is not None and data.parquet is not None:
        parquet = replace(data.parquet, file=source.parquet.file)
        source = replace(source, parquet=parquet, split=data.split)
    if source.arrays is not None and data.arrays is not None:
        source = replace(source, arrays=replace(data.arrays, file=place), split=data.split)
    if source.directory is not None and source.csv is None and data.layout is not None:
        own = Layout(data.layout, data.split.words, data.exclude or ())
        if _fits(source.directory, own, classes):
            source = replace(
                source, layout=data.layout, exclude=data.exclude, split=data.split.without_shares()
            )
    return read_images_at(source, partial=True)


def _fits(directory: Path, layout: Layout, classes: tuple[str, ...]) -> bool:
    """Whether a layout reads known classes off all images of a folder."""
    try:
        placement = place_images(list_images(directory).images, layout)
    except PatternError:
        return False
    labels = {image.label for image in placement.images}
    return bool(labels) and labels <= set(classes) and not placement.uncovered


def rows_to_measure(place: Path, manifest: Manifest) -> tuple[np.ndarray, str]:
    """The rows of a place that a run is measured on, and what there is to say of that.

    A place with splits is measured on its test images, never on those for training as well.

    Raises:
        DataError: the place has splits, and none for the test.
    """
    if manifest.splits is None:
        return np.arange(len(manifest)), ""
    splits = np.array(manifest.splits)
    rows = np.flatnonzero(splits == TEST)
    others = sorted(set(manifest.splits) - {TEST})
    if not len(rows):
        raise DataError.at(
            shown(place),
            rule="must say which images to measure on, where it has splits",
            received=f"images for {' and '.join(others)}, none for the test",
            advice="name the folder of one split",
        )
    if not others:
        return rows, ""
    left = len(manifest) - len(rows)
    return rows, (
        f"measured on the {len(rows):,} test images of {shown(place)}, not on its {left:,} for "
        f"{' and '.join(others)}; a place that holds these alone is measured whole"
    )


def seen_in_training(new: Manifest, rows: np.ndarray, trained: Manifest, on: np.ndarray) -> int:
    """How many images are, byte for byte, among those that a run was trained on.

    Args:
        new: images.
        rows: the rows of them to look for.
        trained: the run's images.
        on: the rows of these that it was trained on.
    """
    wanted = {int(row): _size(new, int(row)) for row in rows}
    sizes = set(wanted.values()) - {-1}
    alike = [int(row) for row in on if _size(trained, int(row)) in sizes]
    known = set(_contents(trained, alike).values()) - {b""}
    return sum(content in known for content in _contents(new, wanted).values())


def _contents(manifest: Manifest, rows: Iterable[int]) -> Mapping[int, bytes]:
    ordered = list(rows)
    return dict(
        zip(ordered, map_in_threads(lambda row: _content(manifest, row), ordered), strict=True)
    )


def _content(manifest: Manifest, row: int) -> bytes:
    if manifest.pixels is not None:
        return blake2b(np.ascontiguousarray(manifest.pixels[row]).tobytes()).digest()
    try:
        return blake2b(manifest.file(row).read_bytes()).digest()
    except (OSError, ValueError):  # a file of many images may end too soon
        return b""


def _size(manifest: Manifest, row: int) -> int:
    """The size in bytes of an image's file, or of its pixels; -1 for one that cannot be read."""
    if manifest.pixels is not None:
        return int(manifest.pixels[row].nbytes)
    file = manifest.file(row)
    if isinstance(file, PackedImage):
        return file.size
    try:
        return os.stat(file).st_size
    except OSError:
        return -1
