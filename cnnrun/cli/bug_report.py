"""What happens when cnnrun itself is wrong: a short message, and the traceback in a file."""

import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType


def report_bug(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Writes an unexpected exception's traceback to a file and names that file on stderr.

    It serves as `sys.excepthook`, so that nothing has to catch every exception. Python exits with
    code 1 after it.
    """
    text = "".join(traceback.format_exception(kind, error, trace))
    summary = traceback.format_exception_only(kind, error)[-1].splitlines()[0]
    place = saved(f"command: {' '.join(sys.argv)}\n\n{text}")
    if place is None:
        sys.stderr.write(text)
        sys.stderr.write("error: this is a bug in cnnrun; please report it with the text above\n")
        return
    sys.stderr.write(
        f"error: this is a bug in cnnrun, not in your input: {summary}\n"
        f"Please report it with the traceback in {place}\n"
    )


def saved(text: str) -> Path | None:
    """The new file in the system's temporary folder that holds `text`; None if none can be made."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="cnnrun-bug-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError:
        return None
    return Path(file.name)
