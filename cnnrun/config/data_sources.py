"""The sources of `data` that are more than a path: tables, arrays, and files of many images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from cnnrun.config.kinds import Either, ListOf, MapOf, Nullable
from cnnrun.config.places import Place
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import FilePath, Number, PathPatternText, Text
from cnnrun.wording import suggestion

_COLUMN: Final = Text("the name of a column")
_ARRAY: Final = Text("the name of an array, or a pattern of names")
_TABLE: Final = FilePath("a CSV file")
_FEATURE: Final = Text("the name of a feature")
_ENDING: Final = Text("the ending of a member's name, such as cls")
_FIELD: Final = Text("the name of a field")


def _files_of(kind: str) -> Either:
    """A file of a kind that holds many images, a folder or a pattern of such; several; by split."""
    one = FilePath(f"a {kind} file, a folder of them, or a pattern of their names")
    return Either(
        (
            one,
            ListOf(one, f"paths or patterns of {kind} files", minimum=1),
            MapOf(one, f"{kind} files by split"),
        )
    )


def check_value_range(place: Place, values: Mapping[str, Any]) -> None:
    """Black is below white."""
    low, high = values.get("value_range") or (0, 1)
    if low >= high:
        place.entry("value_range").refuse(
            "the first number must be below the second",
            received=f"[{low:g}, {high:g}]",
            advice="give the value of black, then that of white",
        )


def _check_tar(place: Place, values: Mapping[str, Any]) -> None:
    """Files by split are named after splits; fields are those of JSON."""
    _check_files_by_split(place, values)
    label = values.get("label")
    if values.get("field") is not None and label not in (None, "json"):
        place.refuse_key(
            "field",
            "names the field of a .json that holds the label",
            received=f"`field` beside `label: {label}`",
            advice="write `label: json`, or leave `field` out",
        )


def _check_files_by_split(place: Place, values: Mapping[str, Any]) -> None:
    """Files by split are named after splits, and say the split themselves."""
    files = values.get("file")
    if not isinstance(files, Mapping):
        return
    for key in files:
        if key not in ("train", "validation", "test"):
            place.entry("file").refuse_key(
                key,
                "files by split must be named train, validation or test",
                received=f"`{key}`",
                advice=suggestion(key, ("train", "validation", "test")),
            )
    if values.get("split") is not None:
        place.refuse_key(
            "split",
            "files by split say the split themselves",
            received="`split` beside them",
            advice="leave one of them out",
        )


@dataclass(frozen=True, kw_only=True)
class CsvSource:
    """A table of images, or several: joined on their first column, or one for each split."""

    file: Annotated[
        Path | tuple[Path, ...] | Mapping[str, Path],
        Either(
            (
                _TABLE,
                ListOf(_TABLE, "paths of CSV files", minimum=1),
                MapOf(_TABLE, "CSV files by split"),
            )
        ),
        "the path of a CSV file; several, joined on their first column; or one for each split",
    ]
    columns: Annotated[
        tuple[str, ...] | None,
        Nullable(ListOf(_COLUMN, "names of columns", minimum=1)),
        "the names of the columns, for files whose first line is an image already",
    ] = None
    path: Annotated[
        str,
        PathPatternText("the name of a column, or a pattern of columns", None),
        "the column of image paths, relative to the file or to data.directory; or a pattern of "
        "columns, `train/{id}.jpg`",
    ] = "path"
    label: Annotated[
        str | tuple[str, ...],
        Either((_COLUMN, ListOf(_COLUMN, "names of columns", minimum=2))),
        "the column of class names, or the columns of one-hot labels; with several labels an image,"
        " the column of joined labels or the columns of 0 and 1",
    ] = "label"
    separator: Annotated[
        str | None,
        Nullable(Text("what parts labels")),
        "what parts the labels of an image in one column, such as `|`; found by default",
    ] = None
    split: Annotated[
        str | None,
        Nullable(_COLUMN),
        "the column of train, validation or test; without one, data.split cuts",
    ] = None
    group: Annotated[
        str | None,
        Nullable(_COLUMN),
        "the column of groups, such as patients, that no split divides",
    ] = None
    weight: Annotated[
        str | None,
        Nullable(_COLUMN),
        "the column of numbers by which an image counts more or less in the training loss",
    ] = None
    pixels: Annotated[
        str | None, Nullable(_COLUMN), "the column of pixels, where the table holds them"
    ] = None


@dataclass(frozen=True, kw_only=True)
class ArraysSource:
    """An .npz file of images and labels."""

    file: Annotated[Path, FilePath("an .npz file"), "the path of an .npz file"]
    images: Annotated[
        str | None,
        Nullable(_ARRAY),
        "the array of images, or a pattern of several: `{split}_images`",
    ] = None
    labels: Annotated[
        str | None, Nullable(_ARRAY), "the array of labels, or a pattern of several"
    ] = None
    groups: Annotated[str | None, Nullable(_ARRAY), "the array of groups that no split divides"] = (
        None
    )
    weights: Annotated[
        str | None,
        Nullable(_ARRAY),
        "the array of numbers by which an image counts more or less in the training loss, or a "
        "pattern of several",
    ] = None
    value_range: Annotated[
        tuple[float, float] | None,
        Nullable(ListOf(Number(), "numbers", length=2)),
        "the values of black and white, such as [0, 1]; floats need it",
    ] = None


@dataclass(frozen=True, kw_only=True)
class TarSource:
    """Tar files of images, their labels beside them (WebDataset's layout) or in their paths."""

    file: Annotated[
        Path | tuple[Path, ...] | Mapping[str, Path],
        _files_of("tar"),
        "a tar file, a folder of them, or a pattern of names, `train-*.tar` or "
        "`train-{000..146}.tar`; several of these; or one for each split",
    ]
    image: Annotated[
        str | None,
        Nullable(_ENDING),
        "the ending of the images, such as `jpg`, where members of one name have several",
    ] = None
    label: Annotated[
        str | None,
        Nullable(_ENDING),
        "the ending of what holds an image's label, `cls`, `txt` or `json`; found by default, and "
        "where there is none the folders in the tar file are the classes",
    ] = None
    field: Annotated[
        str | None,
        Nullable(_FIELD),
        "the field of a .json that holds the label; `label` by default",
    ] = None
    split: Annotated[
        str | None,
        Nullable(_FIELD),
        "the field of a .json that says train, validation or test",
    ] = None
    group: Annotated[
        str | None,
        Nullable(_FIELD),
        "the field of a .json that says the group, such as a patient, that no split divides",
    ] = None


@dataclass(frozen=True, kw_only=True)
class ParquetSource:
    """Parquet files that name images by their paths, which are relative to the first of them."""

    file: Annotated[
        Path | tuple[Path, ...] | Mapping[str, Path],
        _files_of("Parquet"),
        "a Parquet file, a folder of them, or a pattern of names, `photos-*.parquet`; several of "
        "these; or one for each split",
    ]
    path: Annotated[str, _COLUMN, "the column of image paths, relative to the file"] = "path"
    label: Annotated[str, _COLUMN, "the column of classes, text or whole numbers"] = "label"
    split: Annotated[
        str | None,
        Nullable(_COLUMN),
        "the column of train, validation or test; without one, data.split cuts",
    ] = None
    group: Annotated[
        str | None,
        Nullable(_COLUMN),
        "the column of groups, such as patients, that no split divides",
    ] = None
    weight: Annotated[
        str | None,
        Nullable(_COLUMN),
        "the column of numbers by which an image counts more or less in the training loss",
    ] = None


@dataclass(frozen=True, kw_only=True)
class TfrecordSource:
    """TFRecord files of tf.train.Example: an encoded image, its label and whatever else."""

    file: Annotated[
        Path | tuple[Path, ...] | Mapping[str, Path],
        _files_of("TFRecord"),
        "a TFRecord file, a folder of them, or a pattern of names, `train-*` or "
        "`train-{00000..01023}-of-01024`; several of these; or one for each split",
    ]
    image: Annotated[
        str | None,
        Nullable(_FEATURE),
        "the feature that holds the image as a JPEG or PNG file would; found by default",
    ] = None
    label: Annotated[
        str | None,
        Nullable(_FEATURE),
        "the feature that holds the class, a whole number or text; found by default",
    ] = None
    path: Annotated[
        str | None,
        Nullable(_FEATURE),
        "the feature that holds the image's name, on which its split and order depend; "
        "`image/filename` or `filename` by default, and else file and number, `train-00001[17]`",
    ] = None
    split: Annotated[
        str | None,
        Nullable(_FEATURE),
        "the feature that says train, validation or test",
    ] = None
    group: Annotated[
        str | None,
        Nullable(_FEATURE),
        "the feature that says the group, such as a patient, that no split divides",
    ] = None


CSV: Final = Record(
    CsvSource,
    "the path of a CSV file, or a map with `file`",
    checks=(_check_files_by_split,),
    short="file",
)
ARRAYS: Final = Record(
    ArraysSource,
    "the path of an .npz file, or a map with `file`",
    checks=(check_value_range,),
    short="file",
)

TAR: Final = Record(
    TarSource,
    "the path of tar files, or a map with `file`",
    checks=(_check_tar,),
    short="file",
)
PARQUET: Final = Record(
    ParquetSource,
    "the path of Parquet files, or a map with `file`",
    checks=(_check_files_by_split,),
    short="file",
)
TFRECORD: Final = Record(
    TfrecordSource,
    "the path of TFRecord files, or a map with `file`",
    checks=(_check_files_by_split,),
    short="file",
)
