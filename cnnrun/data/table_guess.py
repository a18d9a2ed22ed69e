"""Which columns of a table name its images, and which can be their class."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cnnrun.config.data_section import Task
from cnnrun.config.data_sources import CsvSource
from cnnrun.data.image_tree import split_kind
from cnnrun.data.label_sets import found_separator, parts_of
from cnnrun.data.layouts import SplitNames
from cnnrun.data.sample_weights import is_called_weight
from cnnrun.data.table_paths import ImageNames
from cnnrun.data.tables import Table, read_table
from cnnrun.runs.data_states import SPLITS
from cnnrun.wording import counted, listed

NAMED: Final = 0.8  # of a table's rows name an image, where it is a table of images
_CLASS_NAMES: Final = frozenset(
    [
        "label",
        "labels",
        "class",
        "classes",
        "classid",
        "class_id",
        "category",
        "target",
        "species",
        "breed",
        "dx",
        "diagnosis",
        "emotion",
        "y",
    ]
)
_PIXELS_AT_LEAST: Final = 49
_WORDS_AT_MOST: Final = 6
_LOOKED_UP_FIRST: Final = 100
_GROUPS_AT_LEAST: Final = 0.1  # of the number of images
_ONES: Final = ("1", "1.0")
_KNOWN_OR_NOT: Final = frozenset({"0", "1", "-1", ""})
_HOT_COLUMNS_AT_LEAST: Final = 3  # two columns of 0 and 1 may be anything
_LABEL_WORDS: Final = frozenset(
    ["label", "labels", "class", "classes", "tags", "tag", "target", "finding", "findings"]
)
_GROUP_WORDS: Final = frozenset(["patient", "patients", "subject", "person", "case", "lesion"])
_HOT: Final = frozenset({"0", "0.0", *_ONES})


@dataclass(frozen=True)
class TableReading:
    """A way to read a table.

    Attributes:
        source: the table, its columns said.
        words: the words of its split column, where they are not the usual ones.
        reason: why it is read so.
        named: how many of its rows name an image; all of them where it holds the pixels.
        task: whether an image may have several labels; None for one.
    """

    source: CsvSource
    words: Mapping[str, tuple[str, ...]]
    reason: str
    named: int
    task: Task | None = None


def readings_of_table(
    table: Table, images: ImageNames, *, source: CsvSource
) -> tuple[TableReading, ...]:
    """The ways to read a table as images with classes; none where it names no images.

    One way is the answer; of several, a person has to choose.

    Args:
        table: the table.
        images: those that it may name.
        source: the table's place, with whatever else is known of it.
    """
    pixels = _column_of_pixels(table)
    if pixels is not None:
        source, named = replace(source, pixels=pixels), len(table.rows)
        beside, about = {pixels}, f"column {pixels} holds the pixels"
    else:
        path, named = column_of_paths(table, images)
        if path is None:
            return ()
        source = replace(source, path=path)
        beside, about = {path}, f"column {path} names the images"
    split, words = _split_column(table, beside)
    if split is not None:
        source = replace(source, split=split)
        beside = beside | {split}
    if pixels is None and (several := _several_labels(table, beside)) is not None:
        group = _group_by_name(table, beside)
        grouped = f"; column {group} holds what no split should divide" if group else ""
        reason = f"{about}, {_named(several)} several labels an image or none{grouped}"
        source = replace(source, label=several, group=group)
        return (TableReading(source, words, reason, named, "multi_label"),)
    labels = _label_columns(table, beside)
    readings = []
    for label in labels:
        group = _group_column(table, beside, label)
        grouped = f"; column {group} holds what no split should divide" if group else ""
        reason = f"{about}, {_named(label)} {_meaning(table, label)}{grouped}"
        readings.append(
            TableReading(replace(source, label=label, group=group), words, reason, named)
        )
    return tuple(readings)


def table_of(file: Path, images: ImageNames) -> tuple[Table, tuple[str, ...] | None]:
    """A table, and the names of its columns where its first line is an image already.

    Args:
        file: the table.
        images: those that it may name.

    Raises:
        DataError: it cannot be read.
    """
    table = read_table(file, columns=None)
    pixels = [each for each in table.columns if _are_pixels(each)]
    paths = [
        each
        for each in table.columns
        if images.find(each) and share_found(table, each, images) >= NAMED
    ]
    if not pixels and not paths:
        return table, None
    first, kind = (pixels[0], "pixels") if pixels else (paths[0], "path")
    others = len(table.columns) - 1
    columns = tuple(
        kind if each == first else "label" if others == 1 else f"column_{number}"
        for number, each in enumerate(table.columns, start=1)
    )
    return read_table(file, columns=columns), columns


def share_found(table: Table, column: str, images: ImageNames) -> float:
    """Which share of a column's first values name an image."""
    values = [row.values[column] for row in table.rows[:_LOOKED_UP_FIRST]]
    return sum(images.find(value) is not None for value in values) / max(1, len(values))


def _are_pixels(text: str) -> bool:
    return len(text) >= 2 * _PIXELS_AT_LEAST and bool(re.fullmatch(r"\d+(\s+\d+)+\s*", text))


def _named(label: str | tuple[str, ...]) -> str:
    return f"column {label}" if isinstance(label, str) else f"columns {listed(label)}"


def _meaning(table: Table, label: str | tuple[str, ...]) -> str:
    if isinstance(label, tuple):
        return f"the class: {counted(len(label), 'class', 'classes')}, one-hot"
    values = sorted({row.values[label] for row in table.rows} - {""})
    return f"the class: {counted(len(values), 'class', 'classes')} ({listed(values)})"


def _column_of_pixels(table: Table) -> str | None:
    for column in table.columns:
        text = table.rows[0].values[column] if table.rows else ""
        if _are_pixels(text):
            return column
    return None


def column_of_paths(table: Table, images: ImageNames) -> tuple[str | None, int]:
    """The column most of whose values name an image, and how many do."""
    best: tuple[str | None, int] = (None, 0)
    for column in table.columns:
        values = [row.values[column] for row in table.rows]
        if len(set(values)) < NAMED * len(values):
            continue
        if not any(images.find(value) for value in values[:_LOOKED_UP_FIRST]):
            continue
        named = sum(images.find(value) is not None for value in values)
        if named > best[1]:
            best = column, named
    most = min(len(table.rows), images.number)
    return best if best[1] >= NAMED * most > 0 else (None, 0)


def _split_column(
    table: Table, beside: set[str]
) -> tuple[str | None, Mapping[str, tuple[str, ...]]]:
    """The column that says the split, and its words, where they are not the usual ones."""
    for column in table.columns:
        words = sorted({row.values[column] for row in table.rows} - {""})
        if column in beside or not 1 < len(words) <= _WORDS_AT_MOST:
            continue
        kinds = {word: split_kind(word) for word in words}
        if "train" in kinds.values() and all(kinds.values()):
            usual = SplitNames({})
            if all(usual(word) == kind for word, kind in kinds.items()):
                return column, {}
            found = {kind: tuple(word for word in words if kinds[word] == kind) for kind in SPLITS}
            return column, {kind: each for kind, each in found.items() if each}
    return None, {}


def _label_columns(table: Table, beside: set[str]) -> list[str | tuple[str, ...]]:
    """The columns that can be the class: one if it is called so, or all."""
    counts = {
        column: Counter(row.values[column] for row in table.rows if row.values[column])
        for column in table.columns
        if column not in beside and not is_called_weight(column)
    }
    hot = [column for column, each in counts.items() if each and set(each) <= _HOT]
    if len(hot) > 1 and all(
        sum(row.values[column] in _ONES for column in hot) <= 1 for row in table.rows
    ):
        return [tuple(hot)]
    possible = [column for column, each in counts.items() if _can_be_classes(each)]
    called = [column for column in possible if column.casefold() in _CLASS_NAMES]
    return list(called[:1] or possible)


def _several_labels(table: Table, beside: set[str]) -> str | tuple[str, ...] | None:
    """The columns of 0 and 1 of which rows have several, or the one column of joined labels."""
    values = {
        column: {row.values[column].strip() for row in table.rows}
        for column in table.columns
        if column not in beside
    }
    hot = [column for column, each in values.items() if "1" in _whole(each) <= _KNOWN_OR_NOT]
    ones = [sum(row.values[column] in _ONES for column in hot) for row in table.rows]
    has_class = any(_is_class_column(table, column) for column in values)
    if len(hot) >= _HOT_COLUMNS_AT_LEAST and max(ones, default=0) > 1 and not has_class:
        return tuple(hot)
    joined = [column for column, each in values.items() if _are_joined(column, each)]
    return joined[0] if len(joined) == 1 else None


def _is_class_column(table: Table, column: str) -> bool:
    if column.casefold() not in _CLASS_NAMES:
        return False
    return _can_be_classes(Counter(row.values[column] for row in table.rows if row.values[column]))


def _whole(values: set[str]) -> set[str]:
    return {value.removesuffix(".0") for value in values}


def _are_joined(column: str, cells: set[str]) -> bool:
    """Whether cells hold labels that come again in other cells, parted by a bar and its like."""
    distinct = cells - {""}
    separator = found_separator(distinct)
    if separator is None or separator == " ":
        return False
    parts = [parts_of(cell, separator) for cell in distinct]
    several = [each for each in parts if len(each) > 1]
    words = {part for each in parts for part in each}
    is_called = {*column.casefold().replace("_", " ").split()} & _LABEL_WORDS
    return bool(several) and len(words) < len(distinct) and (bool(is_called) or separator in "|;")


def _group_by_name(table: Table, beside: set[str]) -> str | None:
    """The column that is called like patients, and has some of several images."""
    for column in table.columns:
        words = set(re.findall(r"[a-z]+", column.casefold()))
        values = [row.values[column] for row in table.rows]
        repeats = 1 < len(set(values)) < len(values) and "" not in values
        if column not in beside and words & _GROUP_WORDS and repeats:
            return column
    return None


def _group_column(table: Table, beside: set[str], label: str | tuple[str, ...]) -> str | None:
    """The column of patients and the like: many values, some of several images, of one class."""
    if not isinstance(label, str):
        return None
    for column in table.columns:
        if column in beside or column == label:
            continue
        classes: dict[str, set[str]] = defaultdict(set)
        for row in table.rows:
            classes[row.values[column]].add(row.values[label])
        many = len(table.rows) * _GROUPS_AT_LEAST <= len(classes) < len(table.rows)
        if many and "" not in classes and all(len(each) == 1 for each in classes.values()):
            return column
    return None


def _can_be_classes(counts: Counter[str]) -> bool:
    """Whether values repeat as classes do, and are no measurements."""
    if len(counts) < 2 or len(counts) > max(2, counts.total() / 2):
        return False
    return not all(re.fullmatch(r"-?\d*\.\d+", value) for value in counts)
