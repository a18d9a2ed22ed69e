"""Several labels an image, or none: read from a table's cells, and as a matrix.

Shapes: labels are `(images, labels)` of 1 (the image has it), 0 (it has not) and -1 (unknown).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cnnrun.config.data_section import UNKNOWN_LABEL
from cnnrun.data.manifest import composed
from cnnrun.data.tables import TableRow
from cnnrun.errors import DataError
from cnnrun.wording import counted, listed, nearest

Matrix = npt.NDArray[np.int32]
LabelMap = Mapping[str, str | None]

PRESENT: Final = 1
ABSENT: Final = 0
UNKNOWN: Final = -1
REGRESSION: Final = "predicting a number (regression) is not supported yet"

_SEPARATORS: Final = ("|", ";", ",", "+", "/")
_SPACE: Final = " "
_MEANINGS: Final = {1.0: PRESENT, 0.0: ABSENT, -1.0: UNKNOWN}
FEW_NUMBERS: Final = 20
"""As many different numbers may be the names of classes."""
NUMBERS_AT_LEAST: Final = 6
"""Of so many images on, numbers of which no two are equal are measurements."""


class LabelSet(NamedTuple):
    """The labels of an image: those that it has, and those of which that is not known."""

    present: frozenset[str]
    unknown: frozenset[str] = frozenset()


class LabelColumns(NamedTuple):
    """How the labels of a table are written.

    Attributes:
        label: the column of joined labels, or the columns of 0 and 1.
        separator: what parts the labels of a cell; None finds it.
        names: what becomes of labels, or of the values of cells, by their name; see `renamed`.
    """

    label: str | tuple[str, ...]
    separator: str | None
    names: LabelMap


class ReadSets(NamedTuple):
    """The labels of some rows, and what there is to say of how they were read.

    Attributes:
        sets: one a row; None for a row of which nothing is known.
        order: the labels in their order.
        separator: what parts the labels of a cell; None for columns of 0 and 1.
        notes: a sentence each.
    """

    sets: list[LabelSet | None]
    order: tuple[str, ...]
    separator: str | None
    notes: tuple[str, ...]


def sets_of_rows(rows: Sequence[TableRow], columns: LabelColumns, *, place: str) -> ReadSets:
    """The labels of each row.

    Args:
        rows: the rows.
        columns: where they stand, and how.
        place: what messages name as the place of the table.

    Raises:
        DataError: no cell holds several labels, or a column holds something else than 0, 1, -1 and
            nothing.
    """
    if isinstance(columns.label, tuple):
        return _of_columns(rows, columns.label, columns.names, place=place)
    return _of_cells(rows, columns.label, columns, place=place)


def _of_cells(
    rows: Sequence[TableRow], column: str, columns: LabelColumns, *, place: str
) -> ReadSets:
    cells = [composed(row.values[column]).strip() for row in rows]
    separator = columns.separator or found_separator(set(cells))
    if separator is None:
        raise DataError.at(
            place,
            rule=f"must part the labels of an image in column {column} by one of "
            f"{' '.join(_SEPARATORS)} or spaces, where data.task is multi_label",
            received=f"no cell with two labels, such as `{next(filter(None, cells), '')}`",
            advice="name what parts them as data.csv.separator, the columns of 0 and 1 as "
            "data.csv.label, or leave data.task out: each image then has one label",
        )
    sets = []
    for cell in cells:
        parts = [renamed(part, columns.names) for part in parts_of(cell, separator)]
        sets.append(
            LabelSet(frozenset(part for part in parts if part and part != UNKNOWN_LABEL))
            if UNKNOWN_LABEL not in parts
            else None
        )
    names = _in_order({name for each in sets if each for name in each.present})
    notes = []
    if columns.separator is None:
        how = "spaces part" if separator == _SPACE else f"`{separator}` parts"
        notes.append(f"{how} the labels in column {column}; data.csv.separator names another")
    empty = sum(not cell for cell in cells)
    if empty:
        notes.append(
            f"{counted(empty, 'row')} with an empty cell in column {column}: taken for images"
            " without a label"
        )
    notes += _lonely_notes([each for each in sets if each], names)
    return ReadSets([*sets], names, separator, tuple(notes))


def found_separator(cells: Iterable[str]) -> str | None:
    """What parts the labels of cells; None where no cell seems to hold several.

    Spaces count where their parts are fewer than the cells, as those of `haze primary` and
    `clear primary` are and those of `No Finding` and `Mass` are not.
    """
    distinct = {cell for cell in cells if cell}
    for separator in _SEPARATORS:
        if any(len(parts_of(cell, separator)) > 1 for cell in distinct):
            return separator
    words = {part for cell in distinct for part in cell.split()}
    joined = [cell for cell in distinct if len(cell.split()) > 1]
    return _SPACE if joined and len(words) < len(distinct) else None


def parts_of(cell: str, separator: str) -> list[str]:
    """The labels of a cell; of one written as a list, such as ['a', 'b'], without its quotes."""
    is_list = cell.startswith("[") and cell.endswith("]")
    parts = cell[1:-1].split(separator) if is_list else cell.split(separator)
    stripped = (part.strip().strip("'\"") if is_list else part.strip() for part in parts)
    return [part for part in stripped if part]


def _lonely_notes(sets: Sequence[LabelSet], names: Sequence[str]) -> Iterator[str]:
    """Names a label such as `No Finding`, which says that there is none of the others."""
    for name in names:
        words = {*name.casefold().replace("_", " ").split()}
        says_none = bool(words & {"no", "none", "normal", "nothing"})
        if says_none and all(each.present == {name} for each in sets if name in each.present):
            yield (
                f"`{name}` never stands beside another label and is learnt as a label of its own; "
                f'`data.label_map: {{"{name}": null}}` makes its images ones without a label'
            )


def _of_columns(
    rows: Sequence[TableRow], label: tuple[str, ...], names: LabelMap, *, place: str
) -> ReadSets:
    order = {column: renamed(column, names) for column in label}
    kept = {column: name for column, name in order.items() if name and name != UNKNOWN_LABEL}
    sets: list[LabelSet | None] = []
    empty: Counter[str] = Counter()
    for row in rows:
        found: dict[int, set[str]] = {PRESENT: set(), ABSENT: set(), UNKNOWN: set()}
        for column, name in kept.items():
            text = row.values[column].strip()
            meaning = _meaning(names.get(text, text) if text in names else text)
            if meaning is None:
                raise _no_label(rows, row, column, place)
            found[meaning].add(name)
            empty[column] += not text and "" not in names
        # Of merged columns one that holds 1 is enough, and one that is known.
        known = found[PRESENT] | found[ABSENT]
        unknown = frozenset(found[UNKNOWN] - known)
        sets.append(LabelSet(frozenset(found[PRESENT]), unknown) if known else None)
    total = sum(empty.values())
    notes = (
        [
            f"{counted(total, 'empty cell')} in the columns of labels: taken for unknown, which"
            ' no loss and no metric counts; `data.label_map: {"": "0"}` takes them for 0'
        ]
        if total
        else []
    )
    return ReadSets(sets, tuple(dict.fromkeys(kept.values())), None, tuple(notes))


def _meaning(text: str | None) -> int | None:
    """What a cell says; None for something that is no label."""
    if not text or text.casefold() in (UNKNOWN_LABEL, "nan"):
        return UNKNOWN
    if text.casefold() in ("true", "false"):
        return PRESENT if text.casefold() == "true" else ABSENT
    try:
        return _MEANINGS.get(float(text))
    except ValueError:
        return None


def _no_label(rows: Sequence[TableRow], row: TableRow, column: str, place: str) -> DataError:
    values = {each.values[column] for each in rows}
    if len(values) > FEW_NUMBERS and all(map(is_number, filter(None, values))):
        return DataError.at(
            place,
            rule="must hold 0 and 1 in the columns of labels",
            received=f"{counted(len(values), 'different number')} in column {column}",
            advice=f"{REGRESSION}; leave the column out of data.csv.label",
        )
    return DataError.at(
        f"{row.place}: column {column}",
        rule="must hold 1, 0, or for unknown -1 or nothing, in the columns of labels",
        received=f"`{row.values[column]}`",
        advice="say what it means, such as "
        f'data.label_map: {{"{row.values[column]}": "unknown"}}, or correct the row',
    )


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def renamed(name: str, names: LabelMap) -> str | None:
    """What a label is called in the end; None for no label."""
    return names.get(name, name)


def name_in_map(label: str, names: LabelMap) -> str:
    """What the one label of an image is called in the end; empty for none, or an unknown one."""
    name = renamed(label, names)
    return "" if name is None or name == UNKNOWN_LABEL else name


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorted names; numbers sort as numbers, so 10 stands after 9."""
    found = list(names)
    return tuple(sorted(found, key=int) if all(map(str.isdecimal, found)) else sorted(found))


def matrix_of_sets(
    sets: Sequence[LabelSet],
    *,
    order: tuple[str, ...],
    classes: tuple[str, ...] | int | None,
    place: str,
    partial: bool,
    said: list[str],
) -> tuple[tuple[str, ...], Matrix]:
    """The labels' names, and `(images, labels)` of 1, 0 and -1.

    Args:
        sets: the labels of each image.
        order: all labels found, in their order.
        classes: what `data.classes` says: names in their order, their number, or nothing.
        place: what messages name as the place of the labels.
        partial: whether labels may be without images, as of test images; a label that `classes`
            does not name is refused then, and else left out and said.
        said: gets a sentence of what was left out.

    Raises:
        DataError: labels and `classes` disagree.
    """
    names = _names(sets, order, classes, place=place, partial=partial, said=said)
    if not partial:
        refuse_empty_labels(names, {name for each in sets for name in each.present}, place)
    number = {name: index for index, name in enumerate(names)}
    matrix = np.zeros((len(sets), len(names)), np.int32)
    for row, each in enumerate(sets):
        for found, value in ((each.unknown, UNKNOWN), (each.present, PRESENT)):
            matrix[row, [number[name] for name in found if name in number]] = value
    return names, matrix


def _names(
    sets: Sequence[LabelSet],
    order: tuple[str, ...],
    classes: tuple[str, ...] | int | None,
    *,
    place: str,
    partial: bool,
    said: list[str],
) -> tuple[str, ...]:
    if isinstance(classes, int) and classes != len(order):
        raise DataError.at(
            place,
            rule=f"must have as many labels as data.classes says, {classes}",
            received=f"{counted(len(order), 'label')}: {listed(order)}",
            advice="correct data.classes or the labels",
        )
    if not isinstance(classes, tuple):
        return order
    others = [name for name in order if name not in classes]
    if others and partial:
        raise DataError.at(
            place,
            rule=f"must have only labels that are known ({listed(classes)})",
            received=listed(others),
            advice=nearest(others[0], classes) or "correct the labels",
        )
    if others:
        images = sum(bool(each.present & set(others)) for each in sets)
        said.append(
            f"left out labels that data.classes does not name: {listed(others)}, of"
            f" {counted(images, 'image')}"
        )
    return classes


def refuse_empty_labels(names: Sequence[str], present: set[str], place: str) -> None:
    """Raise if no image has a label, or there is no label.

    Raises:
        DataError: so it is; the labels are named.
    """
    if not names:
        raise DataError.at(
            place,
            rule="must have images with a label",
            received="none",
            advice="correct data.csv.label",
        )
    lacking = [name for name in names if name not in present]
    if lacking:
        raise DataError.at(
            place,
            rule="must have an image of every label",
            received=f"no image of {listed(lacking)}",
            advice=nearest(lacking[0], sorted(present))
            or "leave them out with data.classes or data.csv.label, or add images",
        )


def matrix_of_array(array: npt.NDArray[Any], *, place: str) -> Matrix:
    """Labels `(images, labels)` of an array of 0, 1 and, for unknown, -1 or NaN.

    Raises:
        DataError: it holds something else.
    """
    if array.ndim != 2 or array.dtype.kind not in "uifb":
        raise DataError.at(
            place,
            rule="must hold 0 and 1 with the shape (images, labels), where data.task is "
            "multi_label",
            received=f"type {array.dtype}, shape {array.shape}",
            advice="write such an array, or leave data.task out for one label an image",
        )
    values = array.astype(np.float64)
    values[np.isnan(values)] = UNKNOWN
    wrong = np.flatnonzero(~np.isin(values, tuple(_MEANINGS)).all(axis=1))
    if len(wrong):
        found = sorted(set(values[wrong].ravel()) - set(_MEANINGS))
        is_regression = len(found) > FEW_NUMBERS
        raise DataError.at(
            f"{place}[{wrong[0]}]",
            rule="must hold 1, 0, or for unknown -1, one for each label",
            received=listed([f"{value:g}" for value in found]),
            advice=REGRESSION if is_regression else "round the labels",
        )
    return values.astype(np.int32)
