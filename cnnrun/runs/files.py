"""Files that appear whole or not at all, and logs whose torn last line does no harm."""

import errno
import json
import numbers
import os
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from cnnrun.errors import FullDiskError, RunError, StorageError
from cnnrun.file_kinds import not_a_file
from cnnrun.runs.positions import open_at_positions

PARTIAL_PREFIX = ".partial-"

_OTHER_CONTROLS = re.compile("[\x7f-\x9f]")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_FOLDER = {errno.ENOTDIR, errno.EEXIST}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class _Later(threading.local):
    """The files of this thread that `synced_together` is going to sync; None outside of it."""

    paths: dict[Path, None] | None = None


_later = _Later()

RESTORE: Final = "restore it, or train the run again"
"""What to do about a file of a run that is damaged."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; when the block ends well it becomes `path`.

    The name keeps the suffix of `path`, since `keras.Model.save` chooses the format by it. When the
    block fails, `path` is as it was before and nothing is left beside it.

    Raises:
        StorageError: no space is left, or the place cannot be written to.
    """
    partial = path.with_name(f"{PARTIAL_PREFIX}{secrets.token_hex(4)}-{path.name}")
    try:
        with storage_errors(path):
            yield partial
            if _later.paths is None:
                _sync(partial)
            os.replace(partial, path)
            if _later.paths is None:
                _sync_folder(path.parent)
            else:
                _later.paths[path] = None
    finally:
        with suppress(OSError):  # where nothing can be written, nothing can be removed either
            partial.unlink()


@contextmanager
def synced_together() -> Iterator[None]:
    """Within the block files appear whole as ever; a loss of power spares them when it has ended.

    A sync waits for the disk, longer than a small file takes to be written: here each file is
    synced once, however often it grows, and each folder once. It is for files that are of no use
    before all are there; `sync_now` stands before what must not outlive them.

    Raises:
        StorageError: no space is left, or a file cannot be synced.
    """
    if _later.paths is not None:  # the block around this one syncs
        yield
        return
    _later.paths = {}
    try:
        yield
        sync_now()
    finally:
        _later.paths = None


def sync_now() -> None:
    """What has been written in a block of `synced_together` is spared by a loss of power from here.

    Raises:
        StorageError: no space is left, or a file cannot be synced.
    """
    paths = _later.paths or {}
    for path in paths:
        with storage_errors(path), suppress(FileNotFoundError):  # it was removed again
            _sync(path)
    for folder in dict.fromkeys(path.parent for path in paths):
        with storage_errors(folder), suppress(FileNotFoundError):
            _sync_folder(folder)
    paths.clear()


def write_bytes(path: Path, content: bytes) -> None:
    """`path` holds `content`, also after a loss of power, or is as it was.

    Raises:
        StorageError: no space is left, or the place cannot be written to.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """`path` holds `text` in UTF-8, or is as it was; see `write_bytes`."""
    write_bytes(path, _encoded(text))


def write_new(path: Path, content: bytes) -> bool:
    """Whether `path` holds `content` now, and had not been there before: of several, one hears yes.

    Raises:
        StorageError: no space is left, or the place cannot be written to.
    """
    partial = path.with_name(f"{PARTIAL_PREFIX}{secrets.token_hex(4)}-{path.name}")
    with storage_errors(path):
        try:
            partial.write_bytes(content)
            _sync(partial)
            return _linked(partial, path)
        finally:
            with suppress(OSError):
                partial.unlink()


def _linked(partial: Path, path: Path) -> bool:
    """Give a file its name, unless there is one of that name."""
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _exclusively_copied(partial, path)
    return True


def _exclusively_copied(partial: Path, path: Path) -> bool:
    """What `_linked` does, on a disk without hard links: a reader may see half of the file."""
    try:
        with path.open("xb") as file:
            file.write(partial.read_bytes())
    except FileExistsError:
        return False
    return True


def holds(path: Path, text: str) -> bool:
    """Whether `write_text` has nothing to do."""
    try:
        return path.read_bytes() == _encoded(text)
    except OSError:
        return False


def _encoded(text: str) -> bytes:
    # File names that are no UTF-8 reach Python as lone surrogates: written as `\\udc80`, which
    # people can read and JSON reads back to the same name.
    return text.encode("utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """`path` holds `value` as indented JSON, or is as it was; see `json_text`."""
    write_text(path, json_text(value, indent=2) + "\n")


def json_text(value: Any, *, indent: int | None) -> str:
    """Standard JSON: numbers that JSON lacks (NaN, infinities) become null.

    Args:
        value: mappings, sequences, text, numbers (NumPy's too), booleans, None, paths.
        indent: spaces a level, or None for a single line.
    """
    text = json.dumps(_jsonable(value), indent=indent, ensure_ascii=False, allow_nan=False)
    # JSON lets them stand, and terminals obey them.
    return _OTHER_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def read_json(path: Path) -> Any:
    """The value that a JSON file holds.

    Raises:
        RunError: the file is absent, cannot be read, or is damaged.
    """
    try:
        return json.loads(read_content(path))
    except FileNotFoundError as error:
        raise missing(path) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise RunError.at(
            path, rule="must be JSON", received=f"a damaged file: {error}", advice=RESTORE
        ) from error


def read_content(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        OSError: it cannot be read, or is a pipe or a device, from which reading may never end.
    """
    if (kind := not_a_file(path)) not in (None, "nothing", "a folder"):
        raise OSError(errno.EINVAL, f"it is {kind}")
    return path.read_bytes()


def append_line(path: Path, line: str) -> None:
    """`path` ends with `line`, written at once and synced; earlier lines are left as they are.

    Within `synced_together` it is synced later. A torn last line, left by a process that was killed
    or a full disk, gets its line end first, so that `line` does not run on from it.

    Args:
        path: the log; created when absent.
        line: one line without its line end.

    Raises:
        StorageError: no space is left, or the place cannot be written to.
    """
    content = (line.replace("\n", " ") + "\n").encode("utf-8", errors="backslashreplace")
    with storage_errors(path):
        descriptor = open_at_positions(path, flags=os.O_CREAT | os.O_APPEND)
        try:
            if _ends_torn(descriptor):
                content = b"\n" + content
            if os.write(descriptor, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if _later.paths is None:
                os.fsync(descriptor)
            else:
                _later.paths[path] = None
        finally:
            os.close(descriptor)


def read_lines(path: Path) -> list[str]:
    """The whole lines of a log without their line ends; none when the log is absent.

    A last line without a line end was torn while it was written, and is left out.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        content = read_content(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path, error) from error
    return content.decode("utf-8", errors="replace").split("\n")[:-1]


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Failures to write within the block become a `StorageError` that names `path` and a next step.

    Raises:
        StorageError: from any OSError; a `FullDiskError` where no space is left.
    """
    try:
        yield
    except OSError as error:
        kind = FullDiskError if _is_full(error) else StorageError
        raise kind.at(
            path, rule="must be writable", received=_reason(error), advice=_next_step(error)
        ) from error


def missing(path: Path) -> RunError:
    """That a file of a run is not there."""
    return RunError.at(path, rule="must be there", received="no such file", advice=RESTORE)


def _unreadable(path: Path, error: OSError) -> RunError:
    return RunError.at(
        path, rule="must be readable", received=_reason(error), advice="check its permissions"
    )


def _is_full(error: OSError) -> bool:
    # HDF5 and Arrow put the system's words into sentences of their own.
    return error.errno in _NO_ROOM or os.strerror(errno.ENOSPC) in str(error)


def _reason(error: OSError) -> str:
    if _is_full(error) and error.errno not in _NO_ROOM:
        return os.strerror(errno.ENOSPC)
    return error.strerror or str(error) or type(error).__name__


def _next_step(error: OSError) -> str:
    if _is_full(error):
        return "free some space and give the command again"
    if error.errno == errno.EROFS:
        return "this disk is mounted read-only: write to another one"
    if error.errno in _NOT_ALLOWED:
        return "allow writing there, or write to a folder of your own"
    if error.errno in _NO_FOLDER:
        return "a file stands where a folder has to be: move it, or write elsewhere"
    return "check that the folder is there and can be written to"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders; its rename is journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ends_torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    if size == 0:
        return False
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1) != b"\n"


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        number = float(value)
        return number if number - number == 0 else None  # only NaN and infinities fail this
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): _jsonable(entry) for key, entry in value.items()}
    return [_jsonable(entry) for entry in value]
