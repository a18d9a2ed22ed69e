"""Whether a disk has the room for what is about to be written, before the work for it begins."""

import shutil
from pathlib import Path
from typing import Final

from cnnrun.errors import NoRoomError

WORTH_SAYING_BYTES: Final = 10**8


def require_room(folder: Path, needed_bytes: int, *, what: str) -> str | None:
    """What will be written, for a note, where it is much; None where it is not worth one.

    Args:
        folder: where it goes; it need not be there yet.
        needed_bytes: how much it takes, about.
        what: what is written, such as "the features of 20,000 images".

    Raises:
        NoRoomError: there is no such room.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if needed_bytes > free:
        raise NoRoomError.at(
            folder,
            rule=f"must have room for {what}, about {size_text(needed_bytes)}",
            received=f"{size_text(free)} that are free",
            advice="free some space (`cnnrun runs --delete` shows what can be taken away), or write"
            " to another disk",
        )
    if needed_bytes < WORTH_SAYING_BYTES:
        return None
    return f"{what} take about {size_text(needed_bytes)} of the {size_text(free)} that are free"


def size_text(size_bytes: int) -> str:
    """A size as people read it."""
    size, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
