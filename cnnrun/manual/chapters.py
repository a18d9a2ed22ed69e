"""The manual's chapters: Markdown files beside this module, each of which explains one topic."""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, final

_SENTENCE: Final = re.compile(r"(?<=[.?!])\s")


@final
@dataclass(frozen=True)
class Chapter:
    """A chapter of the manual.

    Attributes:
        topic: what it is asked for by, such as "run-folder".
        title: its first line.
        text: all of it, as Markdown.
    """

    topic: str
    title: str
    text: str

    @property
    def summary(self) -> str:
        """The first sentence, which says what the chapter is for."""
        paragraphs = self.text.partition("\n")[2].strip().split("\n\n")
        return _SENTENCE.split(" ".join(paragraphs[0].split()))[0]


def chapters() -> dict[str, Chapter]:
    """Topic -> chapter, in the order of the topics."""
    found = {}
    for file in files(__package__).iterdir():
        if file.name.endswith(".md"):
            text = file.read_text(encoding="utf-8")
            topic = file.name.removesuffix(".md").replace("_", "-")
            found[topic] = Chapter(topic, text.partition("\n")[0].lstrip("# "), text)
    return dict(sorted(found.items()))
