"""Patterns of paths: what in a path is the class, the split, the group, or a column of a table.

A pattern covers a whole path with forward slashes. `*` is anything within one name, `?` one
character of it, `[0-9]` one of a set, `**` (as a whole name) any folders, or, at the end, any
folders and the file. `{label}` is a field: a part of one name, which is read or filled in.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Final

LAYOUT_FIELDS: Final = ("label", "split", "group")
# In place of patterns: the folders at the top are classes, or train, validation and test; what runs
# of cnnrun 0.1.0 say by saying nothing.
CLASS_FOLDERS: Final = "class_folders"
_TOKEN: Final = re.compile(r"\*\*|\*|\?|\[[^\]]+\]|\{[^{}]*\}|.", re.DOTALL)
_WHOLE_FIELD: Final = re.compile(r"\{[^{}]*\}")
_SPECIAL: Final = re.compile(r"[*?\[{]")


class PatternError(ValueError):
    """A pattern cannot be read, or reads one path in two ways; the text is the rule it breaks."""


@dataclass(frozen=True)
class PathPattern:
    """A pattern, ready to read paths.

    Attributes:
        text: as it was written.
        fields: the names of its fields, each once, in their order.
    """

    text: str
    fields: tuple[str, ...]
    _shortest: re.Pattern[str]
    _longest: re.Pattern[str] | None

    def read(self, path: str) -> dict[str, str] | None:
        """The fields' values in a path, or None where the pattern does not cover it.

        Raises:
            PatternError: there are two ways to read it.
        """
        shortest = self._shortest.fullmatch(path)
        if shortest is None:
            return None
        longest = self._longest.fullmatch(path) if self._longest else None
        if longest is not None and shortest.groups() != longest.groups():
            raise PatternError(
                f"`{self.text}` reads {path} in two ways: {_reading(shortest.groupdict())}, "
                f"or {_reading(longest.groupdict())}"
            )
        return {name: shortest[f"_{number}"] for number, name in enumerate(self.fields)}

    @property
    def has_wildcards(self) -> bool:
        """Whether it can stand for several paths when all its fields are filled in."""
        return any(token[0] in "*?[" for token in _TOKEN.findall(self.text))

    def fill(self, values: Mapping[str, str]) -> str:
        """The path that it stands for; for patterns without wildcards."""
        return re.sub(r"\{([^{}]*)\}", lambda match: values[match[1]], self.text)


def parse_pattern(text: str, *, fields: Sequence[str] | None) -> PathPattern:
    """A pattern from its text.

    Args:
        text: the pattern.
        fields: the names that its fields may have; None allows any.

    Raises:
        PatternError: the text is not a pattern.
    """
    names: list[str] = []
    parts = text.split("/")
    shortest, longest = "", ""
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        if part == "**":
            shortest += ".+?" if is_last else "(?:.+?/)??"
            longest += ".+" if is_last else "(?:.+/)?"
            continue
        if not part:
            raise PatternError("must not begin or end with a slash, nor have two in a row")
        for lazy, greedy in _name_expressions(part, names, fields):
            shortest, longest = shortest + lazy, longest + greedy
        if not is_last:
            shortest, longest = shortest + "/", longest + "/"
    other = None if _reads_in_one_way(parts) else re.compile(longest, re.DOTALL)
    return PathPattern(text, tuple(names), re.compile(shortest, re.DOTALL), other)


def _reads_in_one_way(parts: Sequence[str]) -> bool:
    """Whether fields are whole names at places that nothing before them moves."""
    return all(
        part == "*" or _WHOLE_FIELD.fullmatch(part) or not _SPECIAL.search(part)
        for part in (parts[:-1] if parts[-1] == "**" else parts)
    )


def _name_expressions(
    part: str, names: list[str], fields: Sequence[str] | None
) -> list[tuple[str, str]]:
    """Regular expressions of a name's tokens, each as short and as long as it can be."""
    parts = _TOKEN.findall(part)
    expressions = []
    for index, each in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else ""
        if each == "**":
            raise PatternError("must have `**` as a whole name, between slashes")
        if each == "*":
            expressions.append(("[^/]*?", "[^/]*"))
        elif each == "?":
            expressions.append(("[^/]", "[^/]"))
        elif len(each) > 1 and each[0] == "[":
            expressions.append((_set(each), _set(each)))
        elif len(each) > 1 and each[0] == "{":
            _check_field(each, following, parts[index - 1] if index else "", fields)
            expressions.append(_field(each[1:-1], following, names))
        else:
            expressions.append((re.escape(each), re.escape(each)))
    return expressions


def _field(name: str, following: str, names: list[str]) -> tuple[str, str]:
    if name in names:
        again = f"(?P=_{names.index(name)})"
        return again, again
    group = f"_{len(names)}"
    names.append(name)
    # A field before a set ends where the set begins: `{label}[0-9]*` reads cat from cat12.jpg.
    end = f"(?<!{_set(following)})" if following.startswith("[") and len(following) > 1 else ""
    return f"(?P<{group}>[^/]+?){end}", f"(?P<{group}>[^/]+){end}"


def _check_field(token: str, following: str, preceding: str, fields: Sequence[str] | None) -> None:
    name = token[1:-1]
    if fields is not None and name not in fields:
        known = ", ".join(f"{{{each}}}" for each in fields)
        fitting = f"only the fields {known}, not" if fields else "no field such as"
        raise PatternError(f"must have {fitting} {token}")
    for neighbour in (preceding, following):
        if neighbour == "*" or (len(neighbour) > 1 and neighbour[0] == "{"):
            raise PatternError(
                f"must have something between {token} and {neighbour}, for nothing says where "
                "one ends and the other begins"
            )


def _set(token: str) -> str:
    """A set of characters as a regular expression has it; `[!...]` is what is not in it."""
    inside = token[1:-1]
    negated = inside[0] == "!" and len(inside) > 1
    body = (inside[1:] if negated else inside).replace("\\", r"\\").replace("[", r"\[")
    body = re.sub(r"^\^", r"\^", body)
    return f"[^/{body}]" if negated else f"[{body}]"


def _reading(groups: Mapping[str, str]) -> str:
    return " and ".join(groups.values())


def literal(name: str) -> str:
    """A name as a pattern that covers it alone."""
    return _SPECIAL.sub(lambda match: f"[{match[0]}]", name)


class Exclusion:
    """Whether a path is left out by one of some patterns.

    A pattern without a slash leaves out every folder and file of that name; one with slashes a file
    or a folder at that place.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        names = [pattern for pattern in patterns if "/" not in pattern]
        self._names = re.compile("|".join(map(translate, names))) if names else None
        self._paths = [
            re.compile(f"(?:{parsed._shortest.pattern})(?:/.*)?", re.DOTALL)
            for parsed in (
                parse_pattern(each, fields=()) for each in patterns if each not in set(names)
            )
        ]

    def __call__(self, path: str) -> bool:
        """Whether the path is left out."""
        if self._names is not None and any(self._names.match(name) for name in path.split("/")):
            return True
        return any(pattern.fullmatch(path) for pattern in self._paths)
