"""Classes whose names differ in how they are written alone."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from cnnrun.data.image_facts import Finding
from cnnrun.wording import counted

_SEPARATORS = re.compile(r"[|;,+/&]")


def find_label_twins(classes: Sequence[str]) -> Iterator[Finding]:
    """Names such as `Cat` and `cat`, `1` and `1.0`; and `Mass|Effusion`, which is two labels."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        alike[plain_name(name)].append(name)
    twins = [names for names in alike.values() if len(names) > 1]
    if twins:
        yield Finding(
            "label_twins",
            "warning",
            f"{counted(len(twins), 'class', 'classes')} under more than one name, each learnt as a "
            "class of its own",
            "write one name for each",
            tuple(" = ".join(repr(name) for name in names) for names in twins),
        )
    several = [name for name in classes if _is_several(name, set(alike))]
    if several:
        yield Finding(
            "several_labels_in_one",
            "warning",
            f"{counted(len(several), 'class', 'classes')} named like several labels at once",
            "give each image one label, the most important one, or leave such images out",
            tuple(repr(name) for name in several),
        )


def plain_name(name: str) -> str:
    """A name as it is compared: without case and outer spaces, numbers by their value."""
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    try:
        return f"{float(text):.15g}"
    except ValueError:
        # Only between letters: `c-1` and `c1` may be two classes, `golden_retriever` is one.
        return re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", " ", text)


def _is_several(name: str, known: set[str]) -> bool:
    """Whether a name is a list, two at least of whose parts are classes, or one beside a bar."""
    parts = [plain_name(part) for part in _SEPARATORS.split(name) if part.strip()]
    return len(parts) > 1 and ("|" in name or sum(part in known for part in parts) > 1)
