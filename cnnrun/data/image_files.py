"""The image files below a folder, and what lies there beside them."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import NAMED_AT_MOST, nearest

_READABLE = ".png .jpg .jpeg .jpe .jfif .bmp .dib .gif .webp .tif .tiff .pbm .pgm .ppm .pnm"
# Pictures all the same, so they are listed: decoding then refuses each by name.
_UNREADABLE = ".heic .heif .avif .jp2 .jxl .psd .svg .eps .ico .tga .raw .dng .cr2 .cr3 .nef .arw"
IMAGE_SUFFIXES = frozenset(f"{_READABLE} {_UNREADABLE}".split())
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
# Left out without a word: what systems leave behind, and what accompanies a data set.
SYSTEM_NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"})
ACCOMPANYING_STEMS = frozenset({"readme", "license", "licence", "copying", "citation"})
_EXPECTED_BEGIN = frozenset(name[0] for name in ACCOMPANYING_STEMS)


@dataclass
class Ignored:
    """Counts of what is not an image, by kind: a suffix such as `.txt`.

    `loops` are links to a folder above them, `links` those to another folder that is read anyway.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    loops: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count a file."""
        self.kinds[os.path.splitext(name)[1].lower() or "without a suffix"] += 1

    def __str__(self) -> str:
        kinds = sorted(self.kinds.items(), key=lambda item: (-item[1], item[0]))
        shown_kinds = [f"{number:,} {kind}" for kind, number in kinds[:NAMED_AT_MOST]]
        more = len(kinds) - len(shown_kinds)
        return ", ".join(shown_kinds) + (f" and {more} more kinds" if more > 0 else "")


@dataclass(frozen=True)
class FolderListing:
    """What lies below a folder, by paths relative to it.

    Attributes:
        images: the image files, sorted.
        barren: folders without an image below them, sorted, without those inside of another.
        tables: files that may be tables of images, sorted.
        ignored: what is neither.
    """

    images: tuple[str, ...]
    barren: tuple[str, ...]
    tables: tuple[str, ...]
    ignored: Ignored


def list_folder(root: Path) -> FolderListing:
    """Everything below a folder.

    Links are followed, except those that lead into the folder itself.

    Raises:
        DataError: a folder cannot be read, or a file's name is not in UTF-8.
    """
    listing = _Listing(str(root), os.path.realpath(root), Ignored(), [], [], [])
    listing.walk("", ())
    for path in listing.images:
        _check_encoding(root, path)
    return FolderListing(
        tuple(sorted(listing.images)),
        tuple(sorted(listing.barren)),
        tuple(sorted(listing.tables)),
        listing.ignored,
    )


@dataclass
class _Listing:
    root: str
    real_root: str
    ignored: Ignored
    images: list[str]
    barren: list[str]
    tables: list[str]

    def walk(self, relative: str, above: tuple[tuple[int, int], ...]) -> bool:
        """Lists a folder, and says whether images are in it."""
        folder = f"{self.root}/{relative}"
        status = os.stat(folder)
        here = (status.st_dev, status.st_ino)
        if here in above:
            self.ignored.loops.append(relative)
            return False
        has_images, barren = False, []
        for entry in _visible(folder):
            path = f"{relative}/{entry.name}" if relative else entry.name
            if _is_folder(entry):
                if entry.is_symlink() and self._leads_inside(path, (*above, here)):
                    continue
                if self.walk(path, (*above, here)):
                    has_images = True
                else:
                    barren.append(path)
            elif _is_image(entry):
                self.images.append(path)
                has_images = True
            else:
                self.ignored.add(entry.name)
                if os.path.splitext(entry.name)[1].lower() in TABLE_SUFFIXES:
                    self.tables.append(path)
        if has_images or not relative:
            self.barren.extend(barren)
        return has_images

    def _leads_inside(self, path: str, above: tuple[tuple[int, int], ...]) -> bool:
        """Whether a link leads to a folder that is read anyway; one above it is a loop."""
        target = os.path.realpath(f"{self.root}/{path}")
        if target != self.real_root and not target.startswith(f"{self.real_root}/"):
            return False
        status = os.stat(target)
        is_loop = (status.st_dev, status.st_ino) in above
        (self.ignored.loops if is_loop else self.ignored.links).append(path)
        return True


def images_below(root: Path, relative: str, ignored: Ignored) -> Iterator[str]:
    """The paths of the image files anywhere below a folder, in no order.

    Links are followed, except one that leads back to a folder above it.

    Args:
        root: the folder that paths are relative to.
        relative: the folder to look in, relative to the root.
        ignored: where to count what is not an image.

    Raises:
        DataError: a folder cannot be read, or a file's name is not in UTF-8.
    """
    for path in _walk(str(root), relative, (), ignored):
        _check_encoding(root, path)
        yield path


def image_files(places: Sequence[Path]) -> tuple[Path, ...]:
    """The image files that places name: files as they are, and of a folder all below it, sorted.

    Raises:
        DataError: there is no such place, or a folder holds no images.
    """
    return tuple(file for place in places for file in _files_of(place))


def _files_of(place: Path) -> list[Path]:
    if not place.is_dir():
        _check_presence(place)
        return [place]
    ignored = Ignored()
    files = sorted(images_below(place, ".", ignored))
    if not files:
        raise DataError.at(
            shown(place),
            rule="must be a folder that holds images",
            received=str(ignored) or "an empty folder",
            advice="name the folder that they lie in",
        )
    return [place / file for file in files]


def _check_presence(file: Path) -> None:
    if os.path.lexists(file):
        return
    siblings = sorted(os.listdir(file.parent)) if file.parent.is_dir() else []
    of_a_url = file.parts[:1] and file.parts[0].endswith(":")  # a path has no double stroke
    raise DataError.at(
        shown(file),
        rule="must be an image or a folder of images",
        received="nothing: there is no such file",
        advice="copy the images to a disk: `extract-features --data` alone reads URLs"
        if of_a_url
        else nearest(file.name, siblings) or "correct the path",
    )


def _walk(
    root: str, relative: str, above: tuple[tuple[int, int], ...], ignored: Ignored
) -> Iterator[str]:
    folder = f"{root}/{relative}"
    status = os.stat(folder)
    here = (status.st_dev, status.st_ino)
    if here in above:
        ignored.loops.append(relative)
        return
    for entry in _visible(folder):
        path = f"{relative}/{entry.name}"
        if _is_folder(entry):
            yield from _walk(root, path, (*above, here), ignored)
        elif _is_image(entry):
            yield path
        else:
            ignored.add(entry.name)


def _visible(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds, apart from what is left out without a word."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not _is_expected(entry.name)]
    except OSError as error:
        raise DataError.at(
            shown(Path(folder)),
            rule="must be a folder that can be read",
            received=error.strerror or str(error),
            advice="change its permissions or move it elsewhere",
        ) from error


def _is_expected(name: str) -> bool:
    if name.startswith("."):
        return True
    lower = name.lower()
    stem, suffix = os.path.splitext(lower) if lower[0] in _EXPECTED_BEGIN else ("", "")
    accompanies = stem in ACCOMPANYING_STEMS and suffix not in IMAGE_SUFFIXES
    return lower in SYSTEM_NAMES or accompanies


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a link that leads round in a circle is none."""
    if entry.is_symlink():
        return os.path.isdir(entry.path)
    return entry.is_dir()


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Whether a file's name says image. A broken link counts: decoding names it."""
    _, dot, suffix = entry.name.rpartition(".")
    return dot + suffix.lower() in IMAGE_SUFFIXES and (entry.is_symlink() or entry.is_file())


def _check_encoding(root: Path, path: str) -> None:
    if path.isascii():
        return
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise DataError.at(
            shown(root),
            rule="must have file names in UTF-8",
            received=ascii(path),
            advice="rename the file",
        ) from error
