"""What commands say beside their results, on standard error, so that it reads well in a terminal.

Elsewhere than in a terminal a line is a line, for editors and logs to take apart.
"""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cnnrun.shown_text import harmless

_WIDTH_UNKNOWN: Final = (80, 24)
# What is copied whole, and numbers with what they count, are not broken.
_WHOLE: Final = re.compile(r"`[^`]*`|(?<=\d) (?=[%\w])")
_WITHIN_A_PART: Final = re.compile(r"(?<! ) (?! )")
_KEPT_SPACE: Final = "\0"


def say(text: str) -> None:
    """Writes lines to standard error, broken between words where a terminal is too narrow.

    Nothing in them commands the terminal.
    """
    text = harmless(text)
    sys.stderr.write(f"{for_terminal(text) if sys.stderr.isatty() else text}\n")


def for_terminal(text: str) -> str:
    """Text whose lines fit the terminal; lines that are indented are source, and stay."""
    width = shutil.get_terminal_size(_WIDTH_UNKNOWN).columns
    return "\n".join(
        line if line.startswith("    ") else fitted(line, width) for line in text.split("\n")
    )


def fitted(line: str, width: int) -> str:
    """A line in lines of a width, broken between words: not in code, not before a unit.

    One of parts with wider gaps between them, such as `loss 0.25  accuracy 0.9`, is broken there.
    """
    whole = _WITHIN_A_PART if "  " in line else _WHOLE
    kept = whole.sub(lambda match: match[0].replace(" ", _KEPT_SPACE), line)
    lines = textwrap.wrap(
        kept,
        width,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return "\n".join(lines).replace(_KEPT_SPACE, " ")


@contextmanager
def waiting(what: str, *, quiet: bool) -> Iterator[None]:
    """While the block works, a terminal shows what it does; the line goes away at the end."""
    is_shown = sys.stderr.isatty() and not quiet
    if is_shown:
        sys.stderr.write(f"{what} ...")
        sys.stderr.flush()
    try:
        yield
    finally:
        if is_shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
