"""The one place that chooses how images at a path are read: folder, table, arrays, tar files."""

from dataclasses import replace
from pathlib import Path

from cnnrun.config.data_section import PACKED, DataSpec
from cnnrun.config.data_sources import ArraysSource, CsvSource
from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import manifest_from_arrays, read_npz
from cnnrun.data.csv_file import manifest_from_csv
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Layout, Manifest
from cnnrun.data.packed_sources import packed_source_at
from cnnrun.data.parquet_file import manifest_from_parquet
from cnnrun.data.tar_files import manifest_from_tar
from cnnrun.data.tfrecord_files import manifest_from_tfrecord
from cnnrun.shown_text import shown


def read_images_at(data: DataSpec, *, partial: bool) -> Manifest:
    """The images that a config's `data` section names at a path, listed but not decoded.

    Args:
        data: the section, with a folder, a table or arrays.
        partial: whether classes may be without images, as images to evaluate a run on may.

    Raises:
        DataError: the source is absent, unreadable, or not what `data` says.
    """
    layout = Layout(data.layout or (), data.split.words, data.exclude or ())
    if data.csv is not None:
        return manifest_from_csv(
            data.csv,
            directory=data.directory,
            layout=layout,
            classes=data.classes,
            partial=partial,
            task=data.task,
            label_map=data.label_map,
        )
    if data.tar is not None:
        return manifest_from_tar(data.tar, layout=layout, classes=data.classes, partial=partial)
    if data.parquet is not None:
        return manifest_from_parquet(
            data.parquet, words=data.split.words, classes=data.classes, partial=partial
        )
    if data.tfrecord is not None:
        return manifest_from_tfrecord(
            data.tfrecord, words=data.split.words, classes=data.classes, partial=partial
        )
    if data.directory is not None:
        return manifest_from_directory(
            data.directory, layout=layout, classes=data.classes, partial=partial
        )
    if data.arrays is None:
        raise ValueError("the images stand at no path")
    return manifest_from_arrays(
        read_npz(data.arrays.file),
        place=shown(data.arrays.file),
        names=ArrayNames(
            data.arrays.images,
            data.arrays.labels,
            data.arrays.groups,
            data.arrays.weights,
            data.split.words,
        ),
        value_range=data.arrays.value_range,
        classes=data.classes,
        partial=partial,
        task=data.task,
    )


def source_at(place: Path) -> DataSpec:
    """The data section of a folder, a table, arrays or packed images, with nothing else said."""
    if place.suffix.lower() == ".npz":
        return DataSpec(arrays=ArraysSource(file=place))
    if place.suffix.lower() in {".csv", ".tsv", ".txt"} and not place.is_dir():
        return DataSpec(csv=CsvSource(file=place))
    if (packed := packed_source_at(place)) is not None:
        return packed
    return DataSpec(directory=place)


def data_as_read(data: DataSpec, manifest: Manifest) -> DataSpec:
    """A config's `data` section with the layout and the classes written out that were found."""
    data = replace(data, classes=manifest.classes)
    if manifest.separator is not None and data.csv is not None:
        data = replace(data, csv=replace(data.csv, separator=manifest.separator))
    for key in PACKED:
        source = getattr(data, key)
        if manifest.packing is not None and source is not None:
            read = replace(source, **manifest.packing.read_as)
            data = replace(data, **{key: read})
    layout = manifest.layout
    if layout is None:
        return data
    words = {**data.split.words, **layout.words}
    split = replace(
        data.split,
        train=words.get("train"),
        validation=words.get("validation", data.split.validation),
        test=words.get("test", data.split.test),
    )
    return replace(data, layout=layout.patterns, exclude=layout.exclude or None, split=split)
