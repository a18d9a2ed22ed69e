"""Writing files where none of that name may be yet."""

from collections.abc import Mapping
from pathlib import Path

from cnnrun.errors import InputError
from cnnrun.runs.files import storage_errors


def write_new_files(contents: Mapping[Path, bytes]) -> None:
    """Writes files and the folders that they need, unless one of them is there already.

    Raises:
        InputError: one of the files exists; nothing was written.
        StorageError: one of them cannot be written.
    """
    existing = [path for path in contents if path.exists()]
    if existing:
        others = f" and {len(existing) - 1} more" if len(existing) > 1 else ""
        raise InputError.at(
            existing[0],
            rule="cnnrun init does not overwrite a file",
            received=f"one that exists{others}",
            advice="name another folder (`cnnrun init DIR`) or move the old one away",
        )
    for path, content in contents.items():
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
