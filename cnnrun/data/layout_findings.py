"""What is left out, and said, on the way to a folder's layout."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cnnrun.config.path_patterns import literal
from cnnrun.data.image_tree import Folder, split_kind
from cnnrun.data.layouts import SplitNames
from cnnrun.wording import listed


@dataclass
class Findings:
    """What is left out on the way to a layout, and what is said of it.

    `given` are the words that `data.split` has for some splits.
    """

    given: Mapping[str, tuple[str, ...]]
    exclude: list[str] = field(default_factory=list)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def kind(self, name: str) -> str | None:
        """The split that a folder's name means, if one does."""
        if self.given:
            return SplitNames(self.given)(name)
        return split_kind(name)

    def leave_out(self, folders: Sequence[Folder], prefix: str, reason: str) -> None:
        """Leave folders below a pattern's beginning out, and say why."""
        if folders:
            place = re.sub(r"\{\w+\}", "*", prefix)
            self.exclude += [f"{place}{literal(folder.name)}/**" for folder in folders]
            self.notes.append(f"left out {listed([each.name for each in folders])}: {reason}")
