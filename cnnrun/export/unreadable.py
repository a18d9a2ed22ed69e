"""What is said of a network's file that is none."""

from pathlib import Path

from cnnrun.errors import ExportError


def unreadable(path: Path, why: object) -> ExportError:
    """That a network's file is damaged, or no network of cnnrun's.

    Args:
        path: the file.
        why: what its runtime says, of which the first line is shown.
    """
    lines = str(why).strip().splitlines() or [type(why).__name__]
    return ExportError.at(
        path,
        rule="must be a network from pixels to probabilities that cnnrun has exported",
        received=f"a damaged file: {lines[0]}",
        advice="copy it again, or export the run again",
    )
