"""Text from elsewhere as a terminal may get it: names of files and classes can hold commands."""

import re
from pathlib import Path
from typing import Final

# Control characters but for tabs and line ends, among them those that begin ANSI sequences; marks
# that turn the direction of writing around; line ends of Unicode.
_COMMANDS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    r"""The text with what commands a terminal written out, such as `\x1b`."""
    return _COMMANDS.sub(_written_out, text)


def shown(path: Path) -> str:
    """A path as its reader would write it: relative to the current folder where that is shorter."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def _written_out(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
