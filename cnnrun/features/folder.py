"""A folder of features: its files, who may write to it, and what its manifest says."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from cnnrun.errors import FeaturesError
from cnnrun.runs.files import PARTIAL_PREFIX, storage_errors, write_text
from cnnrun.runs.tables import csv_lines, read_csv_table

COLUMNS: Final = ("row", "file", "label", "content_hash")
_HASH_DIGITS: Final = 32
_LOCK_PATIENCE_S: Final = 0.3


@dataclass(frozen=True)
class FeatureFolder:
    """A folder of features and the places of its files, whether they exist yet or not."""

    path: Path

    @property
    def features_json(self) -> Path:
        """What made the features, and whether they are all there."""
        return self.path / "features.json"

    @property
    def manifest_csv(self) -> Path:
        """A line an image: its row in every array, its file, label and content's hash."""
        return self.path / "manifest.csv"

    @property
    def lock(self) -> Path:
        """The file that the process which writes to the folder holds locked."""
        return self.path / ".lock"

    def array(self, layer: str) -> Path:
        """The array of a layer: a row an image."""
        return self.path / f"{layer}.npy"


@dataclass(frozen=True)
class ManifestRow:
    """An image and the row of its features; `content` is the hash of what was read."""

    row: int
    file: str
    label: str
    content: str


@contextmanager
def hold_folder(
    folder: FeatureFolder, *, resume: bool, beside: tuple[str, ...] = ()
) -> Iterator[None]:
    """Within the block no other process writes to the folder, which is there.

    Args:
        folder: the folder; it is made when absent.
        resume: whether it may hold features already.
        beside: what else may be in it.

    Raises:
        FeaturesError: it holds something else, or features that are not to be gone on with, or
            another process writes to it.
        StorageError: it cannot be written to.
    """
    refuse_used_folder(folder, resume=resume, beside=beside)
    with storage_errors(folder.path):
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.lock, timeout=_LOCK_PATIENCE_S)
        try:
            lock.acquire()
        except Timeout as error:
            raise FeaturesError.at(
                folder.path,
                rule="only one process can write to a folder of features",
                received="another one at work",
                advice="wait until it ends, or stop it",
            ) from error
    try:
        for partial in folder.path.glob(f"{PARTIAL_PREFIX}*"):
            partial.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def refuse_used_folder(
    folder: FeatureFolder, *, resume: bool, beside: tuple[str, ...] = ()
) -> None:
    """Raise unless features can be written to the folder, `beside` what else may be in it.

    Raises:
        FeaturesError: see `hold_folder`.
    """
    path = folder.path
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        raise FeaturesError.at(
            path,
            rule="features need a folder of their own",
            received="a file",
            advice="name another folder",
        )
    if folder.features_json.exists():
        if not resume:
            raise FeaturesError.at(
                path,
                rule="features are never overwritten",
                received="a folder that holds some already",
                advice="go on with `--resume`, which computes only what is new, or name another"
                " folder",
            )
        return
    # What a process leaves that was killed before it had written anything whole.
    ours = (folder.lock.name, PARTIAL_PREFIX, *beside)
    others = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith(ours))
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise FeaturesError.at(
            path,
            rule="features need a folder of their own",
            received=f"one that holds {others[0]!r}{more}",
            advice="name another folder",
        )


def read_manifest_rows(folder: FeatureFolder) -> list[ManifestRow]:
    """The rows of a folder's manifest; none when there is no manifest.

    A last line that a killed process left torn is left out.

    Raises:
        FeaturesError: the file is there and is no manifest.
    """
    try:
        text = folder.manifest_csv.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _damaged(folder, error.strerror or str(error)) from error
    whole = text[: text.rfind("\n") + 1]
    lines = list(read_csv_table(whole))
    if lines and tuple(lines[0]) != COLUMNS:
        raise _damaged(folder, f"the columns {', '.join(lines[0])}")
    return [
        ManifestRow(int(fields[0]), *fields[1:])
        for fields in lines[1:]
        if len(fields) == len(COLUMNS) and fields[0].isdigit() and len(fields[3]) == _HASH_DIGITS
    ]


def write_manifest_rows(folder: FeatureFolder, rows: Iterable[ManifestRow]) -> None:
    """The manifest holds these rows and no others, or is as it was.

    Raises:
        StorageError: no space is left, or the place cannot be written to.
    """
    write_text(folder.manifest_csv, csv_lines([COLUMNS]) + manifest_text(rows))


def manifest_text(rows: Iterable[ManifestRow]) -> str:
    """The lines of some rows."""
    return csv_lines((str(row.row), row.file, row.label, row.content) for row in rows)


def _damaged(folder: FeatureFolder, received: str) -> FeaturesError:
    return FeaturesError.at(
        folder.manifest_csv,
        rule=f"must be a manifest with the columns {', '.join(COLUMNS)}",
        received=received,
        advice="restore it, or name another folder",
    )
