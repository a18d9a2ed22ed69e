"""Files that are read and written at positions, by several threads at once, on every system.

Unix does this in one call; elsewhere the position is moved first, by one thread at a time.
"""

import os
import threading
from pathlib import Path
from typing import Any, Final

_MOVING: Final = threading.Lock()
# Windows would otherwise change line ends in what is read and written.
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)


def open_at_positions(path: Path, *, flags: int = 0) -> int:
    """A file descriptor that reads and writes bytes as they are; the caller closes it.

    Args:
        path: the file.
        flags: more of `os.O_...`, such as `os.O_CREAT`.
    """
    return os.open(path, os.O_RDWR | _BINARY | flags, 0o666)


def read_into(descriptor: int, buffer: Any, position: int) -> int:
    """Fill a buffer with the bytes from a position on; the result is how many the file had."""
    remaining = memoryview(buffer).cast("B")
    size = len(remaining)
    while remaining and (count := _read(descriptor, remaining, position)):
        remaining, position = remaining[count:], position + count
    return size - len(remaining)


def write_at(descriptor: int, content: Any, position: int) -> None:
    """Put all bytes of a buffer at a position.

    Raises:
        OSError: the disk is full or fails.
    """
    remaining = memoryview(content).cast("B")
    while remaining:
        written = _write(descriptor, remaining, position)
        remaining, position = remaining[written:], position + written


def _read(descriptor: int, buffer: memoryview, position: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [buffer], position)
    with _MOVING:
        os.lseek(descriptor, position, os.SEEK_SET)
        content = os.read(descriptor, len(buffer))
    buffer[: len(content)] = content
    return len(content)


def _write(descriptor: int, content: memoryview, position: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, content, position)
    with _MOVING:
        os.lseek(descriptor, position, os.SEEK_SET)
        return os.write(descriptor, content)
