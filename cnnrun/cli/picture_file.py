"""The file that a command draws a picture into."""

from collections.abc import Sequence
from pathlib import Path

from cnnrun.errors import InputError


def refuse_other_endings(path: Path, *, option: str, endings: Sequence[str], example: str) -> None:
    """Ends the command, as any wrong usage does, when a picture could not become that file.

    Args:
        path: the file.
        option: the option that names it.
        endings: those that it may have, such as ".png"; the first is the one to suggest.
        example: a name for it in a folder that was given in its place.
    """
    if path.is_dir():
        raise InputError.at(
            option,
            rule="must be a file",
            received=f"the folder {path}",
            advice=f"write {path / example}",
        )
    if path.suffix.lower() not in endings:
        raise InputError.at(
            option,
            rule=f"must end in {' or '.join(endings)}",
            received=str(path),
            advice=f"write {path.with_suffix(endings[0])}",
        )
