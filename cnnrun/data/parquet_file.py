"""A Parquet table of image paths and labels as a manifest."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cnnrun.config.data_sources import ParquetSource
from cnnrun.data.image_rows import classes_in_order, manifest_of_rows
from cnnrun.data.layouts import Placed, SplitNames
from cnnrun.data.manifest import Manifest
from cnnrun.data.shards import Shard, shards_of, unreadable_shard
from cnnrun.data.table_paths import identities
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import listed, nearest

ROWS_AT_MOST: Final = 100_000_000
_ROWS_AT_ONCE: Final = 65_536
_KIND: Final = "Parquet"


def manifest_from_parquet(
    source: ParquetSource,
    *,
    words: Mapping[str, tuple[str, ...]],
    classes: tuple[str, ...] | int | None,
    partial: bool,
) -> Manifest:
    """The images that Parquet files name by their paths, which are relative to the first file.

    Args:
        source: the files and their columns.
        words: for a split, what the column `split` calls it.
        classes: what `data.classes` says: names in their order, their number, or None.
        partial: whether classes may be without images.

    Returns:
        A manifest whose rows are sorted by path.

    Raises:
        DataError: a file is absent or damaged, lacks a column, or holds the images themselves.
    """
    shards = shards_of(source.file, kind=_KIND, key="parquet")
    split_of = SplitNames(words)
    rows = [row for shard in shards for row in _rows(shard, source, split_of)]
    place = shown(shards[0].file if len(shards) == 1 else shards[0].file.parent)
    if not rows:
        raise DataError.at(
            place, rule="must name images", received="no row", advice="correct data.parquet.file"
        )
    _check_unique(place, rows)
    return manifest_of_rows(
        shards[0].file.parent,
        rows,
        classes=classes_in_order(rows, classes),
        partial=partial,
        place=place,
        layout=None,
        notes=[],
        identities=identities,
    )


def parquet_images(source: ParquetSource) -> list[Path]:
    """The images that Parquet files name, without their labels.

    Raises:
        DataError: see manifest_from_parquet.
    """
    shards = shards_of(source.file, kind=_KIND, key="parquet")
    paths = (
        path
        for shard in shards
        for batch in _batches(shard.file, {"path": source.path})
        for path in batch["path"]
        if path
    )
    return [shards[0].file.parent / path for path in paths]


def _rows(shard: Shard, source: ParquetSource, split_of: SplitNames) -> Iterator[Placed]:
    columns = {"path": source.path, "label": source.label}
    optional = {"split": source.split, "group": source.group, "weight": source.weight}
    columns |= {key: name for key, name in optional.items() if name is not None}
    row = 0
    for values in _batches(shard.file, columns):
        size = len(values["path"])
        splits = values.get("split", [None] * size)
        groups = values.get("group", [None] * size)
        weights = values.get("weight", [None] * size)
        texts = zip(values["path"], values["label"], splits, groups, weights, strict=True)
        for number, (path, label, split, group, weight) in enumerate(texts, start=row):
            if not path:
                raise _refused(shard.file, number, source.path, "the path of an image", path)
            if weight is not None and not 0 <= weight < float("inf"):
                raise _refused(
                    shard.file, number, source.weight or "", "a number of at least 0", weight
                )
            yield Placed(
                str(path).replace(os.sep, "/"),
                "" if label is None else str(label).strip(),
                shard.split if split is None else split_of(str(split)) or "",
                "" if group is None else str(group),
                None if weight is None else float(weight),
            )
        row += size


def _batches(file: Path, columns: Mapping[str, str]) -> Iterator[dict[str, list[Any]]]:
    """Some columns of a file, a part at a time: the values of each by its key.

    Raises:
        DataError: pyarrow is not there, or the file is damaged or lacks one of them.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError.at(
            shown(file),
            rule="must be read by pyarrow, which is not installed",
            received="a Parquet file",
            advice='install it with: pip install "cnnrun[parquet]"',
        ) from error
    try:
        with pq.ParquetFile(file) as opened:
            _check_columns(file, opened.schema_arrow, columns)
            if opened.metadata.num_rows > ROWS_AT_MOST:
                raise DataError.at(
                    shown(file),
                    rule=f"must have at most {ROWS_AT_MOST:,} rows",
                    received=f"{opened.metadata.num_rows:,}",
                    advice="write it in several files",
                )
            wanted = list(columns.values())
            for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE, columns=wanted):
                yield {key: batch.column(name).to_pylist() for key, name in columns.items()}
    except DataError:
        raise
    except Exception as error:
        # Readers over foreign bytes raise what they like: text that is none is a ValueError.
        if isinstance(error, OSError) and error.errno is not None:
            raise unreadable_shard(file, error, kind=_KIND) from error
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> DataError:
    return DataError.at(
        shown(file),
        rule="must be a whole Parquet file",
        received="one that pyarrow cannot read: " + " ".join(str(error).split())[:200],
        advice="copy it again from where it came",
    )


def _check_columns(file: Path, schema: Any, columns: Mapping[str, str]) -> None:
    """Raise unless each column is there and of a kind that it can be."""
    import pyarrow.types as kinds

    for key, name in columns.items():
        if name not in schema.names:
            if key == "path" and (held := _images_in(schema)) is not None:
                raise _holds_images(file, held)
            raise DataError.at(
                shown(file),
                rule=f"must have the column that data.parquet.{key} names, {name}",
                received=listed(schema.names) or "no columns",
                advice=nearest(name, schema.names) or f"name it as data.parquet.{key}",
            )
        kind = schema.field(name).type
        if kinds.is_dictionary(kind):
            kind = kind.value_type
        is_text = kinds.is_string(kind) or kinds.is_large_string(kind)
        is_whole = kinds.is_integer(kind)
        fits = {
            "path": is_text,
            "weight": is_whole or kinds.is_floating(kind),
        }.get(key, is_text or is_whole)
        if not fits:
            if key == "path" and name == _images_in(schema):
                raise _holds_images(file, name)
            raise DataError.at(
                shown(file),
                rule=f"must hold {'numbers' if key == 'weight' else 'text'}"
                f"{' or whole numbers' if key in ('label', 'split', 'group') else ''} in the "
                f"column {name}",
                received=f"{kind}",
                advice=f"name another one as data.parquet.{key}",
            )


def _images_in(schema: Any) -> str | None:
    """The first column that holds bytes, bare or with a path as the datasets library has them."""
    import pyarrow.types as kinds

    for name in schema.names:
        kind = schema.field(name).type
        if kinds.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return str(name)
        if kinds.is_binary(kind) or kinds.is_large_binary(kind):
            return str(name)
    return None


def _holds_images(file: Path, column: str) -> DataError:
    return DataError.at(
        shown(file),
        rule="must name image files, for the images in a Parquet file cannot be read one at a time",
        received=f"the images themselves, in column {column}",
        advice="write them into a tar file, each beside its label (0001.jpg, 0001.cls), and name "
        "that as data.tar",
    )


def _check_unique(place: str, rows: Sequence[Placed]) -> None:
    if len({row.path for row in rows}) == len(rows):
        return
    twins = [path for path, number in Counter(row.path for row in rows).items() if number > 1]
    raise DataError.at(
        place,
        rule="must name each image once",
        received=f"{listed(twins)} more than once",
        advice="remove the rows that repeat",
    )


def _refused(file: Path, row: int, column: str, rule: str, value: object) -> DataError:
    return DataError.at(
        f"{shown(file)}[{row}]",
        rule=f"must hold {rule} in the column {column}",
        received="nothing" if value in (None, "") else f"{value}",
        advice="correct the row, or leave it out",
    )
