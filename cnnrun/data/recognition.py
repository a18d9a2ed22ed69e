"""What a folder means, by its structure: which level of it is the class, which the split.

Words only name what the structure has shown. What is not certain is not decided: the answer is then
a choice of layouts, each of them tried. Splits are read in split_folders.py, classes in
class_folders.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cnnrun.config.path_patterns import literal
from cnnrun.data.class_folders import as_classes
from cnnrun.data.flat_splits import layouts_of_names
from cnnrun.data.image_tree import (
    Folder,
    common_names,
    innermost,
    is_image_name,
    nested_copies,
    sharing,
    tree_of,
    unwrapped,
)
from cnnrun.data.layout_choices import (
    Undecided,
    UndecidedError,
    name_layouts,
    try_layouts,
)
from cnnrun.data.layout_findings import Findings
from cnnrun.data.manifest import TRAIN, Layout
from cnnrun.data.shared_folders import same_subfolders
from cnnrun.data.split_folders import as_splits, inner_splits, read_splits
from cnnrun.wording import listed


@dataclass(frozen=True)
class Recognized:
    """The layout of a folder, and what to say of it, a sentence each."""

    layout: Layout
    notes: tuple[str, ...] = ()


def recognize(
    paths: Sequence[str], *, words: Mapping[str, tuple[str, ...]] | None = None
) -> Recognized | Undecided:
    """What the folders of some images mean.

    Args:
        paths: the images' paths below a folder, with forward slashes.
        words: what split folders are called, where that is known; see `Layout.words`.
    """
    findings = Findings(words or {})
    try:
        patterns = _read(tree_of(paths), "", findings)
    except UndecidedError as error:
        layouts = [_with_findings(layout, findings) for layout in error.layouts]
        return Undecided(error.reason, try_layouts(paths, layouts), error.otherwise)
    layout = Layout(
        tuple(patterns), dict(findings.given) or findings.words, tuple(findings.exclude)
    )
    return Recognized(layout, tuple(findings.notes))


def _with_findings(layout: Layout, findings: Findings) -> Layout:
    """A choice, with the words and exclusions that were certain before it."""
    if layout.words or "{split}" not in layout.patterns[0]:
        return layout
    words = dict(findings.given) or findings.words
    return replace(layout, words=words, exclude=(*findings.exclude, *layout.exclude))


def _read(folder: Folder, prefix: str, findings: Findings) -> list[str]:
    """The patterns of a folder's images, each begun with what stands for the folders above it."""
    above = prefix
    while len(folder.folders) == 1 and not folder.images:
        (only,) = folder.folders.values()
        if "{split}" not in prefix and findings.kind(only.name) == TRAIN and len(only.folders) > 1:
            return read_splits([only], prefix, findings, read=_read)
        above, prefix, folder = prefix, f"{prefix}{literal(only.name)}/", only
    children = list(folder.folders.values())
    if not children:
        layouts = layouts_of_names(folder, prefix)
        if above != prefix and not layouts:
            return [f"{above}{{label}}/**"]
        raise UndecidedError(
            "all images lie in one folder, so that no folder can be their class", layouts
        )
    copies = nested_copies(children)
    findings.leave_out(copies, prefix, "the same folders once more")
    children = [child for child in children if all(child is not copy for copy in copies)]
    readings = (
        partial(as_splits, read=_read),
        _as_shared_subfolders,
        _as_images_and_companions,
    )
    for reading in readings:
        patterns = reading(children, prefix, findings)
        if patterns is not None:
            return patterns
    return as_classes(folder, children, prefix, findings)


def _as_shared_subfolders(
    children: list[Folder], prefix: str, findings: Findings
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
        return inner_splits(sharers, strangers, kinds, prefix, findings)
    if len(pictures) == 1:
        others = sorted(set(common.values()) - set(pictures))
        findings.notes.append(f"took {pictures[0]} in every class, and left out {listed(others)}")
        inner = f"{prefix}{{label}}/{literal(pictures[0])}/**"
        return [inner, *([f"{prefix}{{label}}/*"] if any(c.images for c in strangers) else [])]
    raise same_subfolders(sharers, strangers, list(common.values()), prefix)


def _as_images_and_companions(
    children: list[Folder], prefix: str, findings: Findings
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
    raise UndecidedError(
        f"{only.name} and {listed([child.name for child in rest])} look like pictures and what "
        "belongs to them, not like classes",
        [*name_layouts(folder, inside + above), Layout((f"{prefix}{{label}}/**",))],
    )
