"""The folders of a list of paths, and what their names and contents have in common."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cnnrun.data.layouts import key_of
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION

# Words only name what the structure has shown: folders that split, and the one that holds pictures.
_SPLIT_TOKENS: Final = {
    TRAIN: re.compile(r"[xy]?(train|training|trn)(set|data|images|imgs|val)?"),
    VALIDATION: re.compile(r"[xy]?(val|valid|validation|dev|eval)(set|data|images|imgs)?"),
    TEST: re.compile(r"[xy]?(test|testing|tst)(set|data|images|imgs)?"),
}
_IMAGE_NAMES: Final = frozenset({"images", "image", "img", "imgs", "jpegimages"})
_CLASS_PREFIXES: Final = frozenset({"class", "cls", "label", "category", "grade", "level", "stage"})
_DATE: Final = re.compile(r"(19|20)\d\d[-_.]\d\d?([-_.]\d\d?)?|(19|20)\d{6}")
_MOST: Final = 0.8
_SOME: Final = 0.3
_FEW: Final = 3  # fewer names in common may be chance
PAIRWISE_AT_MOST: Final = 60


@dataclass(eq=False)
class Folder:
    """A folder that has images somewhere below it.

    Attributes:
        name: its name; empty for the root.
        images: the names of the images directly in it.
        folders: the folders in it, by name.
    """

    name: str
    images: list[str] = field(default_factory=list)
    folders: dict[str, "Folder"] = field(default_factory=dict)

    def below(self) -> Iterator[str]:
        """The paths of all images below it, relative to it."""
        yield from self.images
        for name, folder in self.folders.items():
            yield from (f"{name}/{path}" for path in folder.below())

    def keys(self) -> set[str]:
        """The names of the folders in it, as they are compared."""
        return {key_of(name) for name in self.folders}


def tree_of(paths: Iterable[str]) -> Folder:
    """The root folder of paths with forward slashes."""
    root = Folder("")
    known = {"": root}
    for path in paths:
        parent, _, name = path.rpartition("/")
        _folder(known, parent).images.append(name)
    return root


def _folder(known: dict[str, Folder], path: str) -> Folder:
    found = known.get(path)
    if found is None:
        parent, _, name = path.rpartition("/")
        found = known[path] = Folder(name)
        _folder(known, parent).folders[name] = found
    return found


def unwrapped(folder: Folder) -> tuple[list[str], Folder]:
    """The names of folders that only wrap others, and the first that holds more or holds images."""
    chain = []
    while len(folder.folders) == 1 and not folder.images:
        (only,) = folder.folders.values()
        if not only.folders:
            break
        chain.append(only.name)
        folder = only
    return chain, folder


def innermost(folder: Folder) -> tuple[list[str], Folder]:
    """The names of folders that hold nothing but one folder, and the first that holds more."""
    chain = []
    while len(folder.folders) == 1 and not folder.images:
        (folder,) = folder.folders.values()
        chain.append(folder.name)
    return chain, folder


@lru_cache(maxsize=4096)
def split_kind(name: str) -> str | None:
    """The split that a word of a name means, if one does: `x_train`, `TestSet`, `seg_train2`."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    for word in [*words, *re.findall(r"[^\W\d_]+", name)]:
        for split, token in _SPLIT_TOKENS.items():
            if token.fullmatch(word.casefold()):
                return split
    return None


def split_within(name: str) -> str | None:
    """The split that a part of a word means, as in `Trainingsdaten`: enough to propose, no more."""
    for split, part in (("validation", "valid"), ("train", "train"), ("test", "test")):
        if part in name.casefold():
            return split
    return None


def is_image_name(name: str) -> bool:
    """Whether a folder's name says that it holds the pictures, not what accompanies them."""
    return key_of(name) in _IMAGE_NAMES


def sharing(folders: Sequence[Folder]) -> list[Folder]:
    """The folders, unwrapped, that have most of their subfolders in common with others of them."""
    inner = [unwrapped(folder)[1].keys() for folder in folders]
    pairs = _sharing_pairs(folders, inner) if len(folders) <= PAIRWISE_AT_MOST else []
    counts = Counter(name for names in inner for name in names)
    return [
        folder
        for folder, names in zip(folders, inner, strict=True)
        if folder in pairs or sum(counts[name] > 1 for name in names) > len(names) / 2
    ]


def _sharing_pairs(folders: Sequence[Folder], inner: Sequence[set[str]]) -> list[Folder]:
    return [
        folder
        for one, folder in enumerate(folders)
        if any(_share(inner[one], names) for other, names in enumerate(inner) if other != one)
    ]


def _share(one: set[str], other: set[str]) -> bool:
    smaller, larger = sorted((len(one), len(other)))
    if smaller == 0 or (smaller == 1 and larger > 2):
        return False
    return len(one & other) > smaller / 2


def nested_copies(folders: Sequence[Folder]) -> list[Folder]:
    """Folders that hold folders of their siblings' names: the whole, unpacked once more."""
    names = {key_of(folder.name) for folder in folders}
    copies = []
    for folder in folders:
        inner, others = folder.keys(), names - {key_of(folder.name)}
        if not folder.images and len(inner) > 1 and len(inner & others) >= _MOST * len(inner):
            copies.append(folder)
    return copies if len(folders) - len(copies) > 1 else []


def numbered_alike(folders: Sequence[Folder]) -> bool:
    """Whether names differ only in a running number, as those of parts and folds do, or in a date.

    Bare numbers, single letters before them, and prefixes such as `class` are names of classes.
    """
    if len(folders) > 1 and all(_DATE.fullmatch(folder.name) for folder in folders):
        return True
    matches = [re.fullmatch(r"(.*?)(\d+)", folder.name) for folder in folders]
    found = [match for match in matches if match]
    prefixes = {match[1] for match in found}
    if len(folders) < 2 or len(found) < len(folders) or len(prefixes) > 1:
        return False
    letters = re.sub(r"[\W\d_]+", "", prefixes.pop()).casefold()
    numbers = sorted(int(match[2]) for match in found)
    is_running = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return is_running and len(letters) > 1 and letters not in _CLASS_PREFIXES


def same_pictures(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two folders hold files of the same names, so that one may be the other's masks.

    Counters that begin anew in every folder (`0.jpg`, `image_0001.jpg`) say nothing.
    """
    return same_stems(stems_of(one), stems_of(other))


def same_stems(first: set[str], second: set[str]) -> bool:
    """Whether most names in two folders are the same but for the suffix; see `stems_of`."""
    smaller, shared = min(len(first), len(second)), first & second
    if smaller < _FEW or len(shared) < _MOST * smaller:
        return False
    return not any(map(_is_counter, (first, second, shared)))


def stems_of(paths: Iterable[str]) -> set[str]:
    """The names of images without folder and suffix."""
    names = (path.rpartition("/")[2] for path in paths)
    return {name.rpartition(".")[0] or name for name in names}


def _is_counter(stems: set[str]) -> bool:
    """Whether a number in most names counts from 0 or 1 on: `7`, `image_0007`, `r_7_100`."""
    slots: dict[int, list[int]] = {}
    for stem in stems:
        for slot, digits in enumerate(re.findall(r"\d+", stem)):
            slots.setdefault(slot, []).append(int(digits))
    return any(
        len(set(numbers)) > 1
        and min(numbers) <= _FEW
        and sum(number <= _FEW * len(stems) for number in numbers) >= _MOST * len(stems)
        for numbers in slots.values()
    )


def companion_ending(images: Sequence[str]) -> str:
    """The ending of images that stand beside another of the same name: `_mask`; or nothing."""
    stems = stems_of(images)
    counts: dict[str, int] = {}
    for stem in stems:
        for match in re.finditer(r"[ _.-](?=[^\W\d_]{2,})", stem):
            if stem[: match.start()] in stems:
                ending = re.sub(r"[_-]?\d+$", "", stem[match.start() :])
                counts[ending] = counts.get(ending, 0) + 1
    ending, count = max(counts.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    alone = len(stems) - sum(counts.values())
    return ending if count >= _FEW and count >= _SOME * alone else ""


def stems_beside_folders(folder: Folder) -> list[str]:
    """The folders in a folder that are named like an image beside them."""
    stems = stems_of(folder.images)
    return [name for name in folder.folders if name in stems]


def common_names(folders: Iterable[Folder]) -> Mapping[str, str]:
    """Names that at least two of the folders have among their subfolders, by their key.

    Where that is but one name, all names: of two folders one may lack the others.
    """
    counts: Counter[str] = Counter()
    raw: dict[str, str] = {}
    for folder in folders:
        for name in unwrapped(folder)[1].folders:
            counts[key_of(name)] += 1
            raw.setdefault(key_of(name), name)
    shared = {key: raw[key] for key, count in sorted(counts.items()) if count > 1}
    return shared if len(shared) != 1 else dict(sorted(raw.items()))
