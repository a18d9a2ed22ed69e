"""A table of images and labels (CSV) as a manifest."""

import csv
import io
import os
import posixpath
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnrun.data.folders import SPLIT_FOLDERS
from cnnrun.data.manifest import Manifest, composed, image_ids, number_labels
from cnnrun.data.refusal import NAMED_AT_MOST, counted, listed, nearest, refusal, shown
from cnnrun.errors import DataError


@dataclass(frozen=True)
class _Row:
    """One line of the table; `split` and `group` are empty where there is no such column."""

    line: int
    path: str
    label: str
    split: str
    group: str


def manifest_from_csv(
    file: Path,
    *,
    path_column: str,
    label_column: str,
    split_column: str | None,
    group_column: str | None,
    classes: tuple[str, ...] | int | None,
) -> Manifest:
    """The images that a CSV file names.

    The first line names the columns; commas, semicolons or tabs part them. Paths are relative to
    the file. Labels are text: their order is that of sorted names, whatever they look like.

    Args:
        file: the CSV file, in UTF-8.
        path_column: name of the column with paths.
        label_column: name of the column with class names.
        split_column: name of the column with train, validation (valid, val) or test; or None.
        group_column: name of the column with what may not straddle splits, a patient say; or None.
        classes: what `data.classes` says: names in their order, their number, or None.

    Returns:
        A manifest whose rows are sorted by path, in whatever order the file has them.

    Raises:
        DataError: the file, a column, a value or an image is absent or not usable.
    """
    names = [path_column, label_column, split_column, group_column]
    rows = _read_rows(file, columns=names)
    _check_rows(file, rows, split_column=split_column, group_column=group_column)
    rows.sort(key=lambda row: row.path)
    _check_files(file, rows)
    paths = tuple(row.path for row in rows)
    class_names, labels = number_labels(
        [row.label for row in rows], classes=classes, place=shown(file), partial=False
    )
    splits = tuple(SPLIT_FOLDERS[row.split.lower()] for row in rows) if split_column else None
    return Manifest(
        root=file.parent,
        paths=paths,
        labels=labels,
        classes=class_names,
        splits=splits,
        groups=tuple(row.group for row in rows) if group_column else None,
        ids=image_ids(paths),
        pixels=None,
        value_range=None,
        notes=(),
    )


def _read_rows(file: Path, *, columns: Sequence[str | None]) -> list[_Row]:
    text = _read_text(file)
    if not text.strip():
        raise refusal(
            shown(file),
            rule="must name its columns in the first line",
            received="an empty file",
            advice=f"begin it with {','.join(name for name in columns if name)}",
        )
    delimiter = _delimiter(text.splitlines()[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        header = [name.strip() for name in next(reader)]
        places = _column_places(file, header, columns)
        for fields in reader:
            if any(fields):
                values = (_value(fields, place) for place in places)
                rows.append(_row(reader.line_num, *values))
    except csv.Error as error:
        raise refusal(
            f"{shown(file)}:{reader.line_num}",
            rule="must be a CSV file",
            received=str(error),
            advice="correct the line, or save the table again as CSV (UTF-8)",
        ) from error
    return rows


def _read_text(file: Path) -> str:
    rule = "must be a CSV file in UTF-8"
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        siblings = [path.name for path in file.parent.glob("*.csv")]
        advice = nearest(file.name, siblings) or "correct the path"
        raise refusal(
            shown(file), rule=rule, received="nothing: there is no such file", advice=advice
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise refusal(
            f"{shown(file)}:{line}",
            rule=rule,
            received=f"byte 0x{error.object[error.start]:02x}",
            advice="save it again as CSV (UTF-8)",
        ) from error
    except OSError as error:
        received = error.strerror or str(error)
        raise refusal(
            shown(file), rule=rule, received=received, advice="correct the path or its permissions"
        ) from error


def _delimiter(header: str) -> str:
    """What parts the columns: spreadsheets write semicolons where commas are decimal points."""
    return max(",;\t", key=header.count)


def _column_places(
    file: Path, header: Sequence[str], columns: Sequence[str | None]
) -> list[int | None]:
    wanted = [name for name in columns if name is not None]
    missing = [name for name in wanted if name not in header]
    if missing:
        hints = [nearest(name, header) for name in missing]
        names = "data.csv.path, .label, .split and .group say which columns to read"
        raise refusal(
            f"{shown(file)}:1",
            rule=f"must have the columns {', '.join(wanted)}",
            received=", ".join(header),
            advice=" ".join(hint for hint in hints if hint) or names,
        )
    return [None if name is None else header.index(name) for name in columns]


def _value(fields: Sequence[str], place: int | None) -> str:
    return "" if place is None or place >= len(fields) else fields[place].strip()


def _row(line: int, path: str, label: str, split: str, group: str) -> _Row:
    # A path is hashed as it is written on every system.
    path = posixpath.normpath(path.replace(os.sep, "/")) if path else ""
    return _Row(line, path, composed(label), split, group)


def _check_rows(
    file: Path, rows: Sequence[_Row], *, split_column: str | None, group_column: str | None
) -> None:
    """Refuse rows with an empty or unknown value, or a path that another row has."""
    splits = "train, validation (valid, val) or test"
    if not rows:
        raise refusal(
            shown(file),
            rule="must have a line for each image",
            received="no line after the first",
            advice="add the images",
        )
    _check_each(file, rows, "must have a path", "without one", lambda row: bool(row.path))
    _check_each(file, rows, "must have a label", "without one", lambda row: bool(row.label))
    if split_column is not None:
        rule = f"must have {splits} in column {split_column}"
        known = SPLIT_FOLDERS.keys()
        _check_each(file, rows, rule, "with another", lambda row: row.split.lower() in known)
    if group_column is not None:
        rule = f"must have a group in column {group_column}"
        _check_each(file, rows, rule, "without one", lambda row: bool(row.group))
    times = Counter(row.path for row in rows)
    rule = "must have an image of its own"
    _check_each(file, rows, rule, "that share one", lambda row: times[row.path] == 1)


def _check_each(
    file: Path, rows: Sequence[_Row], rule: str, fault: str, holds: Callable[[_Row], bool]
) -> None:
    wrong = [row for row in rows if not holds(row)]
    if wrong:
        described = [f"line {row.line} ({_summary(row)})" for row in wrong]
        raise refusal(
            f"{shown(file)}:{wrong[0].line}",
            rule=f"every line {rule}",
            received=f"{counted(len(wrong), 'line')} {fault}: {listed(described)}",
            advice="correct or remove them",
        )


def _summary(row: _Row) -> str:
    values = (row.path, row.label, row.split, row.group)
    return ", ".join(value for value in values if value) or "empty"


def _check_files(file: Path, rows: Sequence[_Row]) -> None:
    missing = [row for row in rows if not os.path.exists(file.parent / row.path)]
    if missing:
        raise _missing_files(file, missing)


def _missing_files(file: Path, missing: Sequence[_Row]) -> DataError:
    first = [f"{row.path} (line {row.line})" for row in missing[:NAMED_AT_MOST]]
    more = [""] * (len(missing) - len(first))
    backslashes = any("\\" in row.path for row in missing)
    return refusal(
        shown(file),
        rule="must name images that exist; paths are relative to its folder",
        received=f"{counted(len(missing), 'path')} without a file: {listed([*first, *more])}",
        advice="write paths with forward slashes"
        if backslashes
        else "correct the paths or move the CSV file",
    )
