"""The images that a run was made with: `experiments/data/<state>.csv.gz`, a line an image.

Runs on the same images and splits share a file. It is written once, and named in environment.json.
A run whose folder was named with `--into` has the file in a folder `data` of its own.
"""

import csv
import gzip
import os
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cnnrun.errors import RunError
from cnnrun.file_kinds import is_file
from cnnrun.runs.files import read_json, storage_errors, write_bytes
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.tables import csv_table, read_csv_table

SPLITS: Final = ("train", "validation", "test")
_DATA: Final = "data"
COLUMNS: Final = ("path", "class", "split", "group", "content_hash")
_WEIGHT: Final = "weight"  # a further column, where images have one
_LISTED_IN: Final = "listed_in"
_NAME: Final = re.compile(r"[0-9a-f]{32}\.csv\.gz")
_LARGEST: Final = 2**30


@dataclass(frozen=True)
class ImageRecord:
    """An image as a run found it.

    Attributes:
        path: relative to the folder of the images, or its place in an array.
        label: the name of its class.
        split: one of `SPLITS`; empty for one that was left out.
        group: its group; empty where there are none.
        content: the hash of its file or pixels; empty for a file that cannot be read.
        weight: how much it counts in the training loss; empty where all count alike.
    """

    path: str
    label: str
    split: str
    group: str
    content: str
    weight: str = ""


def record_images(
    run: RunFolder,
    experiments: Path,
    *,
    state: str,
    fingerprint: dict[str, Any],
    images: Callable[[], Sequence[ImageRecord]],
) -> dict[str, Any]:
    """What environment.json says of the data; the images are listed unless they were before.

    Args:
        run: the run.
        experiments: where runs share what they can: above the folder of the config's runs, or
            beside a run whose folder was named.
        state: a hash of the images, their classes, splits and groups.
        fingerprint: what tells the images and classes from others.
        images: makes the records, in the order of the manifest.

    Raises:
        StorageError: the file cannot be written.
    """
    is_named = experiments == run.path.parent  # there, `data` may be somebody's images
    file = (run.path if is_named else experiments) / _DATA / f"{state}.csv.gz"
    if not file.exists():
        records = images()
        columns = (*COLUMNS, _WEIGHT) if any(each.weight for each in records) else COLUMNS
        text = csv_table(columns, (_cells(each)[: len(columns)] for each in records))
        with storage_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, gzip.compress(text.encode(errors="surrogateescape"), mtime=0))
    return {**fingerprint, _LISTED_IN: Path(os.path.relpath(file, run.path)).as_posix()}


def _cells(image: ImageRecord) -> tuple[str, ...]:
    """What `dataclasses.astuple` gives, which copies every text and takes ten times as long."""
    return (image.path, image.label, image.split, image.group, image.content, image.weight)


def images_of(run: RunFolder) -> tuple[ImageRecord, ...] | None:
    """The images that a run was made with, or None where that was not recorded.

    Raises:
        RunError: the file is missing or damaged.
    """
    named = recorded_data(run).get(_LISTED_IN)
    if not isinstance(named, str):
        return None
    file = run.path / named
    try:
        text = _read(file)
        header, *rows = read_csv_table(text)
        if tuple(header) not in (COLUMNS, (*COLUMNS, _WEIGHT)):
            raise ValueError(f"it has the columns {', '.join(header)}")
        return tuple(ImageRecord(*row) for row in rows)
    except (OSError, EOFError, zlib.error, csv.Error, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise RunError.at(
            file,
            rule=f"must list the images of the run {run.path}",
            received=f"a file that cannot be read: {reason}",
            advice="restore it",
        ) from error


def _read(file: Path) -> str:
    """The text of such a file, and of no other that a foreign run might name."""
    if not _NAME.fullmatch(file.name) or not is_file(file):
        raise ValueError("there is no such file")
    with gzip.open(file) as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("it is larger than a gigabyte")
    return content.decode(errors="surrogateescape")


def named_data_file(run: RunFolder) -> Path | None:
    """The file that lists the images of a run, if the run names one."""
    try:
        named = recorded_data(run).get(_LISTED_IN)
    except RunError:
        return None
    return run.path / named if isinstance(named, str) else None


def data_files(experiments: Path) -> list[Path]:
    """The lists of images that runs below a folder share."""
    return [file for file in (experiments / _DATA).glob("*.csv.gz") if _NAME.fullmatch(file.name)]


def recorded_data(run: RunFolder) -> dict[str, Any]:
    """What environment.json says of the data.

    Raises:
        RunError: it is missing or damaged.
    """
    environment = read_json(run.environment_json)
    data = environment.get("data") if isinstance(environment, dict) else None
    return data if isinstance(data, dict) else {}


def fingerprint_in(data: dict[str, Any]) -> str | None:
    """The fingerprint that environment.json has; of a run of 0.1.0 by its own rule, and marked."""
    if isinstance(data.get("blake3"), str):
        return str(data["blake3"])
    return f"{data['blake2b']} (of cnnrun 0.1.0)" if isinstance(data.get("blake2b"), str) else None


def experiments_of(run: RunFolder) -> Path:
    """Where a run shares with others what it can; see `record_images`.

    Raises:
        RunError: environment.json is missing or damaged.
    """
    is_named = str(recorded_data(run).get(_LISTED_IN)).startswith(f"{_DATA}/")
    return run.path.parent if is_named else run.path.parents[1]


def experiments_of_unbegun(run: RunFolder, *, name: str) -> Path:
    """The experiments folder around a run that may lack environment.json, by its config's name."""
    return run.path.parents[1] if run.path.parent.name == name else run.path.parent


def changes_between(before: Sequence[ImageRecord], after: Sequence[ImageRecord]) -> list[str]:
    """What became of the images from one state of the data to another, a line a kind."""
    old, new = ({image.path: image for image in images} for images in (before, after))
    both = old.keys() & new.keys()
    kinds = {
        "added": new.keys() - old.keys(),
        "gone": old.keys() - new.keys(),
        "changed": {path for path in both if old[path].content != new[path].content},
        "of another class": {path for path in both if old[path].label != new[path].label},
        "of another weight": {path for path in both if old[path].weight != new[path].weight},
    }
    lines = [_counted(paths, "image", "images", kind) for kind, paths in kinds.items() if paths]
    labels, earlier = ({image.label for image in images} for images in (after, before))
    for kind, names in (("added", labels - earlier), ("gone", earlier - labels)):
        lines += [_counted(names, "class", "classes", kind)] if names else []
    return lines


def _counted(names: set[str], one: str, several: str, kind: str) -> str:
    named = f"{len(names):,} {one if len(names) == 1 else several} {kind}: {min(names)}"
    return named + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")
