"""A CSV file of predictions, a line an image, which grows by whole batches and can be gone on with.

Beside `FILE` stands `FILE.json`: what network and settings made it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cnnrun.data.packed_images import ImageFile, shown_image
from cnnrun.data.parallel import map_in_threads
from cnnrun.errors import InputError, RunError, StorageError
from cnnrun.runs.files import json_text, read_json, storage_errors, write_json
from cnnrun.runs.tables import csv_lines, read_csv_table
from cnnrun.shown_text import shown
from cnnrun.wording import counted

IMAGE: Final = "image"
SKIPPED: Final = "skipped"
CONTENT: Final = "content_hash"
ANOTHER: Final = "or name another file"

_WORDS: Final[Mapping[str, str]] = {
    "weights_hash": "the hash of the network and its weights",
    "classes": "the classes",
    "calibration": "the calibration",
    "thresholds": "the thresholds",
    "top": "--top",
    "decoding": "how images become pixels",
    "value_range": "the range of arrays",
    "batch_size": "the batch size",
    "compiled": "compiled",
    "packages": "the versions",
}
"""What may not change while a file is filled, as people call it."""

Row = Sequence[str]


@dataclass(frozen=True)
class PredictionFile:
    """A file of predictions.

    Attributes:
        path: the CSV file.
        columns: its header: the image first, then its classes, why it was skipped, its content.
        batch_size: images that are predicted, and written, at once.
    """

    path: Path
    columns: tuple[str, ...]
    batch_size: int

    def append(self, rows: Sequence[Row], *, size: int) -> int:
        """The size of the file, in bytes, after lines were added at its end, all at once.

        Args:
            rows: the cells of each line.
            size: of the file before.

        Raises:
            StorageError: no space is left, the place cannot be written to, or another process
                writes there as well.
        """
        content = _encoded(rows)
        with storage_errors(self.path), self.path.open("r+b") as stream:
            if stream.seek(0, os.SEEK_END) != size:
                raise StorageError.at(
                    shown(self.path),
                    rule="only one process can write to a file of predictions",
                    received="another one at work",
                    advice="stop it, and go on with `--resume`",
                )
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        return size + len(content)

    def cut(self, *, size: int) -> None:
        """Let go what the file, which is made when absent, holds beyond a size in bytes.

        Raises:
            StorageError: the place cannot be written to.
        """
        with storage_errors(self.path):
            self.path.touch()
            os.truncate(self.path, size)


@dataclass(frozen=True)
class Before:
    """What an earlier process has finished.

    Attributes:
        rows: how many images, whole batches of them, or all.
        skipped: how many of them could not be read.
        size: the bytes of the file that hold these and the header.
    """

    rows: int
    skipped: int
    size: int


def description_of(file: Path) -> Path:
    """The file that says what network and settings made a file of predictions."""
    return file.with_name(f"{file.name}.json")


def refuse_used_file(file: Path, *, resume: bool) -> None:
    """Raise unless predictions can be written to a file.

    Raises:
        InputError: something is there that is not to be gone on with.
    """
    described = description_of(file)
    if file.is_dir():
        raise InputError.at(
            shown(file),
            rule="--csv must name a file",
            received="a folder",
            advice=f"name a file in it, such as {shown(file / 'predictions.csv')}",
        )
    if not resume and (there := [each for each in (file, described) if os.path.lexists(each)]):
        raise InputError.at(
            shown(there[0]),
            rule="predictions are never written over another file",
            received="one that is there already",
            advice=f"go on with `--resume`, which predicts only what is missing, {ANOTHER}"
            if described.exists()
            else "name another file",
        )
    if resume and file.exists() and not described.exists():
        raise InputError.at(
            shown(file),
            rule="--resume goes on with a file that `cnnrun predict --csv` began",
            received=f"one without {described.name} beside it",
            advice=f"restore that, {ANOTHER}",
        )


def describe(file: Path, settings: Mapping[str, Any], *, source: str) -> None:
    """Beside a file stands what it is made with.

    Raises:
        StorageError: no space is left, or the place cannot be written to.
    """
    write_json(description_of(file), {"source": source, **settings})


def refuse_other_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Raise unless a file was begun with the same network and settings.

    Raises:
        InputError: it was begun with others, which the message names; or what says so is damaged.
    """
    described = description_of(file)
    try:
        before = read_json(described)
    except RunError:
        before = None
    if not isinstance(before, dict):
        raise InputError.at(
            shown(described),
            rule="must say what the predictions were made with",
            received="a damaged file",
            advice=f"restore it, {ANOTHER}",
        )
    for key, words in _WORDS.items():
        then, now = (json_text(each.get(key), indent=None) for each in (before, settings))
        if then != now:
            raise InputError.at(
                shown(file),
                rule=f"predictions go on only with what began them: {words} {then}",
                received=now,
                advice=f"give the same, {ANOTHER}",
            )


def read_before(
    file: PredictionFile, images: Sequence[ImageFile], *, content_of: Callable[[ImageFile], str]
) -> Before:
    """What a file holds of the predictions of images, checked against the images there are now.

    Args:
        file: the file; none is there where a process was killed before it wrote anything.
        images: all that are to be predicted, in their order.
        content_of: the hash of an image.

    Raises:
        InputError: the file is of other images, or has been changed.
    """
    content = file.path.read_bytes() if file.path.exists() else b""
    if _encoded([file.columns]).startswith(content):  # killed while it wrote the header
        return Before(rows=0, skipped=0, size=0)
    rows = _whole_rows(file, content)
    if len(rows) != len(images):
        del rows[len(rows) - len(rows) % file.batch_size :]
    kept = _encoded([file.columns, *rows])
    if not content.startswith(kept):
        raise _changed(file, "a line that it did not write so")
    _refuse_other_images(file, rows, images)
    contents = map_in_threads(content_of, images[: len(rows)])
    for row, image, present in zip(rows, images, contents, strict=False):
        if row[-1] != present:
            raise InputError.at(
                shown_image(image),
                rule=f"must be as it was when {shown(file.path)} was written",
                received="a file of other content",
                advice=f"restore it, {ANOTHER}",
            )
    return Before(len(rows), sum(bool(row[-2]) for row in rows), len(kept))


def read_complete(
    path: Path, images: Sequence[ImageFile]
) -> tuple[tuple[str, ...], list[list[str]]]:
    """The header and the rows of a file that holds the predictions of all these images.

    Raises:
        InputError: there is no such file, or it is of others, lacks some, or has been changed.
    """
    content = path.read_bytes() if path.is_file() else b""
    header = next(iter(read_csv_table(content.decode(errors="surrogateescape"))), [])
    file = PredictionFile(path, tuple(header), batch_size=1)
    rows = _whole_rows(file, content) if content else []
    _refuse_other_images(file, rows, images)
    if len(rows) < len(images):
        raise InputError.at(
            shown(path),
            rule=f"must hold the predictions of all {len(images):,} images of its share",
            received=f"{len(rows):,}",
            advice="go on with `--resume` and the same `--shard`",
        )
    return tuple(header), rows


def _whole_rows(file: PredictionFile, content: bytes) -> list[list[str]]:
    """The lines of a file without its header, and without a last one that is torn."""
    text = content.decode(errors="surrogateescape")
    header, *rows = read_csv_table(text)
    if tuple(header) != file.columns:
        raise _changed(file, f"the columns {', '.join(header)}")
    if rows and (not text.endswith("\n") or len(rows[-1]) != len(file.columns)):
        rows.pop()
    for number, row in enumerate(rows, start=1):
        if len(row) != len(file.columns):
            raise _changed(file, f"{counted(len(row), 'cell')} for image {number:,}")
    return rows


def _refuse_other_images(
    file: PredictionFile, rows: Sequence[Row], images: Sequence[ImageFile]
) -> None:
    if len(rows) > len(images):
        raise InputError.at(
            shown(file.path),
            rule=f"must hold no other images than the {len(images):,} there are now",
            received=f"{len(rows):,}",
            advice=f"restore the images, {ANOTHER}",
        )
    for number, (row, image) in enumerate(zip(rows, images, strict=False), start=1):
        if row[0] != str(image):
            raise InputError.at(
                shown(file.path),
                rule=f"must begin with the images there are now: {image} as number {number:,}",
                received=row[0],
                advice=f"restore the images, name them as before, {ANOTHER}",
            )


def _changed(file: PredictionFile, received: str) -> InputError:
    return InputError.at(
        shown(file.path),
        rule="must be as `cnnrun predict --csv` left it",
        received=received,
        advice=f"restore it, {ANOTHER}",
    )


def _encoded(rows: Sequence[Row]) -> bytes:
    return csv_lines(rows).encode(errors="surrogateescape")
