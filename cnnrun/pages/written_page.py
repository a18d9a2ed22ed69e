"""A page becomes a file, and no other file than a page is replaced by one."""

from pathlib import Path
from typing import Final

from cnnrun.errors import InputError
from cnnrun.runs.files import storage_errors, write_text

_OURS: Final = b'<meta name="generator" content="cnnrun">'
_HEAD_BYTES: Final = 4096


def write_page(text: str, path: Path) -> Path:
    """The page at `path`, whose folder is made where it is absent; the result is `path`.

    Raises:
        InputError: something else stands there.
        StorageError: it cannot be written.
    """
    if path.is_dir():
        raise _not_a_page(path, "a folder", f"write {path.as_posix()}/report.html")
    if path.exists() and not _is_page(path):
        raise _not_a_page(path, "another file", "name another file, or move this one away")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def _is_page(path: Path) -> bool:
    with storage_errors(path), path.open("rb") as stream:
        return _OURS in stream.read(_HEAD_BYTES)


def _not_a_page(path: Path, received: str, advice: str) -> InputError:
    rule = "a page takes the place of another page alone"
    return InputError.at(path, rule=rule, received=received, advice=advice)
