"""How much each image counts in the training loss: a column of a table, or an array."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cnnrun.data.manifest import Manifest
from cnnrun.data.splits import Splits
from cnnrun.data.tables import Table, TableRow
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed

Weights = npt.NDArray[np.float32]

_CALLED: Final = frozenset({"weight", "weights", "sample_weight", "sample_weights"})
_LARGEST: Final = float(np.finfo(np.float32).max)
_RULE: Final = "must be a number of 0 or more"
_ADVICE: Final = "correct the weights; 1 is that of any image, and 0 leaves one out of training"


def is_called_weight(name: str) -> bool:
    """Whether a column or array is called as weights of images are."""
    return name.casefold() in _CALLED


def note_of_unused(tables: Iterable[Table], used: Iterable[str | None]) -> str | None:
    """What to say of a column that is called like weights, and that nothing uses."""
    named = set(used)
    for column in (column for table in tables for column in table.columns):
        if is_called_weight(column) and column not in named:
            return (
                f"column {column} is not used; `data.csv.weight: {column}` lets an image count as "
                "much in the training loss"
            )
    return None


def weights_of_rows(rows: Sequence[TableRow], column: str) -> list[float]:
    """The weights of a table's rows.

    Raises:
        DataError: a row has none, or one that is below 0 or not finite; or all are 0.
    """
    weights = [_number(row.values[column]) for row in rows]
    wrong = [row for row, weight in zip(rows, weights, strict=True) if not _is_weight(weight)]
    if wrong:
        described = [f"line {row.line} ({row.values[column] or 'nothing'})" for row in wrong]
        raise DataError.at(
            wrong[0].place,
            rule=f"every line's weight, in column {column}, {_RULE}",
            received=f"{counted(len(wrong), 'line')} with another: {listed(described)}",
            advice=_ADVICE,
        )
    _refuse_nothing(weights, f"{rows[0].place.rpartition(':')[0]}: column {column}")
    return weights


def weights_of_array(array: npt.NDArray[Any], *, place: str) -> Weights:
    """The weights in an array of one number an image.

    Args:
        array: `(images,)` or `(images, 1)`.
        place: what messages name as its place.

    Raises:
        DataError: it holds something else, a number below 0 or one that is not finite; or all
            are 0.
    """
    if array.dtype.kind not in "uifb" or array.shape not in ((len(array),), (len(array), 1)):
        raise DataError.at(
            place,
            rule="must hold one number an image, with the shape (images,)",
            received=f"type {array.dtype}, shape {array.shape}",
            advice=_ADVICE,
        )
    values = array.reshape(-1).tolist()
    wrong = [index for index, value in enumerate(values) if not _is_weight(value)]
    if wrong:
        described = [f"[{index}] ({values[index]:g})" for index in wrong]
        raise DataError.at(
            f"{place}[{wrong[0]}]",
            rule=f"every image's weight {_RULE}",
            received=f"{counted(len(wrong), 'image')} with another: {listed(described)}",
            advice=_ADVICE,
        )
    weights = array.reshape(-1).astype(np.float32)
    _refuse_nothing(weights, place)
    return weights


def refuse_weightless_classes(manifest: Manifest, splits: Splits) -> None:
    """Raise if the weights leave no training image of a class.

    Raises:
        DataError: so it is; the classes are named.
    """
    if manifest.weights is None:
        return
    totals = manifest.sums(splits.train, manifest.weights[splits.train])
    without = [name for name, total in zip(manifest.classes, totals, strict=True) if total == 0]
    if without:
        raise DataError.at(
            "the images" if manifest.root is None else shown(manifest.root),
            rule="every class must have a training image whose weight is above 0",
            received=f"none of {listed(without)}",
            advice=_ADVICE,
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _is_weight(weight: float) -> bool:
    return 0 <= weight <= _LARGEST


def _refuse_nothing(weights: Sequence[float] | Weights, place: str) -> None:
    if not any(weights):
        raise DataError.at(
            place,
            rule="must give some image a weight above 0",
            received=f"0 for all {len(weights):,}",
            advice=_ADVICE,
        )
