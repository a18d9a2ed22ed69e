"""The label of each row of a table, and what tells that its labels are of another task."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from cnnrun.data.manifest import composed
from cnnrun.data.tables import TableRow
from cnnrun.errors import DataError
from cnnrun.wording import counted, listed

_PARTS: Final = ("|", ";", ",", " ")
_FEW_NUMBERS: Final = 20
_LATER: Final = (
    "cnnrun learns one class an image; several labels (multi_label) are not supported yet"
)


def labels_of_rows(
    rows: Sequence[TableRow], *, label: str | tuple[str, ...], place: str
) -> list[str]:
    """The label of each row, empty where it has none.

    Args:
        rows: the rows.
        label: the column of labels, or the columns of one-hot labels.
        place: what messages name as the place of the table.

    Raises:
        DataError: the labels look like several an image, or like numbers to predict.
    """
    if isinstance(label, tuple):
        return [_hot(row, label) for row in rows]
    labels = [composed(row.values[label]) for row in rows]
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
            advice=_LATER,
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
    if any(number is None for number in numbers) or len(counts) <= _FEW_NUMBERS:
        return
    whole = all(number == int(number) for number in numbers if number is not None)
    if not whole or len(counts) > sum(counts.values()) / 2:
        raise DataError.at(
            place,
            rule="must hold classes, each of several images",
            received=f"{counted(len(counts), 'different number')} in column {label} "
            f"({listed(sorted(counts))})",
            advice="predicting a number (regression) is not supported yet; sort the numbers into "
            "classes, or name another column with data.csv.label",
        )


def _refuse_several(counts: Counter[str], label: str, place: str) -> None:
    """Refuse what looks like several labels in one cell: parts that are labels themselves."""
    for separator in _PARTS:
        joined = {text: parts for text in counts if len(parts := _split(text, separator)) > 1}
        is_known: Callable[[str], bool] = counts.__contains__
        known = [text for text, parts in joined.items() if all(map(is_known, parts))]
        if len(known) > len(joined) / 2 and known:
            raise DataError.at(
                place,
                rule="must have one label an image",
                received=f"cells of column {label} such as `{known[0]}`, whose parts are labels",
                advice=_LATER,
            )


def _split(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]
