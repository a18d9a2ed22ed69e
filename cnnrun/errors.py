"""Everything that a user can fix, as one tree.

CnnrunError
├── InputError            exit 2: what the user gave cannot be used
│   ├── ConfigError       a config: every problem, each at file:line:column
│   ├── DataError         images, labels, CSV files, arrays
│   ├── RunError          a run folder: absent, busy, damaged, of another config
│   ├── StudyError        a study: unknown, of equal arms or too few seeds, in another's folder
│   ├── FeaturesError     an extraction: unknown layers, a folder that is another's or in use
│   ├── ModelFileError    a model or weights file
│   └── ExportError       a run that cannot be exported so, an exported folder that is damaged
├── WorkError             exit 1: the input was fine and the work failed
│   ├── DivergedError     the loss became NaN or infinite
│   ├── DownloadError     a file that could not be fetched
│   ├── DisagreementError an exported network that answers otherwise than the one it was made of
│   └── StorageError      a place that cannot be written to
│       ├── FullDiskError no space is left
│       └── NoRoomError   more is about to be written than there is space for
└── InterruptedRunError   exit 130: Ctrl-C or SIGTERM
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from typing_extensions import override

PROBLEMS_NAMED = 50

_LONGEST_LINE = 160
_LONGEST_PART = 400
_MOST_LINES = 20
_SHOWN_BEFORE = 80


@dataclass(frozen=True)
class Position:
    """A place in a text file; `line` and `column` count from 1, `text` is the whole line."""

    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a config.

    Attributes:
        position: where it stands, or None where no text stands behind it.
        address: the value's address, such as `model.layers[2].Conv2D.filters`.
        rule: what holds, such as "must be an integer of at least 1".
        received: what was found instead, as its author would recognize it; may be empty.
        advice: the next step, such as "did you mean `filters`?"; may be empty.
    """

    position: Position | None
    address: str
    rule: str
    received: str
    advice: str

    def __str__(self) -> str:
        place = (
            f"{self.position.file}:{self.position.line}:{self.position.column}: "
            if (self.position)
            else ""
        )
        address = f"{_short(self.address)}: " if self.address else ""
        received = f", received {_short(self.received)}" if self.received else ""
        advice = f"; {_short(self.advice)}" if self.advice else ""
        return f"{place}{address}{_short(self.rule)}{received}{advice}" + self._source_line()

    def _source_line(self) -> str:
        """The line below which a caret stands; of a long one, what is around the caret."""
        if self.position is None or not self.position.text.strip():
            return ""
        before = self.position.column - 1
        start = max(0, before - _SHOWN_BEFORE) if len(self.position.text) > _LONGEST_LINE else 0
        line = self.position.text[start : start + _LONGEST_LINE]
        # A tab would move the caret, and an escape sequence speaks to the terminal.
        printable = "".join(each if each.isprintable() else " " for each in line)
        return f"\n    {printable}\n    {' ' * (before - start)}^"


def _short(text: str) -> str:
    """A part of a message; lines that are too long to read lack most of their middle."""
    first = text.split("\n", maxsplit=_MOST_LINES)
    return "\n".join(
        line
        if len(line) <= _LONGEST_PART
        else f"{line[: _LONGEST_PART // 2]} [... {len(line):,} characters] {line[-40:]}"
        for line in first
    )


class CnnrunError(Exception):
    """Something that a user can fix; its text is what the user reads."""

    exit_code = 1

    @classmethod
    def at(cls, place: Path | str, *, rule: str, received: str, advice: str) -> Self:
        """An error in the form of all messages: `place: rule, received this; advice`.

        Args:
            place: where it went wrong: a file or folder, an option, an address; "" where the rule
                names it.
            rule: what holds, such as "must be there".
            received: what was found instead; may be empty.
            advice: the next step; may be empty. What it is about, such as several files, can stand
                on lines of its own below.
        """
        return cls(str(Problem(None, str(place), rule, received, advice)))

    @classmethod
    def relayed(cls, message: str) -> Self:
        """An error of another process, which has put its message into the form already."""
        return cls(message)


class InputError(CnnrunError):
    """What the user gave cannot be used."""

    exit_code = 2


class ConfigError(InputError):
    """A config with problems, in the order of the file.

    Attributes:
        problems: as many as anybody reads.
        more: how many more there are.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[:PROBLEMS_NAMED])
        self.more = max(0, len(problems) - PROBLEMS_NAMED)
        super().__init__("\n".join([*map(str, self.problems), *self.rest()]))

    @classmethod
    @override
    def at(cls, place: Path | str, *, rule: str, received: str, advice: str) -> Self:
        """A config's one problem, where no line of the file stands behind it."""
        return cls([Problem(None, str(place), rule, received, advice)])

    def rest(self) -> tuple[str, ...]:
        """A line about those that are not named, if there are any."""
        noun = "problem" if self.more == 1 else "problems"
        return (f"and {self.more:,} more {noun}",) if self.more else ()


class DataError(InputError):
    """Images, labels, a CSV file or arrays that cannot be used."""


class RunError(InputError):
    """A run folder that is absent, busy, damaged or belongs to another config."""


class StudyError(InputError):
    """A study that is unknown, compares nothing, or whose folder belongs to another one."""


class FeaturesError(InputError):
    """Layers that a network does not have, or a folder of features that is busy or another's."""


class ModelFileError(InputError):
    """A model or weights file that cannot be used."""


class ExportError(InputError):
    """A run that cannot be exported in this way, or an exported folder that cannot be used."""


class WorkError(CnnrunError):
    """The input was fine and the work failed all the same."""


class DivergedError(WorkError):
    """The loss became NaN or infinite."""


class DownloadError(WorkError):
    """A file that could not be fetched from the network."""


class DisagreementError(WorkError):
    """An exported network that answers otherwise than the one that it was made of."""


class StorageError(WorkError):
    """A place that cannot be written to."""


class FullDiskError(StorageError):
    """No space is left; the command can be given again once there is some."""


class NoRoomError(StorageError):
    """More is about to be written than there is space for; nothing of it was."""


class InterruptedRunError(CnnrunError):
    """The user stopped the work."""

    exit_code = 130
