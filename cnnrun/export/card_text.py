"""Text of a model card that Markdown and HTML show as it is."""

import re
from collections.abc import Sequence
from typing import Final

CLASSES_NAMED: Final = 30
FEW_IMAGES: Final = 20
"""Of fewer images of a class, or of those with a label, hardly anything is known."""

# What Markdown and HTML could take for their own in a class's name.
_SPECIAL: Final = re.compile(r"[&<>\[\]*`|\\~$]")


def plain(text: str) -> str:
    """A text that Markdown and HTML show as it is, on one line."""
    line = " ".join(text.split())
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line)


def named(classes: Sequence[str]) -> str:
    """The names of classes or labels; of many the first ones."""
    more = len(classes) - CLASSES_NAMED
    some = ", ".join(map(plain, classes[:CLASSES_NAMED]))
    return some + (f" and {more:,} more (classes.json)" if more > 0 else "")


def hardly_known(names: Sequence[str]) -> str:
    """A limit of a card: that classes or labels were measured on few images."""
    others = " and others" * (len(names) > CLASSES_NAMED)
    some = ", ".join(map(plain, names[:CLASSES_NAMED]))
    return (
        f"- Measured on fewer than {FEW_IMAGES} images each, and so hardly known: {some}{others}."
    )
