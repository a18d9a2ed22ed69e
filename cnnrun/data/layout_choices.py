"""What a folder could mean: layouts as lines of a config, each tried on the images at hand."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cnnrun.config.path_patterns import PatternError, literal
from cnnrun.data.image_tree import Folder
from cnnrun.data.layouts import SPLIT_WORDS, Placement, key_of, place_images
from cnnrun.data.manifest import Layout
from cnnrun.wording import counted

CHOICES_AT_MOST: Final = 4
_NAMES: Final = (
    "{label}.[0-9]*",
    "{label}_[0-9]*",
    "{label}-[0-9]*",
    "{label} ([0-9]*",
    "{label}[0-9]*",
    "*[0-9]_{label}.*",
)
_ENDING: Final = re.compile(r"([_-][^\W\d_]{3,})\d+\.\w+$")


@dataclass(frozen=True)
class Choice:
    """A way to read images, as lines of `data`, and what it would make of them.

    `layout` is it where the folders are what is read, not a table.
    """

    lines: tuple[str, ...]
    meaning: str
    layout: Layout | None = None


@dataclass(frozen=True)
class Undecided:
    """Why a folder's meaning is not certain, what it could be, and what to do else."""

    reason: str
    choices: tuple[Choice, ...]
    otherwise: str = ""


class UndecidedError(Exception):
    """A folder's meaning is not certain: why, and which layouts it could have."""

    def __init__(self, reason: str, layouts: Iterable[Layout], *, otherwise: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.layouts = tuple(layouts)
        self.otherwise = otherwise


def try_layouts(paths: Sequence[str], layouts: Iterable[Layout]) -> tuple[Choice, ...]:
    """The layouts that give at least two classes, with what each would mean; four at most."""
    choices: list[Choice] = []
    for layout in layouts:
        try:
            placement = place_images(paths, layout)
        except PatternError:
            continue
        if len({image.label for image in placement.images}) > 1:
            choice = Choice(layout_lines(layout), _meaning(placement), layout)
            if all(choice.lines != other.lines for other in choices):
                choices.append(choice)
    return tuple(choices[:CHOICES_AT_MOST])


def layout_lines(layout: Layout) -> tuple[str, ...]:
    """A layout as the lines of a config's `data` section."""
    patterns = [quoted(pattern) for pattern in layout.patterns]
    lines = [f"layout: {patterns[0] if len(patterns) == 1 else '[' + ', '.join(patterns) + ']'}"]
    if layout.words:
        words = (f"{split}: {_words(names)}" for split, names in layout.words.items())
        lines.append(f"split: {{{', '.join(words)}}}")
    if layout.exclude:
        lines.append(f"exclude: [{', '.join(map(quoted, layout.exclude))}]")
    return tuple(lines)


def _words(names: Sequence[str]) -> str:
    texts = [quoted(name) for name in names]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def quoted(text: str) -> str:
    """Text as a YAML scalar in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _meaning(placement: Placement) -> str:
    classes = sorted({image.label for image in placement.images})
    groups = len({image.group for image in placement.images} - {""})
    splits = {image.split for image in placement.images} - {""}
    named = ", ".join(classes[:2]) + (", ..." if len(classes) > 2 else "")
    parts = [f"{counted(len(placement.images), 'image')}", f"{len(classes)} classes ({named})"]
    if groups:
        parts.append(f"{counted(groups, 'group')} that no split divides")
    if splits:
        parts.append(f"splits {', '.join(each for each in SPLIT_WORDS if each in splits)}")
    return ", ".join(parts)


def name_layouts(folder: Folder, prefix: str) -> list[Layout]:
    """The patterns that would find classes in the names of a folder's images."""
    layouts = []
    for name in (*_NAMES, *_ending_patterns(folder.images)):
        try:
            placement = place_images(folder.images, Layout((name,)))
        except PatternError:
            continue
        classes = {key_of(image.label) for image in placement.images}
        covers = len(placement.images) >= 0.8 * len(folder.images)
        if covers and 1 < len(classes) <= len(folder.images) / 2:
            layouts.append(Layout((prefix + name,)))
    return layouts[:1]


def _ending_patterns(images: Sequence[str]) -> list[str]:
    """The pattern of names that end in one word and a class: `x51_y01_class0.png`."""
    endings = {match[1] for each in images if (match := _ENDING.search(each))}
    return [f"*{literal(ending)}{{label}}.*" for ending in endings] if len(endings) == 1 else []


def without_fields(prefix: str) -> str:
    """A pattern's beginning without fields, as `exclude` needs it."""
    return re.sub(r"\{\w+\}", "*", prefix)
