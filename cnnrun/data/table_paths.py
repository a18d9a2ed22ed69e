"""From what a table says of its images to the files that are meant."""

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cnnrun.config.path_patterns import PathPattern, PatternError, parse_pattern
from cnnrun.data.layouts import key_of
from cnnrun.data.manifest import composed
from cnnrun.data.tables import TableRow
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import NAMED_AT_MOST, counted, listed


def path_columns(path: str) -> tuple[str, ...]:
    """The columns that make a path: of a pattern its fields, else the column of that name."""
    if is_in_order(path):
        return ()
    return parse_pattern(path, fields=None).fields if "{" in path else (path,)


def is_in_order(path: str) -> bool:
    """Whether a table names no images, its lines being those of a pattern in their order."""
    return "{" not in path and "*" in path


def paths_in_order(
    rows: Sequence[TableRow], *, path: str, root: Path, images: Sequence[str], says: list[str]
) -> list[str]:
    """The path of each row's image: the images that a pattern covers, in the order of their names.

    Args:
        rows: the rows, in the order of the file.
        path: the pattern, such as `val/*`.
        root: the folder that paths are relative to.
        images: those below it.
        says: gets a sentence of what was taken for what.

    Raises:
        DataError: there are not as many images as rows, or their names have no certain order.
    """
    pattern = parse_pattern(path, fields=())
    found = sorted(image for image in images if pattern.read(composed(image)) is not None)
    place = rows[0].place.rpartition(":")[0]
    if len(found) != len(rows):
        raise DataError.at(
            place,
            rule=f"must have a line for each image that data.csv.path, {path}, covers below "
            f"{shown(root)}",
            received=f"{counted(len(rows), 'line')} for {counted(len(found), 'image')}",
            advice="correct the pattern, or write a table of two columns that names the images",
        )
    counting = sorted(found, key=_by_number)
    if counting != found:
        index = next(index for index, each in enumerate(found) if each != counting[index])
        raise DataError.at(
            place,
            rule="must belong to images whose names have one order, as those that are filled up "
            "with zeros have",
            received=f"line {rows[index].line}, which is {found[index]} by letters and "
            f"{counting[index]} by numbers",
            advice="write a table of two columns that names the images",
        )
    says.append(
        f"the lines of {place} belong to images in the order of their names: line {rows[0].line} "
        f"to {found[0]}, line {rows[-1].line} to {found[-1]}"
    )
    return found


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    """What sorts names as a person counts: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def paths_of_rows(
    rows: Sequence[TableRow],
    *,
    path: str,
    root: Path,
    images: Callable[[], Sequence[str]],
    says: list[str],
) -> list[str]:
    """The path of each row's image, relative to `root` where it lies below it.

    A path that leads nowhere is looked up among the images: by the composed form of its name, a
    missing suffix, without regard to case, or where a folder has moved. That counts only if every
    such row finds exactly one image.

    Args:
        rows: the rows.
        path: the column of paths, or a pattern of columns.
        root: the folder that paths are relative to.
        images: lists the images below it.
        says: gets a sentence of what was looked up.

    Raises:
        DataError: an image is not there, or a row has several.
    """
    if "{" not in path:
        written = [_normal(row.values[path]) for row in rows]
        return _located(rows, written, root=root, images=images, says=says)
    pattern = parse_pattern(path, fields=None)
    if not pattern.has_wildcards:
        written = [_normal(pattern.fill(row.values)) for row in rows]
        return _located(rows, written, root=root, images=images, says=says)
    return _matched(rows, pattern, root, images())


def identities(paths: Sequence[str]) -> list[str]:
    """Paths as image ids are made of them: absolute ones without the folder that all lie in."""
    absolute = [path for path in paths if path.startswith("/")]
    if not absolute:
        return list(paths)
    common = posixpath.commonpath([posixpath.dirname(path) for path in absolute])
    return [posixpath.relpath(path, common) if path.startswith("/") else path for path in paths]


def _normal(path: str) -> str:
    # A path is hashed as it is written on every system.
    return posixpath.normpath(path.replace(os.sep, "/")) if path else ""


def _located(
    rows: Sequence[TableRow],
    written: Sequence[str],
    *,
    root: Path,
    images: Callable[[], Sequence[str]],
    says: list[str],
) -> list[str]:
    above = f"{root.resolve().as_posix().rstrip('/')}/"
    paths = [each.removeprefix(above) if each.startswith("/") else each for each in written]
    missing = [index for index, each in enumerate(paths) if not _is_file(root / each)]
    if not missing:
        return paths
    names = ImageNames(images())
    found = [names.find(paths[index]) for index in missing]
    lost = [index for index, each in zip(missing, found, strict=True) if each is None]
    if lost:
        raise _missing_files(rows, [(index, paths[index]) for index in lost], root)
    for index, each in zip(missing, found, strict=True):
        paths[index] = each or ""
    example = missing[0]
    says.append(
        f"looked up {counted(len(missing), 'image')} by name: {written[example]} is "
        f"{paths[example]}, and so on"
    )
    return paths


def _is_file(path: Path) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)


class ImageNames:
    """Images, to be found by what a table calls them."""

    def __init__(self, images: Iterable[str]) -> None:
        self._by_name: dict[str, list[tuple[list[str], str]]] = defaultdict(list)
        self.number = 0
        for image in images:
            self.number += 1
            parts = key_of(image).split("/")
            stem = os.path.splitext(parts[-1])[0]
            for name in {parts[-1], stem}:
                self._by_name[name].append((parts[:-1], image))

    def find(self, wanted: str) -> str | None:
        """The one image that a path which leads nowhere must mean, or None.

        The names agree, with or without the suffix, whatever their case; and of the folders before
        them all that one of the two names, or at least the last.
        """
        parts = key_of(wanted.replace("\\", "/")).split("/")
        parts = [part for part in parts if part not in ("", ".")]
        if not parts:
            return None
        *folders, name = parts
        candidates = self._by_name.get(name) or self._by_name.get(os.path.splitext(name)[0], [])
        fitting = []
        for above, image in candidates:
            least = min(len(above), len(folders))
            shared = 0
            while shared < least and above[-1 - shared] == folders[-1 - shared]:
                shared += 1
            if shared == least or shared > 0:
                fitting.append((shared, image))
        best = max((shared for shared, _ in fitting), default=0)
        images = [image for shared, image in fitting if shared == best]
        return images[0] if len(images) == 1 else None


def _missing_files(
    rows: Sequence[TableRow], missing: Sequence[tuple[int, str]], root: Path
) -> DataError:
    first = [f"{path} (line {rows[index].line})" for index, path in missing[:NAMED_AT_MOST]]
    more = [""] * (len(missing) - len(first))
    place = rows[missing[0][0]].place.rpartition(":")[0]
    backslashes = any("\\" in path for _, path in missing)
    advice = "correct the paths or move the CSV file, or say where the images lie with a pattern of"
    return DataError.at(
        place,
        rule=f"must name images that exist; paths are relative to {_relative_to(place, root)}",
        received=f"{counted(len(missing), 'path')} without a file: {listed([*first, *more])}",
        advice="write paths with forward slashes"
        if backslashes
        else f'{advice} columns, data.csv.path: "images/{{id}}.jpg"',
    )


def _relative_to(place: str, root: Path) -> str:
    return "its folder" if Path(place).parent == Path(shown(root)) else shown(root)


def _matched(
    rows: Sequence[TableRow], pattern: PathPattern, root: Path, images: Sequence[str]
) -> list[str]:
    """The image of each row by a pattern with wildcards, which has to cover exactly one."""
    by_values: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for image in images:
        try:
            values = pattern.read(composed(image))
        except PatternError as error:
            raise DataError.at(
                "data.csv.path",
                rule="must read every path in one way",
                received=str(error),
                advice="say in the pattern what stands around the columns",
            ) from error
        if values is not None:
            by_values[tuple(values[name] for name in pattern.fields)].append(image)
    paths, lost = [], []
    for row in rows:
        key = tuple(composed(row.values[name]) for name in pattern.fields)
        found = by_values.get(key, [])
        if len(found) != 1:
            lost.append(f"{', '.join(key)} (line {row.line}): {listed(found) or 'none'}")
        else:
            paths.append(found[0])
    if lost:
        raise DataError.at(
            rows[0].place.rpartition(":")[0],
            rule=f"must name images of which data.csv.path, {pattern.text}, covers exactly one "
            f"each, below {shown(root)}",
            received=f"{counted(len(lost), 'row')} with another number: {listed(lost)}",
            advice="correct the pattern",
        )
    return paths
