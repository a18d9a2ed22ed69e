"""What is found of pictures that are there more than once, with the same pixels or nearly."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cnnrun.data.image_facts import Finding, ImageFacts, Severity
from cnnrun.data.near_copies import connected
from cnnrun.wording import counted

Copies = Sequence[ImageFacts]

MEND = (
    "remove the copies, or keep them together with a group column (data.csv.group), which "
    "check-data --out FOLDER writes"
)


def duplicates(facts: Sequence[ImageFacts]) -> Iterator[Finding]:
    """Pictures with the same pixels: under two labels, in two splits, or just twice."""
    by_digest: dict[bytes, list[ImageFacts]] = defaultdict(list)
    for fact in facts:
        by_digest[fact.digest].append(fact)
    kinds = _by_kind([group for group in by_digest.values() if len(group) > 1])
    yield from _found(
        "conflicting_labels",
        "error",
        kinds.conflicting,
        " under more than one label",
        "keep each under its right label alone",
    )
    yield from _found(
        "duplicates_across_splits",
        "error",
        kinds.straddling,
        " in more than one split, which makes results look better than they are",
        MEND,
        with_split=True,
    )
    yield from _found(
        "duplicates",
        "note",
        kinds.plain,
        " more than once in the same class and split",
        "remove the copies, unless they are meant to weigh more",
    )


def near_duplicates(
    facts: Sequence[ImageFacts], near: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    """Pictures that are nearly the same: saved again, mirrored, brightened, cropped.

    Args:
        facts: of each image.
        near: pairs of places in `facts`.
    """
    changed = [pair for pair in near if facts[pair[0]].digest != facts[pair[1]].digest]
    groups = [[facts[place] for place in group] for group in connected(len(facts), changed)]
    kinds = _by_kind(groups)
    yield from _found(
        "near_copies_under_two_labels",
        "warning",
        kinds.conflicting,
        ", saved again or changed a little, under more than one label",
        "look at them, and keep each under its right label alone",
    )
    yield from _found(
        "near_copies_across_splits",
        "error",
        kinds.straddling,
        ", saved again or changed a little, in more than one split, which makes results look better"
        " than they are",
        MEND,
        with_split=True,
    )
    yield from _found(
        "near_copies",
        "note",
        kinds.plain,
        ", saved again or changed a little, more than once in the same class and split",
        "keep one of each, unless they are meant to weigh more",
    )


class _Kinds(NamedTuple):
    """Groups of copies: under several labels, in several splits, and those in neither."""

    conflicting: Sequence[Copies]
    straddling: Sequence[Copies]
    plain: Sequence[Copies]


def _by_kind(groups: Sequence[Copies]) -> _Kinds:
    return _Kinds(
        conflicting=[group for group in groups if _differ(fact.label for fact in group)],
        straddling=[group for group in groups if _differ(fact.split for fact in group)],
        plain=[group for group in groups if not _differ((f.label, f.split) for f in group)],
    )


def _found(
    kind: str,
    severity: Severity,
    groups: Sequence[Copies],
    what: str,
    advice: str,
    *,
    with_split: bool = False,
) -> Iterator[Finding]:
    """The finding of some groups, if there are any."""
    if groups:
        lines = tuple(
            " = ".join(f"{fact.path} ({fact.split})" if with_split else fact.path for fact in group)
            for group in groups
        )
        paths = tuple(tuple(fact.path for fact in group) for group in groups)
        told = f"{counted(len(groups), 'picture')}{what}"
        yield Finding(kind, severity, told, advice, lines, paths)


def _differ(values: Iterable[object]) -> bool:
    return len(set(values)) > 1
