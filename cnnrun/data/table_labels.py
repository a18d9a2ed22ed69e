"""The label of each row of a table, and what tells that its labels are of another task."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from cnnrun.data.label_sets import FEW_NUMBERS, NUMBERS_AT_LEAST, REGRESSION, parts_of
from cnnrun.data.manifest import composed
from cnnrun.data.tables import TableRow
from cnnrun.errors import DataError
from cnnrun.wording import counted, listed

_PARTS: Final = ("|", ";", ",", " ")
_JOINED_BY: Final = ("|", ";")
SEVERAL_LABELS: Final = (
    "write `task: multi_label` under `data` where an image may have several labels, or "
    "`task: single_label` where such a text is the name of one class"
)


def labels_of_rows(
    rows: Sequence[TableRow],
    *,
    label: str | tuple[str, ...],
    place: str,
    may_refuse: bool = True,
) -> list[str]:
    """The label of each row, empty where it has none.

    Args:
        rows: the rows.
        label: the column of labels, or the columns of one-hot labels.
        place: what messages name as the place of the table.
        may_refuse: whether texts are refused that look like no names of classes.

    Raises:
        DataError: the labels look like several an image, or like numbers to predict.
    """
    if isinstance(label, tuple):
        return [_hot(row, label) for row in rows]
    labels = [composed(row.values[label]) for row in rows]
    if not may_refuse:
        return labels
    counts = Counter(each for each in labels if each)
    _refuse_numbers(counts, label, place)
    _refuse_several(counts, label, place)
    return labels


def _hot(row: TableRow, columns: tuple[str, ...]) -> str:
    values = [_number(row.values[column]) for column in columns]
    hot = [column for column, value in zip(columns, values, strict=True) if value == 1]
    others = sorted(
        {row.values[c] for c, v in zip(columns, values, strict=True) if v not in (0, 1)}
    )
    if others:
        raise DataError.at(
            row.place,
            rule="must hold 0 and 1 in the columns of one-hot labels",
            received=listed([each or "an empty value" for each in others]),
            advice="round the labels, or name a column of classes with data.csv.label",
        )
    if len(hot) > 1:
        raise DataError.at(
            row.place,
            rule="must have one label an image",
            received=listed(hot),
            advice="write `task: multi_label` under `data` where an image may have several labels",
        )
    return hot[0] if hot else ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _refuse_numbers(counts: Counter[str], label: str, place: str) -> None:
    """Refuse what looks like measurements: many different numbers."""
    numbers = [_number(text) for text in counts]
    if any(number is None for number in numbers):
        return
    images = sum(counts.values())
    are_many = len(counts) > FEW_NUMBERS
    whole = all(number is None or number == np.floor(number) for number in numbers)
    each_once = len(counts) == images >= NUMBERS_AT_LEAST
    if each_once or (are_many and (not whole or len(counts) > images / 2)):
        raise DataError.at(
            place,
            rule="must hold classes, each of several images",
            received=f"{counted(len(counts), 'different number')} in column {label} "
            f"({listed(sorted(counts))})",
            advice=f"{REGRESSION}; sort the numbers into classes, or name another column with "
            "data.csv.label",
        )


def _refuse_several(counts: Counter[str], label: str, place: str) -> None:
    """Refuse what looks like several labels in one cell.

    So do texts whose parts are labels themselves, and, between bars or semicolons, parts that come
    again in other cells.
    """
    for separator in _PARTS:
        joined = {text: parts for text in counts if len(parts := parts_of(text, separator)) > 1}
        is_known: Callable[[str], bool] = counts.__contains__
        known = [text for text, parts in joined.items() if all(map(is_known, parts))]
        if known and len(known) > len(joined) / 2:
            raise _several(label, place, known[0], "whose parts are labels")
        words = {part for parts in joined.values() for part in parts}
        if separator in _JOINED_BY and len(words) < len(joined):
            raise _several(label, place, next(iter(joined)), "whose parts come again in others")


def _several(label: str, place: str, example: str, reason: str) -> DataError:
    return DataError.at(
        place,
        rule="must have one label an image",
        received=f"cells of column {label} such as `{example}`, {reason}",
        advice=SEVERAL_LABELS,
    )
