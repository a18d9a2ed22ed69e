"""Arrays and manifest of an extraction, which no kill and no full disk gets out of step.

A row is in the manifest only after its features are on the disk. Rows whose image changed or went
away leave the manifest first; their places are given to other images.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import StorageError
from cnnrun.features.array_file import ArrayFile
from cnnrun.features.folder import (
    FeatureFolder,
    ManifestRow,
    manifest_text,
    read_manifest_rows,
    write_manifest_rows,
)
from cnnrun.runs.positions import open_at_positions, write_at

COMMIT_S = 1.0


@contextmanager
def open_writer(
    folder: FeatureFolder, shapes: Mapping[str, tuple[int, ...]], *, current: Mapping[str, Any]
) -> "Iterator[FeatureWriter]":
    """A writer that goes on from what is in the folder.

    Args:
        folder: the folder, held by this process.
        shapes: the shape of one image's features, by layer.
        current: the images that there are, by name, each `(label, hash of its content)`. Features
            of other images, or of images that have changed, are let go of.

    Raises:
        FeaturesError: the manifest is damaged.
        StorageError: the disk is full or fails; what was finished is kept.
    """
    with ExitStack() as files:
        with _telling(folder, rows=0):
            arrays = [
                files.enter_context(ArrayFile(folder.array(layer), shape))
                for layer, shape in shapes.items()
            ]
        whole = min(array.whole_rows() for array in arrays)
        kept = [
            replace(row, label=current[row.file][0])
            for row in read_manifest_rows(folder)
            if row.row < whole and _is_current(row, current)
        ]
        write_manifest_rows(folder, kept)
        writer = FeatureWriter(folder, arrays, kept)
        try:
            yield writer
        finally:
            writer.close()


def _is_current(row: ManifestRow, current: Mapping[str, Any]) -> bool:
    return row.file in current and current[row.file][1] == row.content


class FeatureWriter:
    """Features and their images, added batch by batch.

    Attributes:
        rows: the rows that are in the manifest.
    """

    def __init__(
        self, folder: FeatureFolder, arrays: Sequence[ArrayFile], rows: list[ManifestRow]
    ) -> None:
        self.rows = rows
        self._folder = folder
        self._arrays = arrays
        self._pending: list[ManifestRow] = []
        self._free = _free_rows({row.row for row in rows})
        self._committed = time.monotonic()
        with self._telling():
            for array in arrays:
                array.set_rows(self._end())

    def add(self, images: Sequence[tuple[str, str, str]], features: Sequence[NDArray[Any]]) -> None:
        """Write the features of images; at most a second later they are in the manifest too.

        Args:
            images: (name, label, hash of the content) of each.
            features: `(images, ...)` for each layer.

        Raises:
            StorageError: the disk is full or fails; what was finished is kept.
        """
        places = [next(self._free) for _ in images]
        with self._telling():
            for array, values in zip(self._arrays, features, strict=True):
                array.write(np.array(places, np.int64), values)
        self._pending += [
            ManifestRow(place, *image) for place, image in zip(places, images, strict=True)
        ]
        if time.monotonic() - self._committed > COMMIT_S:
            self.commit()

    def commit(self) -> None:
        """Have the disk keep what was added.

        Raises:
            StorageError: the disk is full or fails; what was finished before is kept.
        """
        if self._pending:
            end = max(self._end(), *(row.row + 1 for row in self._pending))
            with self._telling():
                for array in self._arrays:
                    array.show_rows(end)
                _append(self._folder.manifest_csv, manifest_text(self._pending))
            self.rows += self._pending
            self._pending = []
        self._committed = time.monotonic()

    def finish(self) -> None:
        """Commit, close gaps that images left which are no more, and sort the manifest by row.

        Raises:
            StorageError: the disk is full or fails; what was finished is kept.
        """
        self.commit()
        rows = sorted(self.rows, key=lambda row: row.row)
        taken = {row.row for row in rows}
        gaps = [place for place in range(len(rows)) if place not in taken]
        moved = {row.row: gap for row, gap in zip(reversed(rows), gaps, strict=False)}
        with self._telling():
            for array in self._arrays:
                for source, target in moved.items():
                    array.write(np.array([target]), array.read(source)[np.newaxis])
                array.show_rows(self._end())
        self.rows = sorted(
            (replace(row, row=moved.get(row.row, row.row)) for row in rows), key=lambda row: row.row
        )
        write_manifest_rows(self._folder, self.rows)
        with self._telling():
            for array in self._arrays:
                array.set_rows(self._end())

    def close(self) -> None:
        """Leave arrays that have the rows of the manifest and no others."""
        with suppress(OSError):  # the disk failed: opened again, they are cut then
            for array in self._arrays:
                array.set_rows(self._end())

    def _end(self) -> int:
        return max((row.row + 1 for row in self.rows), default=0)

    def _telling(self) -> Any:
        return _telling(self._folder, rows=len(self.rows))


def _free_rows(taken: set[int]) -> Iterator[int]:
    """The rows that are not taken, from the first."""
    return (row for row in count() if row not in taken)


def _append(path: Path, text: str) -> None:
    """Add whole lines to a file, after cutting off a line that was torn before."""
    descriptor = open_at_positions(path)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        try:
            write_at(descriptor, text.encode("utf-8", errors="backslashreplace"), end)
        except OSError:
            os.ftruncate(descriptor, end)
            raise
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _telling(folder: FeatureFolder, *, rows: int) -> Iterator[None]:
    """Failures of the disk within the block become a StorageError that says what is kept."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError.at(
            folder.path,
            rule="must be writable",
            received=reason,
            advice=f"the {rows:,} images in its manifest are kept: free some space, or see to the"
            " disk, and give the command again with `--resume`",
        ) from error
