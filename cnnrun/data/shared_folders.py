"""What folders can mean that hold the same classes: splits, patients, parts, variants, classes."""

from cnnrun.config.path_patterns import literal
from cnnrun.data.image_tree import Folder, innermost, same_pictures, split_within, unwrapped
from cnnrun.data.layout_choices import CHOICES_AT_MOST, UndecidedError, without_fields
from cnnrun.data.layouts import SPLIT_WORDS
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION, Layout
from cnnrun.data.split_words import meant_split
from cnnrun.wording import listed


def same_subfolders(
    sharers: list[Folder], strangers: list[Folder], common: list[str], prefix: str
) -> UndecidedError:
    """Which meanings folders with the same subfolders can have."""
    reason = f"{_names(sharers)} hold the same subfolders ({listed(common)})"
    chain, _ = unwrapped(sharers[0])
    inside = f"{'*/' * len(chain)}{{label}}/**"
    if not _are_variants(sharers):
        return _undecided(reason, sharers, strangers, prefix, inside)
    by_class = Layout((f"{prefix}{{label}}/**",))
    each = [
        Layout((f"{prefix}{literal(child.name)}/{inside}",))
        for child in sharers[: CHOICES_AT_MOST - 1]
    ]
    return UndecidedError(
        f"{reason} with files of the same names: variants of one picture?", [*each, by_class]
    )


def same_classes_in_names(
    sharers: list[Folder], strangers: list[Folder], labels: list[str], prefix: str, name: str
) -> UndecidedError:
    """Which meanings folders can have whose files' names carry the same classes.

    Args:
        sharers: the folders.
        strangers: those beside them.
        labels: the classes in the names.
        prefix: what a pattern of the folders begins with.
        name: the pattern that reads the class off a file's name.
    """
    reason = f"the names of images in {_names(sharers)} begin or end alike ({listed(labels)})"
    chain, _ = innermost(sharers[0])
    return _undecided(reason, sharers, strangers, prefix, f"{'*/' * len(chain)}{name}")


def _undecided(
    reason: str, sharers: list[Folder], strangers: list[Folder], prefix: str, inside: str
) -> UndecidedError:
    exclude = tuple(f"{without_fields(prefix)}{literal(child.name)}/**" for child in strangers)
    group = Layout((f"{prefix}{{group}}/{inside}",), exclude=exclude)
    parts = Layout((f"{prefix}*/{inside}",), exclude=exclude)
    layouts = [group, parts, Layout((f"{prefix}{{label}}/**",))]
    if "{split}" in prefix or len(sharers) > 3:
        return UndecidedError(f"{reason}: patients, folds, parts, or classes?", layouts)
    words = words_by_name_and_size(sharers)
    splits = Layout((f"{prefix}{{split}}/{inside}",), words, exclude)
    return UndecidedError(f"{reason}: splits, patients, parts, or classes?", [splits, *layouts])


def words_by_name_and_size(folders: list[Folder]) -> dict[str, tuple[str, ...]]:
    """Two or three folders as splits: what their names may mean, else the largest for training."""
    free = [TRAIN, *([TEST] if len(folders) == 2 else [VALIDATION, TEST])]
    words: dict[str, tuple[str, ...]] = {}
    unnamed = []
    for child in folders:
        kind = split_within(child.name) or meant_split(child.name)
        if kind in free:
            free.remove(kind)
            words[kind] = (child.name,)
        else:
            unnamed.append(child)
    unnamed.sort(key=lambda child: -sum(1 for _ in child.below()))
    words |= {split: (child.name,) for split, child in zip(free, unnamed, strict=True)}
    return {split: words[split] for split in SPLIT_WORDS if split in words}


def _are_variants(sharers: list[Folder]) -> bool:
    first, second = (unwrapped(child)[1].folders for child in sharers[:2])
    both = [name for name in first if name in second]
    return bool(both) and all(
        same_pictures(first[name].below(), second[name].below()) for name in both
    )


def _names(folders: list[Folder]) -> str:
    return listed([folder.name for folder in folders])
