"""A table of images and labels (CSV), alone or beside a folder, as a manifest."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cnnrun.config.data_section import Task
from cnnrun.config.data_sources import CsvSource
from cnnrun.config.path_patterns import CLASS_FOLDERS, Exclusion
from cnnrun.data.folders import list_images, read_listing
from cnnrun.data.image_files import list_folder
from cnnrun.data.image_rows import first_position, manifest_of_rows
from cnnrun.data.label_sets import LabelColumns, LabelMap, LabelSet, name_in_map, sets_of_rows
from cnnrun.data.layouts import Placed, SplitNames, place_images
from cnnrun.data.manifest import Layout, Manifest
from cnnrun.data.pixel_tables import manifest_of_pixels
from cnnrun.data.sample_weights import note_of_unused, weights_of_rows
from cnnrun.data.table_labels import labels_of_rows
from cnnrun.data.table_paths import (
    identities,
    is_in_order,
    path_columns,
    paths_in_order,
    paths_of_rows,
)
from cnnrun.data.tables import Table, TableRow, joined_tables
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed, nearest


class _Row(NamedTuple):
    """A line of the table; values are empty where there is no such column."""

    source: TableRow
    path: str
    label: str
    split: str
    group: str
    labels: LabelSet | None = None

    @property
    def is_labelled(self) -> bool:
        return bool(self.label) or self.labels is not None


def manifest_from_csv(
    source: CsvSource,
    *,
    directory: Path | None,
    layout: Layout,
    classes: tuple[str, ...] | int | None,
    partial: bool,
    task: Task | None = None,
    label_map: LabelMap | None = None,
) -> Manifest:
    """The images that a table names, and those of the folder beside it.

    Paths are relative to the folder, or else to the table's own. What the table says of an image
    counts; what it does not say, the layout reads off the path. Labels are text: their order is
    that of sorted names, whatever they look like.

    Args:
        source: the table and its columns.
        directory: the folder beside it, or None.
        layout: how paths are read, where it has patterns; and the words for splits.
        classes: what `data.classes` says: names in their order, their number, or None.
        partial: whether classes may be without images.
        task: whether an image has one label, or several or none; None for one, and labels that
            look otherwise are refused.
        label_map: other names of labels; see `data.label_map`.

    Returns:
        A manifest whose rows are sorted by path, in whatever order the file has them.

    Raises:
        DataError: the file, a column, a value or an image is absent or not usable.
    """
    tables = _tables(source)
    first = next(iter(tables.values()))
    root = directory or first.file.parent
    place = shown(first.file)
    has_patterns = _has_patterns(layout)
    in_path = has_patterns and any("{label}" in pattern for pattern in layout.patterns)
    labelled = _check_columns(tables.values(), source, label_in_path=in_path)
    if source.pixels is not None:
        return manifest_of_pixels(
            tables, source=source, words=layout.words, classes=classes, partial=partial
        )
    is_several, names = task == "multi_label", label_map or {}

    notes = _notes_of_unused(tables.values(), source)

    @cache
    def images() -> tuple[str, ...]:
        return list_images(root).images if directory else list_folder(root).images

    rows = [
        row
        for split, table in tables.items()
        for row in _rows(
            table,
            source,
            split=split,
            labelled=labelled and not is_several,
            may_refuse=task is None,
        )
    ]
    several = None
    if is_several:
        columns = LabelColumns(source.label, source.separator, names)
        several = sets_of_rows([row.source for row in rows], columns, place=place)
        rows = [row._replace(labels=each) for row, each in zip(rows, several.sets, strict=True)]
        notes += several.notes
    elif names:
        rows = [row._replace(label=name_in_map(row.label, names)) for row in rows]
    is_ordered = is_in_order(source.path)
    if is_ordered and rows:
        ordered = paths_in_order(
            [row.source for row in rows], path=source.path, root=root, images=images(), says=notes
        )
        rows = [row._replace(path=path) for row, path in zip(rows, ordered, strict=True)]
    _check_rows(first.file, rows, source)
    rows = _with_splits(rows, source, layout.words, notes)
    if labelled:
        rows = _labelled(rows, notes)
    if not is_ordered:
        paths = paths_of_rows(
            [row.source for row in rows], path=source.path, root=root, images=images, says=notes
        )
        rows = [row._replace(path=path) for row, path in zip(rows, paths, strict=True)]
    _check_unique(first.file, rows)
    weights: Sequence[float | None] = [None] * len(rows)
    if source.weight is not None:
        weights = weights_of_rows([row.source for row in rows], source.weight)
    placed = [
        Placed(row.path, row.label, row.split, row.group, weight, row.labels)
        for row, weight in zip(rows, weights, strict=True)
    ]
    if has_patterns:
        placed = _with_layout(placed, layout)
    if directory is not None:
        placed = _with_folder(placed, directory, layout, classes, notes)
    return manifest_of_rows(
        root,
        placed,
        classes=classes,
        partial=partial,
        place=place,
        layout=None,
        notes=notes,
        several=several,
        identities=identities,
    )


def _notes_of_unused(tables: Iterable[Table], source: CsvSource) -> list[str]:
    labels = source.label if isinstance(source.label, tuple) else (source.label,)
    used = (*path_columns(source.path), *labels, source.split, source.group, source.weight)
    note = note_of_unused(tables, used)
    return [note] if note else []


def _tables(source: CsvSource) -> Mapping[str, Table]:
    """The tables by the split that they name; "" for one of all."""
    if isinstance(source.file, Mapping):
        return {
            split: joined_tables([file], columns=source.columns)
            for split, file in source.file.items()
        }
    files = source.file if isinstance(source.file, tuple) else (source.file,)
    return {"": joined_tables(files, columns=source.columns)}


def _check_columns(tables: Iterable[Table], source: CsvSource, *, label_in_path: bool) -> bool:
    """Refuse a table that lacks a column; and whether one has the labels."""
    labels = source.label if isinstance(source.label, tuple) else (source.label,)
    labelled = True
    for table in tables:
        if label_in_path and labels == (CsvSource.label,) and CsvSource.label not in table.columns:
            labelled, labels = False, ()
        paths = path_columns(source.path) if source.pixels is None else (source.pixels,)
        named = (*paths, *labels, source.split, source.group, source.weight)
        wanted = [name for name in named if name is not None]
        missing = [name for name in wanted if name not in table.columns]
        if missing:
            hints = [nearest(name, table.columns) for name in missing]
            names = "data.csv.path, .label, .split, .group and .weight say which columns to read"
            if source.columns is None and not any(hints):
                names += "; data.csv.columns names them where the first line is an image already"
            raise DataError.at(
                f"{shown(table.file)}:1" if source.columns is None else "data.csv.columns",
                rule=f"must have the columns {', '.join(wanted)}",
                received=", ".join(table.columns),
                advice=" ".join(hint for hint in hints if hint) or names,
            )
    return labelled


def _rows(
    table: Table, source: CsvSource, *, split: str, labelled: bool, may_refuse: bool
) -> list[_Row]:
    columns = path_columns(source.path)
    labels = [""] * len(table.rows)
    if labelled:
        labels = labels_of_rows(
            table.rows, label=source.label, place=shown(table.file), may_refuse=may_refuse
        )
    return [
        _Row(
            row,
            ", ".join(row.values[name] for name in columns if row.values[name]),
            label,
            split or (row.values[source.split] if source.split else ""),
            row.values[source.group] if source.group else "",
        )
        for row, label in zip(table.rows, labels, strict=True)
    ]


def _check_rows(file: Path, rows: Sequence[_Row], source: CsvSource) -> None:
    """Refuse rows without a path or a group."""
    if not rows:
        raise DataError.at(
            shown(file),
            rule="must have a line for each image",
            received="no line after the first",
            advice="add the images",
        )
    _check_each(file, rows, "must have a path", "without one", lambda row: bool(row.path))
    if source.group is not None:
        rule = f"must have a group in column {source.group}"
        _check_each(file, rows, rule, "without one", lambda row: bool(row.group))


def _with_splits(
    rows: list[_Row], source: CsvSource, words: Mapping[str, tuple[str, ...]], notes: list[str]
) -> list[_Row]:
    """The rows with the split that their word means; others are left out where words are given."""
    if source.split is None:
        return rows
    split_of = SplitNames(words)
    if not words:
        rule = f"must have train, validation (valid, val) or test in column {source.split}"
        known = [row for row in rows if split_of(row.split) is not None]
        if len(known) < len(rows):
            found = Counter(row.split for row in rows if split_of(row.split) is None)
            _check_each(
                Path(rows[0].source.place.rpartition(":")[0]),
                rows,
                rule,
                "with another",
                lambda row: split_of(row.split) is not None,
                advice=_words_advice(found, whole=not known),
            )
    kept = [row for row in rows if split_of(row.split) is not None]
    if len(kept) < len(rows):
        others = Counter(row.split or "nothing" for row in rows if split_of(row.split) is None)
        named = [f"{word} ({count:,})" for word, count in sorted(others.items())]
        notes.append(
            f"left out rows of splits that data.split does not name: {listed(named)}; "
            "data.split.train, .validation and .test take words"
        )
    if not kept:
        raise DataError.at(
            rows[0].source.place.rpartition(":")[0],
            rule=f"must have words of data.split in column {source.split}",
            received=listed(sorted({row.split for row in rows})),
            advice="correct data.split.train, .validation and .test",
        )
    return [row._replace(split=split_of(row.split) or "") for row in kept]


def _words_advice(found: Counter[str], *, whole: bool) -> str:
    words = [word for word, _ in found.most_common() if word]
    splits = {2: ("train", "test"), 3: ("train", "validation", "test")}.get(len(words))
    if not whole or splits is None:
        return "correct or remove them, or say in data.split which words mean which split"
    pairs = ", ".join(f'{split}: "{word}"' for split, word in zip(splits, words, strict=True))
    return f"say which words mean which split, such as data.split: {{{pairs}}}"


def _labelled(rows: list[_Row], notes: list[str]) -> list[_Row]:
    """The rows with a label; without any, all of them are refused later."""
    kept = [row for row in rows if row.is_labelled]
    if not kept or len(kept) == len(rows):
        return rows
    lacking = [f"{row.path} (line {row.source.line})" for row in rows if not row.is_labelled]
    notes.append(f"left out {counted(len(lacking), 'row')} without a label: {listed(lacking)}")
    return kept


def _check_unique(file: Path, rows: Sequence[_Row]) -> None:
    times = Counter(row.path for row in rows)
    rule = "must have an image of its own"
    _check_each(file, rows, rule, "that share one", lambda row: times[row.path] == 1)


def _check_each(
    file: Path,
    rows: Sequence[_Row],
    rule: str,
    fault: str,
    holds: Callable[[_Row], bool],
    advice: str = "correct or remove them",
) -> None:
    wrong = [row for row in rows if not holds(row)]
    if wrong:
        described = [f"line {row.source.line} ({_summary(row)})" for row in wrong]
        raise DataError.at(
            f"{shown(file)}:{wrong[0].source.line}",
            rule=f"every line {rule}",
            received=f"{counted(len(wrong), 'line')} {fault}: {listed(described)}",
            advice=advice,
        )


def _summary(row: _Row) -> str:
    values = (row.path, row.label, row.split, row.group)
    return ", ".join(value for value in values if value) or "empty"


def _has_patterns(layout: Layout) -> bool:
    return bool(layout.patterns) and layout.patterns != (CLASS_FOLDERS,)


def _with_layout(placed: list[Placed], layout: Layout) -> list[Placed]:
    """The rows with what the layout reads off their paths where the table says nothing."""
    read = {image.path: image for image in place_images([p.path for p in placed], layout).images}
    return [
        row._replace(
            label=row.label or found.label,
            split=row.split or found.split,
            group=row.group or found.group,
        )
        if (found := read.get(row.path))
        else row
        for row in placed
    ]


def _with_folder(
    placed: list[Placed],
    directory: Path,
    layout: Layout,
    classes: tuple[str, ...] | int | None,
    notes: list[str],
) -> list[Placed]:
    """The rows, and the images of the folder that no row names: by the layout, or left out."""
    named = {row.path for row in placed}
    listing = list_images(directory)
    if not named & set(listing.images):
        raise DataError.at(
            shown(directory),
            rule="must hold images that data.csv names, where both are given",
            received="none of them",
            advice="leave `directory` out, or correct data.csv.path",
        )
    if _has_patterns(layout):
        _, placement, said = read_listing(directory, listing, layout)
        notes += [note for note in said if "does not cover" not in note]
        others = [image for image in placement.images if image.path not in named]
        left = [path for path in placement.uncovered if path not in named]
    else:
        others = []
        left = [
            path
            for path in listing.images
            if path not in named and not Exclusion(layout.exclude)(path)
        ]
    if left:
        notes.append(
            f"left out {counted(len(left), 'image')} that the table does not name: "
            f"{listed(sorted(left))}"
        )
    return [*_numbers_named(placed, others, classes, directory, notes), *others]


def _numbers_named(
    placed: list[Placed],
    others: Sequence[Placed],
    classes: tuple[str, ...] | int | None,
    directory: Path,
    notes: list[str],
) -> list[Placed]:
    """Rows whose labels are numbers as the classes of the folder at these positions.

    Raises:
        DataError: no order of the classes is given, and the numbers do not count from 0 on: data
            sets that count from 1 have an order of their own.
    """
    found = sorted({image.label for image in others if image.label})
    numbers = {row.label for row in placed if row.label}
    if len(found) < 2 or not all(map(str.isdecimal, numbers)) or any(map(str.isdecimal, found)):
        return placed
    counting = set(map(int, numbers))
    is_given = isinstance(classes, tuple)
    names = list(classes) if isinstance(classes, tuple) else found
    first = first_position(counting, len(names))
    if first is None or (not is_given and min(counting) > 0):
        raise DataError.at(
            shown(directory),
            rule="must have classes that the table calls by name, or by their position among the "
            "sorted names, from 0 on",
            received=f"{counted(len(names), 'class', 'classes')} and the numbers from "
            f"{min(counting)} to {max(counting)}",
            advice="write the names in the order of these numbers as data.classes, or the names "
            "into the table",
        )
    order = "data.classes" if is_given else "the sorted names of the folder's classes"
    notes.append(
        f"the table's numbers are positions in {order}: {first} is {names[0]}, "
        f"{max(counting)} is {names[max(counting) - first]}"
    )
    return [
        row._replace(label=names[int(row.label) - first]) if row.label else row for row in placed
    ]
