"""What can be taken away from a folder of runs, and how much room that gives."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cnnrun.errors import RunError
from cnnrun.runs.claims import CLAIMS_FOLDER
from cnnrun.runs.data_states import data_files, named_data_file
from cnnrun.runs.files import PARTIAL_PREFIX, read_content, storage_errors
from cnnrun.runs.folder import FEATURES, HASHES, RunFolder, is_held
from cnnrun.runs.listing import find_runs
from cnnrun.runs.unbegun import is_unbegun

_PARTIAL: Final = re.compile(rf"{re.escape(PARTIAL_PREFIX)}[0-9a-f]{{8}}-")
_FEATURES_IN_A_LOG: Final = re.compile(rb"([0-9a-f]{32})\.npy")


@dataclass(frozen=True)
class Removal:
    """Something that can be taken away.

    Attributes:
        path: a folder or a file.
        what: what it is, in a few words.
        size_bytes: the room that it takes.
    """

    path: Path
    what: str
    size_bytes: int

    def as_json(self) -> dict[str, Any]:
        """A flat map of these fields."""
        return {"path": self.path.as_posix(), "what": self.what, "bytes": self.size_bytes}


def removals(directory: Path, chosen: Sequence[Path]) -> tuple[Removal, ...]:
    """The chosen runs, and what no run needs once they are gone; nothing that is worked on.

    Args:
        directory: a folder of runs.
        chosen: the runs to take away.

    Raises:
        RunError: a chosen run is worked on.
    """
    for path in chosen:
        if is_held(RunFolder(path)):
            raise RunError.at(
                path,
                rule="a run that is worked on is not taken away",
                received="one at work",
                advice="stop it first, or leave it out",
            )
    gone = {path.absolute() for path in chosen}
    kept = [run for run in find_runs(directory) if run.path.absolute() not in gone]
    found = [_removal(path, "run") for path in chosen]
    found += [_removal(path, what) for path, what in _leftovers(directory, kept, gone)]
    return tuple(found)


def remove(removal: Removal) -> None:
    """Take something away.

    Raises:
        StorageError: it cannot be taken away.
    """
    with storage_errors(removal.path):
        if removal.path.is_dir() and not removal.path.is_symlink():
            shutil.rmtree(removal.path)
        else:
            removal.path.unlink(missing_ok=True)
            if removal.path.parent.name in (FEATURES, HASHES):
                with suppress(OSError):  # others are left in it
                    removal.path.parent.rmdir()


def _leftovers(
    directory: Path, kept: Sequence[RunFolder], gone: set[Path]
) -> Iterator[tuple[Path, str]]:
    """What processes that died have left, and what no run uses that is kept."""
    named = filter(None, map(named_data_file, kept))
    needed = set(map(os.path.realpath, named))
    features_needed = _features_needed(kept)
    some_are_at_work = any(map(is_held, kept))
    for folder, folders, files in os.walk(directory):
        here = Path(folder)
        folders[:] = [name for name in folders if (here / name).absolute() not in gone]
        if CLAIMS_FOLDER in folders:  # processes of other machines may be at work
            folders[:] = []
            continue
        if ".lock" in files and is_held(RunFolder(here)):
            folders[:] = []
            continue
        if ".lock" in files and is_unbegun(here):
            yield here, "run that ended before its first epoch"
            folders[:] = []
            continue
        for name in files:
            if _PARTIAL.match(name):
                yield here / name, "file that was never finished"
        for file in data_files(here):
            if os.path.realpath(file) not in needed:
                yield file, "list of images that no run names"
        for file in _files(here / FEATURES):
            if _PARTIAL.match(file.name):
                if not some_are_at_work:
                    yield file, "file that was never finished"
            elif features_needed is not None and file.stem not in features_needed:
                yield file, "bottleneck features that no run uses"
        if not kept:
            yield from ((file, "notes on the hashes of images") for file in _files(here / HASHES))
        folders[:] = [name for name in folders if name not in (FEATURES, HASHES)]


def _files(folder: Path) -> list[Path]:
    """The files of a folder, in their order; none where it is not there."""
    return sorted(path for path in folder.glob("*") if path.is_file())


def _features_needed(kept: Sequence[RunFolder]) -> frozenset[str] | None:
    """The names of the bottleneck features that runs have read, without suffixes.

    None, for any, where a run is at work, or with a bottleneck names none in its log.
    """
    needed: set[str] = set()
    for run in kept:
        named = _FEATURES_IN_A_LOG.findall(_content(run.log_txt))
        if is_held(run) or (not named and b"bottleneck: true" in _content(run.resolved_yaml)):
            return None
        needed.update(name.decode() for name in named)
    return frozenset(needed)


def _content(path: Path) -> bytes:
    """The bytes of a file; none where it cannot be read."""
    try:
        return read_content(path)
    except OSError:
        return b""


def _removal(path: Path, what: str) -> Removal:
    return Removal(path, what, _size(path))


def _size(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    sizes = (
        (Path(folder) / name).lstat().st_size
        for folder, _, files in os.walk(path)
        for name in files
    )
    return sum(sizes)
