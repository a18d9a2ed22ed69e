"""Words that messages have in common: numbers, times, names, and what a misspelt one meant."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

NAMED_AT_MOST: Final = 5
"""Names of files or classes that a message has, of which there may be thousands."""

_MOST_QUOTED: Final = 12
_MOST_NEAR: Final = 3
_SHORTEST_BEGINNING: Final = 3
_LIKENESS: Final = 0.65
"""How alike (difflib's ratio) a name must be to one that was probably meant."""


def quoted(names: Iterable[str]) -> str:
    """Names in backquotes, separated by commas; the first dozen of many."""
    every = [f"`{name}`" for name in names]
    rest = len(every) - _MOST_QUOTED
    return ", ".join(every[:_MOST_QUOTED]) + (f" and {rest} more" if rest > 0 else "")


def listed(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are: `a, b and 3 more`."""
    text = ", ".join(names[:NAMED_AT_MOST])
    more = len(names) - NAMED_AT_MOST
    return f"{text} and {more:,} more" if more > 0 else text


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 image`, `2 images`, `3 classes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A time in words, such as "3 min" or "1 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option that was probably meant by `word`, if there is one."""
    known = list(options)
    near = _near(word, known, most=1)
    if not near and len(word) >= _SHORTEST_BEGINNING:
        near = [letters for each in known if (letters := _letters(each)).startswith(_letters(word))]
    alike = [option for option in known if _letters(option) in near[:1]]
    # Of `Accuracy` and `accuracy`, the one in the same case.
    return max(alike, key=lambda option: _likeness(word, option), default=None)


def suggestion(word: str, options: Sequence[str], *, otherwise: str = "") -> str:
    """Advice for an unknown name: what was probably meant, or else the names that there are."""
    meant = closest(word, options)
    if meant is not None:
        return f"did you mean `{meant}`?"
    return otherwise or f"the names are {quoted(options)}"


def nearest(word: str, options: Iterable[str], *, what: str = "names", otherwise: str = "") -> str:
    """Advice for an unknown one of many names: the few that are most like it.

    Args:
        word: what was written.
        options: the names that there are.
        what: what they are called, in the plural.
        otherwise: the advice where none is alike.
    """
    by_letters = {_letters(option): option for option in options}
    near = _near(word, by_letters.values(), most=_MOST_NEAR)
    if _letters(word) in near[:1]:
        near = near[:1]
    names = [f"`{by_letters[letters]}`" for letters in near]
    if len(names) < 2:
        return f"did you mean {names[0]}?" if names else otherwise
    return f"the nearest {what} are {', '.join(names)}"


def _near(word: str, options: Iterable[str], *, most: int) -> list[str]:
    """The letters of the options that are most like those of a word."""
    letters = [_letters(option) for option in options]
    return difflib.get_close_matches(_letters(word), letters, n=most, cutoff=_LIKENESS)


def _likeness(word: str, option: str) -> float:
    return difflib.SequenceMatcher(None, word, option).ratio()


def _letters(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()
