"""Tells files from what can be opened like one and never ends, or never begins."""

import os
import stat
from pathlib import Path
from typing import Final

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def not_a_file(path: Path) -> str | None:
    """What stands at a place instead of a file, in words, or None for a file or a link to one.

    Pipes and devices are never read: a pipe waits for a writer, `/dev/zero` has no end.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # a zero byte in a name is a ValueError
        return "nothing"
    if stat.S_ISREG(mode):
        return None
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), None)


def is_file(path: Path) -> bool:
    """Whether a file, or a link to one, stands at a place."""
    return not_a_file(path) is None
