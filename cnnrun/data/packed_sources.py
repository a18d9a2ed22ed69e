"""What a place holds whose files hold many images each, as a config's `data` section says it."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import ParquetSource, TarSource, TfrecordSource
from cnnrun.data.image_files import IMAGE_SUFFIXES
from cnnrun.data.image_tree import split_kind
from cnnrun.data.packed_images import ImageFile
from cnnrun.data.parquet_file import parquet_images
from cnnrun.data.shards import KINDS
from cnnrun.data.tar_files import tar_images
from cnnrun.data.tfrecord_files import tfrecord_images


def packed_source_at(place: Path) -> DataSpec | None:
    """The source that a file, a folder of such files or a pattern of their names is; or None.

    Files of a folder that are named after splits, `train-000.tar` beside `val-000.tar`, are these.
    """
    if not place.is_dir():
        return next(
            (_spec(key, place) for key, is_one in KINDS.items() if is_one(place.name)), None
        )
    try:
        entries = [entry for entry in os.scandir(place) if not entry.name.startswith(".")]
    except OSError:
        return None
    if any(entry.is_dir() for entry in entries):
        return None
    are_images = any(Path(entry.name).suffix.lower() in IMAGE_SUFFIXES for entry in entries)
    for key, is_one in KINDS.items():
        names = sorted(entry.name for entry in entries if is_one(entry.name))
        if names and (key == "parquet" or not are_images):
            return _spec(key, _by_split(place, names))
    return None


def _spec(key: str, files: Path | Mapping[str, Path]) -> DataSpec:
    if key == "parquet":
        return DataSpec(parquet=ParquetSource(file=files))
    if key == "tar":
        return DataSpec(tar=TarSource(file=files))
    return DataSpec(tfrecord=TfrecordSource(file=files))


def _by_split(folder: Path, names: list[str]) -> Path | Mapping[str, Path]:
    """The folder, or patterns of the files of each split where all names say one."""
    starts: dict[str, set[str]] = defaultdict(set)
    for name in names:
        split = split_kind(Path(name).stem)
        if split is None:
            return folder
        starts[split].add(name)
    patterns = {split: _pattern(each) for split, each in starts.items()}
    covered = [sum(Path(name).match(pattern) for pattern in patterns.values()) for name in names]
    if len(starts) < 2 or any(number != 1 for number in covered):
        return folder
    return {split: folder / pattern for split, pattern in patterns.items()}


def _pattern(names: set[str]) -> str:
    """A pattern of some names: what they begin with, and their ending."""
    if len(names) == 1:
        return next(iter(names))
    first, last = min(names), max(names)
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    alike = "".join(letter for letter, _ in pairs)
    end = first[first.rindex("-of-") :] if "-of-" in first else os.path.splitext(first)[1]
    return f"{alike.rstrip('0123456789')}*{end}"


def packed_images(source: DataSpec, notes: list[str]) -> Sequence[ImageFile]:
    """The images of a source, whatever their labels; what there is to say goes to `notes`.

    Raises:
        DataError: it cannot be read, or holds none.
    """
    if source.parquet is not None:
        return parquet_images(source.parquet)
    if source.tfrecord is not None:
        return tfrecord_images(source.tfrecord)
    if source.tar is None:
        raise ValueError("no source whose files hold many images")
    return tar_images(source.tar, notes)
