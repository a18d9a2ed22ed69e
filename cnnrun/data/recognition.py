"""What a folder means, by its structure: which level of it is the class, which the split.

Words only name what the structure has shown. What is not certain is not decided: the answer is then
a choice of layouts, each of them tried.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Final

from cnnrun.config.path_patterns import PatternError, literal
from cnnrun.data.image_tree import (
    Folder,
    common_names,
    companion_ending,
    innermost,
    is_image_name,
    nested_copies,
    numbered_alike,
    same_pictures,
    sharing,
    split_kind,
    split_within,
    stems_beside_folders,
    tree_of,
    unwrapped,
)
from cnnrun.data.layouts import SPLIT_WORDS, Placement, SplitNames, key_of, place_images
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION, Layout
from cnnrun.data.refusal import counted, listed

CHOICES_AT_MOST: Final = 4
COMPARED_AT_MOST: Final = 40
# Split folders of these names go without saying.
PLAIN_WORDS: Final = frozenset({"train", "validation", "valid", "val", "test"})
_NAMES: Final = (
    "{label}.[0-9]*",
    "{label}_[0-9]*",
    "{label}-[0-9]*",
    "{label} ([0-9]*",
    "{label}[0-9]*",
    "*[0-9]_{label}.*",
)


@dataclass(frozen=True)
class Recognized:
    """The layout of a folder, and what to say of it, a sentence each."""

    layout: Layout
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A layout that a folder could have, as lines of `data`, and what it would make of it."""

    lines: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Undecided:
    """Why a folder's meaning is not certain, and what it could be."""

    reason: str
    choices: tuple[Choice, ...]


class _UndecidedError(Exception):
    def __init__(self, reason: str, layouts: Iterable[Layout]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.layouts = tuple(layouts)


@dataclass
class _Findings:
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
        if folders:
            place = re.sub(r"\{\w+\}", "*", prefix)
            self.exclude += [f"{place}{literal(folder.name)}/**" for folder in folders]
            self.notes.append(f"left out {listed([each.name for each in folders])}: {reason}")


def recognize(
    paths: Sequence[str], *, words: Mapping[str, tuple[str, ...]] | None = None
) -> Recognized | Undecided:
    """What the folders of some images mean.

    Args:
        paths: the images' paths below a folder, with forward slashes.
        words: what split folders are called, where that is known; see `Layout.words`.
    """
    findings = _Findings(words or {})
    try:
        patterns = _read(tree_of(paths), "", findings)
    except _UndecidedError as error:
        layouts = [_with_findings(layout, findings) for layout in error.layouts]
        return Undecided(error.reason, try_layouts(paths, layouts))
    layout = Layout(
        tuple(patterns), dict(findings.given) or findings.words, tuple(findings.exclude)
    )
    return Recognized(layout, tuple(findings.notes))


def _with_findings(layout: Layout, findings: _Findings) -> Layout:
    """A choice, with the words and exclusions that were certain before it."""
    if layout.words or "{split}" not in layout.patterns[0]:
        return layout
    words = dict(findings.given) or findings.words
    return replace(layout, words=words, exclude=(*findings.exclude, *layout.exclude))


def try_layouts(paths: Sequence[str], layouts: Iterable[Layout]) -> tuple[Choice, ...]:
    """The layouts that give at least two classes, with what each would mean; four at most."""
    choices: list[Choice] = []
    for layout in layouts:
        try:
            placement = place_images(paths, layout)
        except PatternError:
            continue
        if len({image.label for image in placement.images}) > 1:
            choice = Choice(layout_lines(layout), _meaning(placement))
            if all(choice.lines != other.lines for other in choices):
                choices.append(choice)
    return tuple(choices[:CHOICES_AT_MOST])


def layout_lines(layout: Layout) -> tuple[str, ...]:
    """A layout as the lines of a config's `data` section."""
    patterns = [_quoted(pattern) for pattern in layout.patterns]
    lines = [f"layout: {patterns[0] if len(patterns) == 1 else '[' + ', '.join(patterns) + ']'}"]
    if layout.words:
        words = (f"{split}: {_words(names)}" for split, names in layout.words.items())
        lines.append(f"split: {{{', '.join(words)}}}")
    if layout.exclude:
        lines.append(f"exclude: [{', '.join(map(_quoted, layout.exclude))}]")
    return tuple(lines)


def _words(names: Sequence[str]) -> str:
    quoted = [_quoted(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"


def _quoted(text: str) -> str:
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


def _read(folder: Folder, prefix: str, findings: _Findings) -> list[str]:
    """The patterns of a folder's images, each begun with what stands for the folders above it."""
    above = prefix
    while len(folder.folders) == 1 and not folder.images:
        (only,) = folder.folders.values()
        if "{split}" not in prefix and findings.kind(only.name) == TRAIN and len(only.folders) > 1:
            return _read_splits([only], prefix, findings)
        above, prefix, folder = prefix, f"{prefix}{literal(only.name)}/", only
    children = list(folder.folders.values())
    if not children:
        layouts = _name_layouts(folder, prefix)
        if above != prefix and not layouts:
            return [f"{above}{{label}}/**"]
        raise _UndecidedError(
            "all images lie in one folder, so that no folder can be their class", layouts
        )
    copies = nested_copies(children)
    findings.leave_out(copies, prefix, "the same folders once more")
    children = [child for child in children if all(child is not copy for copy in copies)]
    readings: tuple[Callable[[list[Folder], str, _Findings], list[str] | None], ...] = (
        _as_splits,
        _as_shared_subfolders,
        _as_images_and_companions,
    )
    for reading in readings:
        patterns = reading(children, prefix, findings)
        if patterns is not None:
            return patterns
    return _as_classes(folder, children, prefix, findings)


def _as_splits(children: list[Folder], prefix: str, findings: _Findings) -> list[str] | None:
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
    return _read_splits([*train, *sound], prefix, findings)


def _read_splits(splits: list[Folder], prefix: str, findings: _Findings) -> list[str]:
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
    patterns = _read(inner, begin + above, findings)
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


def _refuse_twin_splits(splits: list[Folder], prefix: str, findings: _Findings) -> None:
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
                raise _UndecidedError(
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


def _as_shared_subfolders(
    children: list[Folder], prefix: str, findings: _Findings
) -> list[str] | None:
    """Folders that mostly hold the same subfolders: one of the two levels is not the class."""
    sharers = sharing(children)
    common = common_names(sharers)
    if len(sharers) < 2 or 2 * len(sharers) < len(children) or len(common) < 2:
        return None
    outer = [child for child in sharers if is_image_name(child.name)]
    if len(outer) == 1:
        rest = [child for child in children if child is not outer[0]]
        findings.leave_out(rest, prefix, f"beside the pictures in {outer[0].name}")
        return _read(outer[0], f"{prefix}{literal(outer[0].name)}/", findings)
    strangers = [child for child in children if child not in sharers]
    pictures = [name for name in common.values() if is_image_name(name)]
    kinds = {name: findings.kind(name) for name in common.values()}
    found = set(kinds.values()) - {None}
    if TRAIN in found and len(found) > 1 and "{split}" not in prefix:
        return _inner_splits(sharers, strangers, kinds, prefix, findings)
    if len(pictures) == 1:
        others = sorted(set(common.values()) - set(pictures))
        findings.notes.append(f"took {pictures[0]} in every class, and left out {listed(others)}")
        inner = f"{prefix}{{label}}/{literal(pictures[0])}/**"
        return [inner, *([f"{prefix}{{label}}/*"] if any(c.images for c in strangers) else [])]
    raise _shared(sharers, strangers, list(common.values()), prefix)


def _inner_splits(
    sharers: list[Folder],
    strangers: list[Folder],
    kinds: dict[str, str | None],
    prefix: str,
    findings: _Findings,
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
    findings: _Findings,
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
    raise _UndecidedError(
        f"{listed([each.name for each in sharers])} each hold splits: parts, folds, or classes?",
        layouts,
    )


def _shared(
    sharers: list[Folder], strangers: list[Folder], common: list[str], prefix: str
) -> _UndecidedError:
    """Which meanings folders with the same subfolders can have."""
    names = listed([child.name for child in sharers])
    reason = f"{names} hold the same subfolders ({listed(common)})"
    chain, _ = unwrapped(sharers[0])
    above = "*/" * len(chain)
    exclude = tuple(f"{_plain(prefix)}{literal(child.name)}/**" for child in strangers)
    by_class = Layout((f"{prefix}{{label}}/**",), exclude=())
    if _are_variants(sharers):
        each = [
            Layout((f"{prefix}{literal(child.name)}/{above}{{label}}/**",))
            for child in sharers[: CHOICES_AT_MOST - 1]
        ]
        return _UndecidedError(
            f"{reason} with files of the same names: variants of one picture?", [*each, by_class]
        )
    group = Layout((f"{prefix}{{group}}/{above}{{label}}/**",), exclude=exclude)
    parts = Layout((f"{prefix}*/{above}{{label}}/**",), exclude=exclude)
    if "{split}" in prefix or len(sharers) > 3:
        layouts = [group, parts, by_class]
        question = "patients, folds, parts, or classes?"
    else:
        splits = _by_name_and_size(sharers, f"{prefix}{{split}}/{above}", exclude)
        layouts = [splits, group, parts, by_class]
        question = "splits, patients, parts, or classes?"
    return _UndecidedError(f"{reason}: {question}", layouts)


def _by_name_and_size(sharers: list[Folder], prefix: str, exclude: tuple[str, ...]) -> Layout:
    """The folders as splits: what a part of a name says, and else the largest for training."""
    free = [TRAIN, *([TEST] if len(sharers) == 2 else [VALIDATION, TEST])]
    words: dict[str, tuple[str, ...]] = {}
    unnamed = []
    for child in sharers:
        kind = split_within(child.name)
        if kind in free:
            free.remove(kind)
            words[kind] = (child.name,)
        else:
            unnamed.append(child)
    unnamed.sort(key=lambda child: -sum(1 for _ in child.below()))
    words |= {split: (child.name,) for split, child in zip(free, unnamed, strict=True)}
    in_order = {split: words[split] for split in SPLIT_WORDS if split in words}
    return Layout((f"{prefix}{{label}}/**",), in_order, exclude)


def _are_variants(sharers: list[Folder]) -> bool:
    first, second = (unwrapped(child)[1].folders for child in sharers[:2])
    both = [name for name in first if name in second]
    return bool(both) and all(
        same_pictures(first[name].below(), second[name].below()) for name in both
    )


def _as_images_and_companions(
    children: list[Folder], prefix: str, findings: _Findings
) -> list[str] | None:
    """One folder of pictures, and beside it what belongs to them: masks, annotations."""
    pictures = [child for child in children if is_image_name(child.name)]
    if len(pictures) != 1 or len(children) < 2:
        return None
    (only,) = pictures
    rest = [child for child in children if child is not only]
    inside = f"{prefix}{literal(only.name)}/"
    if len(unwrapped(only)[1].folders) > 1:
        findings.leave_out(rest, prefix, f"beside the pictures in {only.name}")
        return _read(only, inside, findings)
    chain, folder = innermost(only)
    above = "".join(f"{literal(name)}/" for name in chain)
    raise _UndecidedError(
        f"{only.name} and {listed([child.name for child in rest])} look like pictures and what "
        "belongs to them, not like classes",
        [*_name_layouts(folder, inside + above), Layout((f"{prefix}{{label}}/**",))],
    )


def _as_classes(
    folder: Folder, children: list[Folder], prefix: str, findings: _Findings
) -> list[str]:
    """Each folder a class, unless something says that they are not."""
    as_classes = Layout((f"{prefix}{{label}}/**",))
    kinds = {findings.kind(child.name) for child in children} - {None}
    if "{split}" not in prefix and TRAIN in kinds and len(kinds) > 1:
        raise _splits_without_classes(children, prefix, findings)
    if len(kinds) > 1 and all(findings.kind(child.name) for child in children):
        raise _UndecidedError(
            f"{listed([child.name for child in children])} are named like splits, and none is for "
            "training",
            [Layout((f"{prefix}*/{{label}}/**",)), as_classes],
        )
    if numbered_alike(children):
        raise _UndecidedError(
            f"the names of {listed([child.name for child in children])} differ only in a running "
            "number: parts, or classes?",
            [*_name_layouts(children[0], prefix + "*/"), as_classes],
        )
    _refuse_lone_training(children, prefix, findings)
    _refuse_single_labels(children, prefix)
    _refuse_same_pictures(children, prefix)
    _refuse_companions(children, prefix)
    nested = [child for child in children if not child.images and len(child.folders) > 1]
    if len(nested) == len(children) > 1:
        findings.notes.append(
            f"took {listed([child.name for child in children])} for the classes; where the folders "
            f'in them are, write data.layout: "{prefix}*/{{label}}/**"'
        )
    if len(children) == 1 and folder.images:
        raise _UndecidedError(
            f"{children[0].name} is the only folder beside images", _name_layouts(folder, prefix)
        )
    return [f"{prefix}{{label}}/**"]


def _splits_without_classes(
    children: list[Folder], prefix: str, findings: _Findings
) -> _UndecidedError:
    train = next(child for child in children if findings.kind(child.name) == TRAIN)
    chain, inner = innermost(train)
    inside = "".join(f"{literal(name)}/" for name in (train.name, *chain))
    return _UndecidedError(
        f"{listed([child.name for child in children])} are named like splits, and {train.name} "
        "holds no class folders",
        [*_name_layouts(inner, prefix + inside), Layout((f"{prefix}{{label}}/**",))],
    )


def _refuse_lone_training(children: list[Folder], prefix: str, findings: _Findings) -> None:
    """Refuse a training folder of classes beside folders that hold none."""
    deep = [child for child in children if len(unwrapped(child)[1].folders) > 1]
    if len(deep) == 1 < len(children) and findings.kind(deep[0].name) == TRAIN:
        raise _UndecidedError(
            f"{deep[0].name} alone holds folders: is it the training images, or a class?",
            [
                Layout((f"{prefix}{literal(deep[0].name)}/{{label}}/**",)),
                Layout((f"{prefix}{{label}}/**",)),
            ],
        )


def _refuse_single_labels(children: list[Folder], prefix: str) -> None:
    """Refuse folders that each hold one folder, some of the same name: patients with a label."""
    inner = [name for child in children for name in child.folders]
    is_single = all(len(child.folders) == 1 and not child.images for child in children)
    if is_single and 1 < len({key_of(name) for name in inner}) < len(children):
        raise _UndecidedError(
            f"{listed([child.name for child in children])} each hold one folder "
            f"({listed(sorted(set(inner)))}): patients with a label, or classes?",
            [
                Layout((f"{prefix}{{group}}/{{label}}/**",)),
                Layout((f"{prefix}*/{{label}}/**",)),
                Layout((f"{prefix}{{label}}/**",)),
            ],
        )


def _refuse_same_pictures(children: list[Folder], prefix: str) -> None:
    compared = children[:COMPARED_AT_MOST]
    for index, one in enumerate(compared):
        for other in compared[index + 1 :]:
            if same_pictures(one.below(), other.below()):
                raise _UndecidedError(
                    f"{one.name} and {other.name} hold files of the same names: pictures and their "
                    "masks, or variants of them?",
                    [
                        *(
                            layout
                            for each in (one, other)
                            for layout in _name_layouts(each, f"{prefix}{literal(each.name)}/")
                        ),
                        Layout(
                            (f"{prefix}{{label}}/**",),
                            exclude=(f"{_plain(prefix)}{literal(other.name)}/**",),
                        ),
                        Layout((f"{prefix}{{label}}/**",)),
                    ],
                )


def _refuse_companions(children: list[Folder], prefix: str) -> None:
    """Refuse masks beside their pictures: `1.png` and `1_mask.png`, or `1.png` and a folder `1`."""
    for child in children:
        ending = companion_ending(child.images)
        if ending:
            raise _UndecidedError(
                f"{child.name} holds images that are named like another with {ending} at the end: "
                "masks?",
                [
                    Layout((f"{prefix}{{label}}/**",), exclude=(f"*{literal(ending)}*",)),
                    Layout((f"{prefix}{{label}}/**",)),
                ],
            )
        beside = stems_beside_folders(child)
        if beside:
            raise _UndecidedError(
                f"{child.name} holds folders that are named like an image beside them "
                f"({listed(beside)}): parts of it?",
                [Layout((f"{prefix}{{label}}/*",)), Layout((f"{prefix}{{label}}/**",))],
            )


def _name_layouts(folder: Folder, prefix: str) -> list[Layout]:
    """The patterns that would find classes in the names of a folder's images."""
    layouts = []
    for name in _NAMES:
        try:
            placement = place_images(folder.images, Layout((name,)))
        except PatternError:
            continue
        classes = {key_of(image.label) for image in placement.images}
        covers = len(placement.images) >= 0.8 * len(folder.images)
        if covers and 1 < len(classes) <= len(folder.images) / 2:
            layouts.append(Layout((prefix + name,)))
    return layouts[:1]


def _plain(prefix: str) -> str:
    """A pattern's beginning without fields, as `exclude` needs it."""
    return re.sub(r"\{\w+\}", "*", prefix)
