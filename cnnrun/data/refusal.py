"""Messages about data in one form: where; what holds; what was found; what to do."""

from collections.abc import Sequence
from pathlib import Path

from cnnrun.errors import DataError
from cnnrun.wording import closest

NAMED_AT_MOST = 5


def refusal(place: str, *, rule: str, received: str, advice: str) -> DataError:
    """An error that reads `place: rule, received this; advice`."""
    return DataError.at(place, rule=rule, received=received, advice=advice)


def shown(path: Path) -> str:
    """A path as its reader would write it: relative to the current folder where that is shorter."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def listed(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are: `a, b and 3 more`."""
    text = ", ".join(names[:NAMED_AT_MOST])
    more = len(names) - NAMED_AT_MOST
    return f"{text} and {more:,} more" if more > 0 else text


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 image`, `2 images`, `3 classes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def nearest(name: str, candidates: Sequence[str]) -> str:
    """The advice `did you mean this?` for a misspelt name, or nothing where none is near."""
    meant = closest(name, candidates)
    return f"did you mean {meant}?" if meant else ""
