"""Images in object stores and other places that fsspec knows, such as `s3://bucket/photos`.

They are copied into a folder on the disk, which is then read as any other. A copy is kept for the
next time, and what has changed since is copied again.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any, Final

from filelock import FileLock

from cnnrun.data.image_files import IMAGE_SUFFIXES
from cnnrun.errors import DataError, InputError, RunError
from cnnrun.runs.disk_room import require_room, size_text
from cnnrun.runs.events import Note, NoteListener
from cnnrun.runs.files import read_json, storage_errors, write_json
from cnnrun.shown_text import harmless
from cnnrun.wording import counted

COPIES: Final = ".copies"
"""The folder, beside the features, of the images that were copied."""

# Of two letters at least: `C:/photos` is a path.
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/([^/].*)")
_AT_ONCE: Final = 256
_INDEX: Final = "index.json"
_FILES: Final = "files"
_TOKENS: Final = ("ETag", "etag", "md5Hash", "md5", "LastModified", "mtime", "created")


@dataclass(frozen=True)
class _Remote:
    """A file in a store: its key, its size, and what changes when it does."""

    key: str
    size: int
    token: str


def url_of(place: Path) -> str | None:
    """The URL that was taken for a path, which has lost a stroke by that; None for a path."""
    found = _URL.fullmatch(place.as_posix())
    if found is None or os.path.lexists(place):
        return None
    strokes = ":///" if found[1].lower() == "file" else "://"  # of no machine, but this one
    return f"{found[1]}{strokes}{found[2]}"


def local_copy(url: str, *, beside: Path, listener: NoteListener) -> Path:
    """The folder with copies of the images below a URL, as many as there are now.

    Args:
        url: of a folder, or of what stands for one.
        beside: the folder in whose `.copies` they are kept.
        listener: hears how much is copied, and where to.

    Raises:
        InputError: fsspec is not installed, or what it needs for this kind of place.
        DataError: there are no images, or the place cannot be reached.
        StorageError: the disk is full or fails.
    """
    store, root = _opened(url)
    with _told(url):
        there, others = _listed(url, store, root)
    folder = beside / COPIES / hashlib.blake2b(url.encode(), digest_size=8).hexdigest()
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        _bring_up_to_date(url, store, there, folder, listener)
    if others:
        listener(Note(f"{harmless(url)}: left out what is not an image: {counted(others, 'file')}"))
    return folder / _FILES


def _opened(url: str) -> tuple[Any, str]:
    """The store, and the place in it."""
    if "::" in url:
        raise InputError.at(
            harmless(url),
            rule="must be the URL of one place",
            received="one of places within each other (`::`)",
            advice="unpack the images first",
        )
    try:
        core: Any = import_module("fsspec.core")
        store, root = core.url_to_fs(url)
    except ImportError as error:
        raise InputError.at(
            harmless(url),
            rule="needs the packages that read such places",
            received=str(error),
            advice="`pip install 'cnnrun[s3]'` installs those of `s3://`; other places need the"
            " package that fsspec names",
        ) from error
    except ValueError as error:
        raise InputError.at(
            harmless(url),
            rule="must be the URL of a place that fsspec knows",
            received=str(error),
            advice="write for example `s3://bucket/photos`",
        ) from error
    return store, root


def _listed(url: str, store: Any, root: str) -> tuple[Mapping[str, _Remote], int]:
    """The images by their paths below the place, and how many other files there are."""
    found: Mapping[str, Mapping[str, Any]] = store.find(root, detail=True)
    images: dict[str, _Remote] = {}
    others = 0
    start = root.strip("/")
    for key, told in found.items():
        relative = key.strip("/").removeprefix(start).lstrip("/")
        if PurePosixPath(relative).suffix.lower() not in IMAGE_SUFFIXES:
            others += bool(relative) and not key.endswith("/")
            continue
        _refuse_unsafe(url, relative)
        token = next((str(told[name]) for name in _TOKENS if told.get(name)), "")
        images[relative] = _Remote(key, int(told.get("size") or 0), token)
    if not images:
        raise DataError.at(
            harmless(url),
            rule="must hold images",
            received=f"{counted(others, 'other file')}" if others else "nothing",
            advice="correct the URL",
        )
    return images, others


def _refuse_unsafe(url: str, relative: str) -> None:
    """Raise for a key that would be written outside of the folder."""
    parts = relative.split("/")
    if "\\" in relative or "\0" in relative or any(part in ("", ".", "..") for part in parts):
        raise DataError.at(
            harmless(url),
            rule="images must have keys that can be paths on a disk",
            received=harmless(relative),
            advice="rename it, or name a place below it",
        )


def _bring_up_to_date(
    url: str, store: Any, there: Mapping[str, _Remote], folder: Path, listener: NoteListener
) -> None:
    """Copy what is new or has changed, and take away what is there no longer."""
    before, files = _index(folder), folder / _FILES
    wanted = {
        path: remote
        for path, remote in there.items()
        if before.get(path) != [remote.size, remote.token] or not (files / path).is_file()
    }
    size = sum(remote.size for remote in wanted.values())
    if wanted:
        what = f"copies of {counted(len(wanted), 'image')} of {harmless(url)}"
        require_room(folder, size, what=what)
        listener(Note(f"{what}, {size_text(size)}, are kept in {folder}"))
    with storage_errors(folder):
        for path in before.keys() - there.keys():
            (files / path).unlink(missing_ok=True)
    kept = {path: value for path, value in before.items() if path in there and path not in wanted}
    names = sorted(wanted)
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        # Out of the index first: what is half written is copied again.
        write_json(folder / _INDEX, kept)
        with storage_errors(folder):
            for path in part:
                (files / path).parent.mkdir(parents=True, exist_ok=True)
        with _told(url):
            store.get([wanted[path].key for path in part], [str(files / path) for path in part])
        kept |= {path: [wanted[path].size, wanted[path].token] for path in part}
    write_json(folder / _INDEX, kept)


def _index(folder: Path) -> dict[str, list[Any]]:
    try:
        found: dict[str, list[Any]] = read_json(folder / _INDEX)
    except RunError:  # none, or a damaged one: all is copied again
        return {}
    return found


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Within the block, what a store cannot do is said with its URL."""
    try:
        yield
    except _failures() as error:
        raise DataError.at(
            harmless(url),
            rule="must be a place that can be read",
            received=" ".join(str(error).split()) or type(error).__name__,
            advice="correct the URL, or the access that its store is given (for `s3://`, what"
            " `AWS_PROFILE`, `AWS_ACCESS_KEY_ID` or `AWS_ENDPOINT_URL` say)",
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """What a store raises: errors of the system, and those of Amazon's library where it is used."""
    botocore = sys.modules.get("botocore.exceptions")
    kinds = (getattr(botocore, name, OSError) for name in ("BotoCoreError", "ClientError"))
    return (OSError, ValueError, *kinds)
