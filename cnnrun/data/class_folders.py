"""Folders that are classes, unless something says that they are not."""

import re
from itertools import permutations
from typing import Final

from cnnrun.config.path_patterns import literal
from cnnrun.data.flat_splits import (
    OTHERWISE,
    refuse_classes_in_names,
    refuse_classes_named_by_split,
    refuse_split_names,
    weigh_signs_of_splits,
)
from cnnrun.data.image_tree import (
    Folder,
    companion_ending,
    innermost,
    numbered_alike,
    same_stems,
    stems_beside_folders,
    stems_of,
    unwrapped,
)
from cnnrun.data.layout_choices import UndecidedError, name_layouts, without_fields
from cnnrun.data.layout_findings import Findings
from cnnrun.data.layouts import key_of
from cnnrun.data.manifest import TRAIN, Layout
from cnnrun.wording import listed

COMPARED_AT_MOST: Final = 40
ALTERED_AT_MOST: Final = 4


def as_classes(
    folder: Folder, children: list[Folder], prefix: str, findings: Findings
) -> list[str]:
    """Each folder a class, unless something says that they are not."""
    as_classes = Layout((f"{prefix}{{label}}/**",))
    if "{split}" not in prefix:
        refuse_classes_named_by_split(children, prefix)
    if not re.search(r"\{(split|group)\}", prefix):
        refuse_classes_in_names(children, prefix, findings)
    kinds = {findings.kind(child.name) for child in children} - {None}
    if "{split}" not in prefix and TRAIN in kinds and len(kinds) > 1:
        raise _splits_without_classes(children, prefix, findings)
    if "{split}" not in prefix:
        refuse_split_names(children, prefix, findings)
    if len(kinds) > 1 and all(findings.kind(child.name) for child in children):
        raise UndecidedError(
            f"{listed([child.name for child in children])} are named like splits, and none is for "
            "training",
            [Layout((f"{prefix}*/{{label}}/**",)), as_classes],
        )
    if numbered_alike(children):
        raise UndecidedError(
            f"the names of {listed([child.name for child in children])} differ only in a running "
            "number: parts, or classes?",
            [*name_layouts(children[0], prefix + "*/"), as_classes],
        )
    _refuse_lone_training(children, prefix, findings)
    _refuse_single_labels(children, prefix)
    _refuse_same_pictures(children, prefix)
    _refuse_companions(children, prefix)
    if "{split}" not in prefix:
        weigh_signs_of_splits(children, prefix, findings)
    nested = [child for child in children if not child.images and len(child.folders) > 1]
    if len(nested) == len(children) > 1:
        findings.notes.append(
            f"took {listed([child.name for child in children])} for the classes; where the folders "
            f'in them are, write data.layout: "{prefix}*/{{label}}/**"'
        )
    if len(children) == 1 and folder.images:
        raise UndecidedError(
            f"{children[0].name} is the only folder beside images", name_layouts(folder, prefix)
        )
    return [f"{prefix}{{label}}/**"]


def _splits_without_classes(
    children: list[Folder], prefix: str, findings: Findings
) -> UndecidedError:
    train = next(child for child in children if findings.kind(child.name) == TRAIN)
    chain, inner = innermost(train)
    inside = "".join(f"{literal(name)}/" for name in (train.name, *chain))
    return UndecidedError(
        f"{listed([child.name for child in children])} are named like splits, and {train.name} "
        "holds no class folders",
        [*name_layouts(inner, prefix + inside), Layout((f"{prefix}{{label}}/**",))],
        otherwise=OTHERWISE,
    )


def _refuse_lone_training(children: list[Folder], prefix: str, findings: Findings) -> None:
    """Refuse a training folder of classes beside folders that hold none."""
    deep = [child for child in children if len(unwrapped(child)[1].folders) > 1]
    if len(deep) == 1 < len(children) and findings.kind(deep[0].name) == TRAIN:
        raise UndecidedError(
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
        raise UndecidedError(
            f"{listed([child.name for child in children])} each hold one folder "
            f"({listed(sorted(set(inner)))}): patients with a label, or classes?",
            [
                Layout((f"{prefix}{{group}}/{{label}}/**",)),
                Layout((f"{prefix}*/{{label}}/**",)),
                Layout((f"{prefix}{{label}}/**",)),
            ],
        )


def _refuse_same_pictures(children: list[Folder], prefix: str) -> None:
    _refuse_altered_pictures(children, prefix)
    compared = [(child, stems_of(child.below())) for child in children[:COMPARED_AT_MOST]]
    for index, (one, stems) in enumerate(compared):
        for other, others in compared[index + 1 :]:
            if same_stems(stems, others):
                raise UndecidedError(
                    f"{one.name} and {other.name} hold files of the same names: pictures and their "
                    "masks, or variants of them?",
                    [
                        *(
                            layout
                            for each in (one, other)
                            for layout in name_layouts(each, f"{prefix}{literal(each.name)}/")
                        ),
                        Layout(
                            (f"{prefix}{{label}}/**",),
                            exclude=(f"{without_fields(prefix)}{literal(other.name)}/**",),
                        ),
                        Layout((f"{prefix}{{label}}/**",)),
                    ],
                )


def _refuse_altered_pictures(children: list[Folder], prefix: str) -> None:
    """Refuse a folder whose images are named like those beside it, with an ending: `1_flip.png`."""
    if len(children) > ALTERED_AT_MOST:
        return
    for one, other in permutations(children, 2):
        ending = companion_ending([*one.images, *other.images])
        if ending and not companion_ending(one.images) and not companion_ending(other.images):
            is_altered = sum(ending in image for image in other.images)
            if is_altered > len(other.images) / 2:
                raise UndecidedError(
                    f"{other.name} holds images that are named like those in {one.name} with "
                    f"{ending} at the end: pictures made from them?",
                    [
                        *name_layouts(one, f"{prefix}{literal(one.name)}/"),
                        Layout((f"{prefix}{{label}}/**",)),
                    ],
                    otherwise=OTHERWISE.replace("as splits", "as pictures of one kind"),
                )


def _refuse_companions(children: list[Folder], prefix: str) -> None:
    """Refuse masks beside their pictures: `1.png` and `1_mask.png`, or `1.png` and a folder `1`."""
    for child in children:
        ending = companion_ending(child.images)
        if ending:
            raise UndecidedError(
                f"{child.name} holds images that are named like another with {ending} at the end: "
                "masks?",
                [
                    Layout((f"{prefix}{{label}}/**",), exclude=(f"*{literal(ending)}*",)),
                    Layout((f"{prefix}{{label}}/**",)),
                ],
            )
        beside = stems_beside_folders(child)
        if beside:
            raise UndecidedError(
                f"{child.name} holds folders that are named like an image beside them "
                f"({listed(beside)}): parts of it?",
                [Layout((f"{prefix}{{label}}/*",)), Layout((f"{prefix}{{label}}/**",))],
            )
