"""Whether a file is still what it was, told without reading it.

As git does it: by its size, inode and times in nanoseconds. The time of its last change cannot be
set by a program. A file that changed in the last moments before it was looked at could change
again within the same tick of the clock, so nothing is noted of it.
"""

import os
from typing import Final

AT_REST_NS: Final = 2 * 10**9
"""The coarsest clock of a file system in use, FAT's, ticks every two seconds."""

FileState = tuple[int, int, int, int]
"""Size, inode, time of modification, time of change."""


def file_state(status: os.stat_result) -> FileState:
    """What is noted of a file."""
    return (status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)


def is_at_rest(state: FileState, *, now_ns: int) -> bool:
    """Whether a file cannot have changed twice within the tick of the clock that it was seen in.

    Times in the future are of a wrong clock; what changes now has the present time as well.
    """
    newest = max(time for time in (0, *state[2:]) if time <= now_ns + AT_REST_NS)
    return newest <= now_ns - AT_REST_NS
