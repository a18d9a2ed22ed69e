"""Tables of images as rows of text: of any separator, with or without a header, joined by a key."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import lexists
from pathlib import Path
from typing import Final

from cnnrun.errors import DataError
from cnnrun.file_kinds import not_a_file
from cnnrun.runs.tables import is_formula, without_apostrophe
from cnnrun.shown_text import shown
from cnnrun.wording import listed, nearest

_SEPARATORS: Final = (",", ";", "\t", "|")
# A row of pixels (FER2013 has 2,304 of them in a field) is longer than the module's usual limit.
_LONGEST_FIELD: Final = 2**24


@dataclass(frozen=True)
class TableRow:
    """A line of a table.

    Attributes:
        place: where it stands: file and line.
        line: the line.
        values: its values, by column.
    """

    place: str
    line: int
    values: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        file: where it lies; of joined tables, the first.
        columns: the names of its columns.
        rows: its rows, in their order.
    """

    file: Path
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


def read_table(file: Path, *, columns: Sequence[str] | None, expected: Sequence[str] = ()) -> Table:
    """A table of text.

    Args:
        file: the file, in UTF-8. Commas, semicolons, tabs or bars part its columns, or else spaces.
        columns: the names of the columns; None has the first line name them.
        expected: the columns that are wanted, for messages.

    Raises:
        DataError: the file is absent, empty, not in UTF-8, or a line is torn.
    """
    text = read_text(file)
    if not text.strip():
        raise DataError.at(
            shown(file),
            rule="must name its columns in the first line",
            received="an empty file",
            advice=f"begin it with {','.join(expected or ('path', 'label'))}",
        )
    lines = text.splitlines()
    separator = separator_of(lines, width=len(columns) if columns else None)
    csv.field_size_limit(_LONGEST_FIELD)
    if separator is None:
        records: Iterable[Sequence[str]] = ([line.strip()] for line in lines)
        return _table(file, columns, enumerate(records, start=1))
    if separator == " ":
        return _table(file, columns, enumerate((line.split() for line in lines), start=1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return _table(file, columns, ((reader.line_num, fields) for fields in reader))
    except csv.Error as error:
        raise DataError.at(
            f"{shown(file)}:{reader.line_num}",
            rule="must be a CSV file",
            received=str(error),
            advice="correct the line, or save the table again as CSV (UTF-8)",
        ) from error


def separator_of(lines: Sequence[str], *, width: int | None) -> str | None:
    """What parts the columns: spreadsheets write semicolons where commas are decimal points.

    Args:
        lines: the lines of the table.
        width: how many columns there are, where that is known.

    Returns:
        The separator, a space for any white space, or None where there is but one column.
    """
    if width == 1:
        return None
    best = max(_SEPARATORS, key=lines[0].count)
    if lines[0].count(best):
        return best
    return " " if len(lines[0].split()) == (width or len(lines[0].split())) > 1 else best


def _table(
    file: Path, columns: Sequence[str] | None, records: Iterable[tuple[int, Sequence[str]]]
) -> Table:
    names = None if columns is None else tuple(columns)
    rows = []
    for line, fields in records:
        if names is None:
            names = tuple(name.strip() for name in fields)
            continue
        if any(fields):
            values = {
                name: fields[place].strip() if place < len(fields) else ""
                for place, name in enumerate(names)
            }
            rows.append(TableRow(f"{shown(file)}:{line}", line, values))
    return Table(file, names or (), _without_apostrophes(file.parent, rows))


def _without_apostrophes(folder: Path, rows: Sequence[TableRow]) -> tuple[TableRow, ...]:
    """The rows as cnnrun had them before it kept spreadsheets from taking names for formulas.

    A table in which a name does begin like a formula, or where a file is called as it is written
    and not as it would be called without its apostrophe, is somebody else's, and taken as it is.
    """
    cells = [cell for row in rows for cell in row.values.values()]
    escaped = [cell for cell in cells if without_apostrophe(cell) != cell]
    if not escaped or any(map(is_formula, cells)):
        return tuple(rows)
    for cell in escaped:
        if lexists(folder / cell) and not lexists(folder / without_apostrophe(cell)):
            return tuple(rows)
    return tuple(
        replace(row, values={name: without_apostrophe(cell) for name, cell in row.values.items()})
        for row in rows
    )


def read_text(file: Path) -> str:
    """A file's text.

    Raises:
        DataError: it is absent, cannot be read, or is not in UTF-8.
    """
    rule = "must be a CSV file in UTF-8"
    if (kind := not_a_file(file)) not in (None, "nothing", "a folder"):
        raise DataError.at(shown(file), rule=rule, received=f"{kind}", advice="correct the path")
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        siblings = [path.name for path in file.parent.glob(f"*{file.suffix}")]
        advice = nearest(file.name, siblings) or "correct the path"
        raise DataError.at(
            shown(file), rule=rule, received="nothing: there is no such file", advice=advice
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError.at(
            f"{shown(file)}:{line}",
            rule=rule,
            received=f"byte 0x{error.object[error.start]:02x}",
            advice="save it again as CSV (UTF-8)",
        ) from error
    except OSError as error:
        received = error.strerror or str(error)
        raise DataError.at(
            shown(file), rule=rule, received=received, advice="correct the path or its permissions"
        ) from error


def joined_tables(files: Sequence[Path], *, columns: Sequence[str] | None) -> Table:
    """Several tables side by side, joined on their first column.

    Args:
        files: the tables.
        columns: the names of the columns of the whole, the first of each after the first file left
            out; None has every file's first line name them.

    Raises:
        DataError: a table cannot be read, or lacks a row that the first has.
    """
    if len(files) == 1:
        return read_table(files[0], columns=columns)
    tables = [_own_columns(files, index, columns) for index in range(len(files))]
    first, *others = tables
    key = first.columns[0]
    names = (*first.columns, *(name for other in others for name in other.columns[1:]))
    by_key = [{row.values[other.columns[0]]: row for row in other.rows} for other in others]
    rows = []
    for row in first.rows:
        values = dict(row.values)
        for other, index in zip(others, by_key, strict=True):
            match = index.get(row.values[key])
            if match is None:
                raise DataError.at(
                    row.place,
                    rule=f"must have a row of the same {key} in {shown(other.file)}",
                    received=row.values[key] or "an empty value",
                    advice="join tables whose first columns hold the same values",
                )
            values |= {name: match.values[name] for name in other.columns[1:]}
        rows.append(TableRow(row.place, row.line, values))
    return Table(first.file, names, tuple(rows))


def _own_columns(files: Sequence[Path], index: int, columns: Sequence[str] | None) -> Table:
    """One of several tables; of columns named for the whole, it takes as many as it has."""
    if columns is None:
        return read_table(files[index], columns=None)
    widths = [_width(file) for file in files]
    if sum(widths) - len(files) + 1 != len(columns):
        raise DataError.at(
            "data.csv.columns",
            rule="must name every column of the joined tables, the first of each after the first "
            "file left out",
            received=f"{listed(list(columns))}, for files of "
            f"{' and '.join(map(str, widths))} columns",
            advice=f"name {sum(widths) - len(files) + 1} columns",
        )
    start = widths[0] + sum(width - 1 for width in widths[1:index])
    own = columns[: widths[0]] if index == 0 else columns[start : start + widths[index] - 1]
    return read_table(files[index], columns=own if index == 0 else [columns[0], *own])


def _width(file: Path) -> int:
    lines = read_text(file).splitlines()
    first = next((line for line in lines if line.strip()), "")
    separator = separator_of([first], width=None) if first else None
    return len(first.split(None if separator == " " else separator))
