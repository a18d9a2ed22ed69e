"""The room that a study's models take on its disk."""

from pathlib import Path
from typing import Final

from cnnrun.runs.disk_room import require_room
from cnnrun.wording import counted

BYTES_A_PARAMETER: Final = 4
"""Of a cell that is done its model stays, in float32; the rest is next to nothing."""


def room_for_models(folder: Path, parameters: int, *, cells: int) -> str | None:
    """What the models of so many cells will take, where it is much; None else.

    Args:
        folder: the study's.
        parameters: of the network of a cell; the others are taken to have as many.
        cells: how many cells are not done.

    Raises:
        NoRoomError: there is no such room.
    """
    needed = BYTES_A_PARAMETER * parameters * cells
    return require_room(folder, needed, what=f"the models of {counted(cells, 'cell')}")
