"""Files that hold many images: which of them a config names, and what is refused of all kinds."""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from shlex import quote
from typing import Final

import numpy as np
import numpy.typing as npt

from cnnrun.data.manifest import Manifest
from cnnrun.data.packed_images import Packing
from cnnrun.errors import DataError
from cnnrun.file_kinds import not_a_file
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed, nearest

GivenFiles = Path | Sequence[Path] | Mapping[str, Path]

KINDS: Final[Mapping[str, Callable[[str], object]]] = {
    "parquet": re.compile(r".*\.parquet", re.IGNORECASE).fullmatch,
    "tar": re.compile(r".*\.tar", re.IGNORECASE).fullmatch,
    # As TensorFlow's own tools write: `train-00001-of-00010`, `flowers.tfrecord-00001-of-00010`.
    "tfrecord": re.compile(
        r".*\.tfrec(ords?)?(-\d+-of-\d+)?|.*-\d{3,}-of-\d{3,}", re.IGNORECASE
    ).fullmatch,
}
"""Whether a file in a folder is such, by its name; by the key of `data`."""

_RANGE: Final = re.compile(r"\{(\d+)\.\.(\d+)\}")
_FILES_AT_MOST: Final = 1_000_000
_COMPRESSED: Final = (
    (b"\x1f\x8b\x08", "gzip", "gunzip"),
    (b"BZh[1-9]1AY&", "bzip2", "bunzip2"),
    (b"\xfd7zXZ\\x00", "xz", "unxz"),
    (rb"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
)


@dataclass(frozen=True)
class Shard:
    """A file of images, and the split that the config says it is; empty for none."""

    file: Path
    split: str


def shards_of(given: GivenFiles, *, kind: str, key: str) -> tuple[Shard, ...]:
    """The files that a config names, in the order of their names.

    Args:
        given: a file, a folder of them, or a pattern of names: `*`, `?`, and `{000..146}`; several
            of these; or one for each split.
        kind: what messages call such files, "tar".
        key: the key of `data` that names them.

    Raises:
        DataError: there is none, one is absent or not a file, or one is named twice.
    """
    entries: list[tuple[str, Path]] = []
    if isinstance(given, Mapping):
        entries += given.items()
    else:
        entries += [("", path) for path in ([given] if isinstance(given, Path) else given)]
    wanted = _Wanted(kind, key)
    found = [Shard(file, split) for split, path in entries for file in _files(path, wanted)]
    seen: set[Path] = set()
    for shard in found:
        if shard.file in seen:
            raise DataError.at(
                shown(shard.file),
                rule=f"each {kind} file must be named once",
                received="the same file twice",
                advice=f"correct data.{key}.file",
            )
        seen.add(shard.file)
        if (other := not_a_file(shard.file)) is not None:  # pipes and devices may never end
            raise _absent(shard.file, other, "", wanted)
    return tuple(found)


def refuse_compressed(file: Path, begin: bytes, *, kind: str) -> None:
    """Raise if a file is compressed: of such, no image can be read alone.

    Args:
        file: the file.
        begin: its first bytes.
        kind: what messages call such files.
    """
    for signature, name, command in _COMPRESSED:
        if re.match(signature, begin):
            given, unpacked = quote(shown(file)), quote(_unpacked(file))
            raise DataError.at(
                shown(file),
                rule=f"must be a {kind} file that is not compressed, for images are read from it in"
                " any order",
                received=f"one compressed with {name}",
                advice=f"unpack it once: {command} < {given} > {unpacked}",
            )


def _unpacked(file: Path) -> str:
    """A name for a file once it is unpacked."""
    if file.suffix in {".gz", ".bz2", ".xz", ".zst"}:
        return shown(file.with_suffix(""))
    if file.suffix in {".tgz", ".tbz", ".txz"}:
        return shown(file.with_suffix(".tar"))
    return shown(file.with_name(f"unpacked-{file.name}"))


def damaged_shard(file: Path, *, kind: str, received: str) -> DataError:
    """A file of images that ends too soon, or holds what cannot be."""
    return DataError.at(
        shown(file),
        rule=f"must be a whole {kind} file",
        received=received,
        advice="copy it again from where it came, or leave it out",
    )


def unreadable_shard(file: Path, error: OSError, *, kind: str) -> DataError:
    """A file that the system does not let be read."""
    return DataError.at(
        shown(file),
        rule=f"must be a {kind} file that can be read",
        received=error.strerror or str(error),
        advice="restore it, or its permissions",
    )


def paths_of(
    names: list[str],
    shards: Sequence[Shard],
    file_of: npt.NDArray[np.int32],
    notes: list[str],
    *,
    kind: str,
) -> list[str]:
    """Each image's path: its name, below its file's where names are not unique, which is said.

    Args:
        names: of the images, in their order.
        shards: the files.
        file_of: `(images,)`, the place in `shards` of each image's.
        notes: what is said.
        kind: what messages call such files.

    Raises:
        DataError: two images of one file have the same name.
    """
    if len(set(names)) == len(names):
        return names
    stems = [shard.file.stem for shard in shards]
    if len(set(stems)) < len(stems):
        stems = [shard.file.as_posix().lstrip("/") for shard in shards]
    paths = [f"{stems[file]}/{name}" for file, name in zip(file_of.tolist(), names, strict=True)]
    if twins := _repeated(paths):
        raise DataError.at(
            shown(shards[0].file if len(shards) == 1 else shards[0].file.parent),
            rule=f"the images of a {kind} file must have a name each",
            received=f"{listed(twins)} more than once",
            advice="name another feature that holds names, or leave out what repeats",
        )
    notes.append(
        f"several {kind} files have images of one name ({listed(_repeated(names))}):"
        f" paths begin with the {kind} file's, such as {paths[0]}"
    )
    return paths


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, number in Counter(names).items() if number > 1]


def with_packing(manifest: Manifest, paths: Sequence[str], packing: Packing) -> Manifest:
    """A manifest that knows where its images lie.

    Args:
        manifest: made of some of the images, in another order.
        paths: the path of each image in `packing`, each once.
        packing: where they lie.
    """
    place_of = {path: place for place, path in enumerate(paths)}
    rows = np.fromiter((place_of[path] for path in manifest.paths), np.int64, len(manifest))
    return replace(manifest, packing=packing.taken(rows))


@dataclass(frozen=True)
class _Wanted:
    """A kind of files: what they are called, and the key that names them."""

    kind: str
    key: str


def _files(path: Path, wanted: _Wanted) -> list[Path]:
    """The files of one entry."""
    if path.is_dir():
        found = [name for name in _names(path, wanted) if KINDS[wanted.key](name)]
        if not found:
            raise _absent(path, "a folder without files that are called so", "", wanted)
        return [path / name for name in found]
    if os.path.lexists(path):
        return [path]
    if match := _RANGE.search(path.name):
        return _numbered(path, match, wanted)
    if any(letter in path.name for letter in "*?["):
        names = [name for name in _names(path.parent, wanted) if fnmatchcase(name, path.name)]
        if not names:
            raise _absent(path, "no file with such a name", "", wanted)
        return [path.parent / name for name in names]
    siblings = _names(path.parent, wanted) if path.parent.is_dir() else []
    raise _absent(path, "nothing: there is no such file", nearest(path.name, siblings), wanted)


def _numbered(path: Path, match: re.Match[str], wanted: _Wanted) -> list[Path]:
    """The files of a range of numbers, every one of which has to be there."""
    first, last = int(match[1]), int(match[2])
    if not 0 <= last - first < _FILES_AT_MOST:
        raise _absent(path, f"the range {match[0]}", "write the lower number first", wanted)
    start, end = path.name[: match.start()], path.name[match.end() :]
    names = [f"{start}{number:0{len(match[1])}d}{end}" for number in range(first, last + 1)]
    there = set(_names(path.parent, wanted))
    missing = [name for name in names if name not in there]
    if missing:
        received = f"{counted(len(missing), 'file')} of {len(names):,} missing: {listed(missing)}"
        raise _absent(path, received, "correct the range, or restore them", wanted)
    return [path.parent / name for name in names]


def _names(folder: Path, wanted: _Wanted) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise _absent(folder, error.strerror or str(error), "", wanted) from error


def _absent(path: Path, received: str, advice: str, wanted: _Wanted) -> DataError:
    return DataError.at(
        shown(path),
        rule=f"must be a {wanted.kind} file, a folder of such, or a pattern of their names",
        received=received,
        advice=advice or f"correct data.{wanted.key}.file",
    )
