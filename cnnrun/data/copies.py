"""What is found of pictures that are there more than once, with the same pixels or nearly."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from cnnrun.data.image_facts import Finding, ImageFacts
from cnnrun.data.near_copies import connected
from cnnrun.data.refusal import counted

MEND = (
    "remove the copies, or keep them together with a group column (data.csv.group), which "
    "check-data --out FOLDER writes"
)


def duplicates(facts: Sequence[ImageFacts]) -> Iterator[Finding]:
    """Pictures with the same pixels: under two labels, in two splits, or just twice."""
    by_digest: dict[bytes, list[ImageFacts]] = defaultdict(list)
    for fact in facts:
        by_digest[fact.digest].append(fact)
    copies = [group for group in by_digest.values() if len(group) > 1]
    conflicting = [group for group in copies if _differ(fact.label for fact in group)]
    straddling = [group for group in copies if _differ(fact.split for fact in group)]
    plain = [group for group in copies if not _differ((fact.label, fact.split) for fact in group)]
    if conflicting:
        yield Finding(
            "conflicting_labels",
            "error",
            f"{counted(len(conflicting), 'picture')} under more than one label",
            "keep each under its right label alone",
            _groups(conflicting),
            _paths(conflicting),
        )
    if straddling:
        yield Finding(
            "duplicates_across_splits",
            "error",
            f"{counted(len(straddling), 'picture')} in more than one split, which makes results "
            "look better than they are",
            MEND,
            _groups(straddling, with_split=True),
            _paths(straddling),
        )
    if plain:
        yield Finding(
            "duplicates",
            "note",
            f"{counted(len(plain), 'picture')} more than once in the same class and split",
            "remove the copies, unless they are meant to weigh more",
            _groups(plain),
            _paths(plain),
        )


def _differ(values: Iterable[object]) -> bool:
    return len(set(values)) > 1


def _groups(groups: Sequence[Sequence[ImageFacts]], *, with_split: bool = False) -> tuple[str, ...]:
    return tuple(
        " = ".join(f"{fact.path} ({fact.split})" if with_split else fact.path for fact in group)
        for group in groups
    )


def _paths(groups: Sequence[Sequence[ImageFacts]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(fact.path for fact in group) for group in groups)


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
    conflicting = [group for group in groups if _differ(fact.label for fact in group)]
    straddling = [group for group in groups if _differ(fact.split for fact in group)]
    plain = [group for group in groups if not _differ((fact.label, fact.split) for fact in group)]
    if conflicting:
        yield Finding(
            "near_copies_under_two_labels",
            "warning",
            f"{counted(len(conflicting), 'picture')}, saved again or changed a little, under more "
            "than one label",
            "look at them, and keep each under its right label alone",
            _groups(conflicting),
            _paths(conflicting),
        )
    if straddling:
        yield Finding(
            "near_copies_across_splits",
            "error",
            f"{counted(len(straddling), 'picture')}, saved again or changed a little, in more than "
            "one split, which makes results look better than they are",
            MEND,
            _groups(straddling, with_split=True),
            _paths(straddling),
        )
    if plain:
        yield Finding(
            "near_copies",
            "note",
            f"{counted(len(plain), 'picture')}, saved again or changed a little, more than once in "
            "the same class and split",
            "keep one of each, unless they are meant to weigh more",
            _groups(plain),
            _paths(plain),
        )
