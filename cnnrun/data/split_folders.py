"""Folders that are splits: at the top, or in every class."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from cnnrun.config.path_patterns import literal
from cnnrun.data.image_tree import Folder, common_names, numbered_alike, sharing, unwrapped
from cnnrun.data.layout_choices import UndecidedError
from cnnrun.data.layout_findings import Findings
from cnnrun.data.layouts import SplitNames, key_of
from cnnrun.data.manifest import TEST, TRAIN, Layout
from cnnrun.wording import listed

# Split folders of these names go without saying.
PLAIN_WORDS: Final = frozenset({"train", "validation", "valid", "val", "test"})
# Reads what lies in a folder, below a pattern's beginning.
Read = Callable[[Folder, str, Findings], list[str]]


def as_splits(
    children: list[Folder], prefix: str, findings: Findings, *, read: Read
) -> list[str] | None:
    """Split folders, at least one of them named so for training and holding class folders."""
    if "{split}" in prefix:
        return None
    kinds = {child.name: findings.kind(child.name) for child in children}
    train = [c for c in children if kinds[c.name] == TRAIN and len(unwrapped(c)[1].folders) > 1]
    if not train or len(set(kinds.values()) - {None}) < 2:
        return None
    classes = unwrapped(train[0])[1].keys()
    others = [child for child in children if kinds[child.name] and child not in train]
    sound = [child for child in others if _chain_to(child, classes) is not None]
    unlabelled = [child for child in others if child not in sound]
    strangers = [child for child in children if not kinds[child.name]]
    findings.leave_out(unlabelled, prefix, "no class folders in it")
    findings.leave_out(
        strangers,
        prefix,
        "not named like a split; data.split.train, .validation and .test can name it",
    )
    return read_splits([*train, *sound], prefix, findings, read=read)


def read_splits(splits: list[Folder], prefix: str, findings: Findings, *, read: Read) -> list[str]:
    """The patterns of split folders, the first of which is for training."""
    _refuse_twin_splits(splits, prefix, findings)
    is_usual = SplitNames({})
    names: dict[str, tuple[str, ...]] = {}
    for folder in splits:
        kind = findings.kind(folder.name) or TEST
        names[kind] = (*names.get(kind, ()), folder.name)
    if any(is_usual(name) != kind for kind, each in names.items() for name in each):
        findings.words.update(names)
    if not all(name.lower() in PLAIN_WORDS for each in names.values() for name in each):
        said = ", ".join(f"{' and '.join(each)} for {kind}" for kind, each in names.items())
        findings.notes.append(f"took {said}")
    chain, inner = unwrapped(splits[0])
    classes = inner.keys()
    chains = [tuple(chain)]
    for folder in splits[1:]:
        found = _chain_to(folder, classes)
        chains.append(tuple(chain if found is None else found))
    if len(set(chains)) > 1 and len({len(each) for each in chains}) == 1:
        chains = [("*",) * len(chain)]
        above = "*/" * len(chain)
    else:
        above = "".join(f"{literal(name)}/" for name in chain)
    begin = f"{prefix}{{split}}/"
    patterns = read(inner, begin + above, findings)
    more = sorted({each for each in chains if each not in {tuple(chain), ("*",) * len(chain)}})
    for each in sorted(more, key=len, reverse=True):
        other = "".join(f"{literal(name)}/" for name in each)
        moved = [begin + other + pattern.removeprefix(begin + above) for pattern in patterns]
        patterns = [*moved, *patterns] if len(each) > len(chain) else [*patterns, *moved]
    return patterns


def _chain_to(folder: Folder, classes: set[str]) -> list[str] | None:
    """The folders above the class folders in a split folder; None where it has none."""
    chain: list[str] = []
    while True:
        near = any(get_close_matches(key_of(name), classes, n=1) for name in folder.folders)
        if near or len(folder.folders) > 1:
            return chain
        if len(folder.folders) != 1:
            return None
        (folder,) = folder.folders.values()
        chain.append(folder.name)


def _refuse_twin_splits(splits: list[Folder], prefix: str, findings: Findings) -> None:
    """Refuse two folders of one split that hold the same files: one is a copy of the other."""
    for index, one in enumerate(splits):
        for other in splits[index + 1 :]:
            if findings.kind(one.name) != findings.kind(other.name):
                continue
            first, second = set(one.below()), set(other.below())
            alike = first == second or key_of(one.name) == key_of(other.name)
            if alike and len(first & second) > min(len(first), len(second)) / 2:
                rest = [each for each in splits if each not in (one, other)]
                words = [
                    {
                        kind: tuple(e.name for e in (kept, *rest) if findings.kind(e.name) == kind)
                        for kind in (findings.kind(each.name) for each in (kept, *rest))
                        if kind
                    }
                    for kept in (one, other)
                ]
                raise UndecidedError(
                    f"{one.name} and {other.name} are both of the same split, and hold files of "
                    "the same names",
                    [
                        Layout(
                            (f"{prefix}{{split}}/{{label}}/**",),
                            each,
                            (f"{prefix}{literal(dropped.name)}/**",),
                        )
                        for each, dropped in zip(words, (other, one), strict=True)
                    ],
                )


def inner_splits(
    sharers: list[Folder],
    strangers: list[Folder],
    kinds: dict[str, str | None],
    prefix: str,
    findings: Findings,
) -> list[str]:
    """Classes that each hold split folders."""
    names: dict[str, tuple[str, ...]] = {}
    for name, kind in kinds.items():
        if kind:
            names[kind] = (*names.get(kind, ()), name)
    _refuse_classes_below(sharers, names, prefix, findings)
    findings.leave_out(strangers, prefix, "no split folders in it, as the others have")
    if any(SplitNames({})(name) != kind for name, kind in kinds.items()):
        findings.words.update(names)
    said = ", ".join(f"{' and '.join(each)} for {kind}" for kind, each in names.items())
    findings.notes.append(f"took {said} in every class folder")
    return [f"{prefix}{{label}}/{{split}}/**"]


def _refuse_classes_below(
    sharers: list[Folder],
    names: dict[str, tuple[str, ...]],
    prefix: str,
    findings: Findings,
) -> None:
    """Refuse parts or folds that each hold splits: their names are no classes."""
    inner = [unwrapped(folder)[1].folders for folder in sharers]
    below = [each[name] for each in inner for name in names[TRAIN] if name in each]
    has_classes = len(common_names(below)) > 1 and len(sharing(below)) > 1
    if not has_classes and not numbered_alike(sharers):
        return
    if any(SplitNames({})(name) != kind for kind, each in names.items() for name in each):
        findings.words.update(names)
    layouts = [
        Layout((f"{prefix}*/{{split}}/{{label}}/**",)),
        *(
            Layout((f"{prefix}{literal(each.name)}/{{split}}/{{label}}/**",))
            for each in sharers[:1]
        ),
        Layout((f"{prefix}{{label}}/{{split}}/**",)),
    ]
    raise UndecidedError(
        f"{listed([each.name for each in sharers])} each hold splits: parts, folds, or classes?",
        layouts,
    )
