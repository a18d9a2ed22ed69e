"""Predictions that several processes make, each a share of the images, as one file.

A share is every N-th batch of the images, not images by their names: the last digits of a
prediction depend on the size of its batch, and so stay those that one process comes to.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnrun.data.packed_images import ImageFile
from cnnrun.errors import InputError, RunError
from cnnrun.evaluation.prediction_file import (
    Row,
    description_of,
    read_complete,
    refuse_other_settings,
)
from cnnrun.runs.files import read_json, write_bytes, write_json
from cnnrun.runs.tables import csv_lines
from cnnrun.runs.work_share import WorkShare, shares_in
from cnnrun.shown_text import shown

_SUFFIX = ".csv"


def shards_of(path: Path) -> Path:
    """The folder of the shares of a file of predictions."""
    return path.with_name(f"{path.name}.shards")


def shard_file(path: Path, share: WorkShare) -> Path:
    """Where the predictions of a share go, of those that are to be in a file."""
    return shards_of(path) / f"{share.file_name}{_SUFFIX}"


def images_of_share(
    images: Sequence[ImageFile], share: WorkShare, *, batch_size: int
) -> list[ImageFile]:
    """The images of a share, in their order: whole batches, but for the last of all."""
    return [image for place, image in enumerate(images) if share.distance(place // batch_size) == 0]


def merge_predictions(images: Sequence[ImageFile], path: Path) -> int:
    """How many images could not be read, of a file that holds now what all shares have predicted.

    Args:
        images: all images, in the order in which one process would predict them.
        path: the file; the folder of its shares is taken away.

    Raises:
        InputError: a share is absent, incomplete, or of other images, another network or settings.
        StorageError: the file cannot be written to.
    """
    shares = shares_in(shards_of(path), suffix=_SUFFIX)
    files = [shard_file(path, share) for share in shares]
    described, size = _described(files[0])
    header: tuple[str, ...] = ()
    of_shares: list[Iterator[Row]] = []
    for share, file in zip(shares, files, strict=True):
        refuse_other_settings(file, described)
        header, rows = read_complete(file, images_of_share(images, share, batch_size=size))
        of_shares.append(iter(rows))
    ordered = [next(of_shares[place // size % len(shares)]) for place in range(len(images))]
    write_json(description_of(path), described)
    write_bytes(path, csv_lines([header, *ordered]).encode(errors="surrogateescape"))
    shutil.rmtree(shards_of(path), ignore_errors=True)
    return sum(bool(row[-2]) for row in ordered)


def _described(file: Path) -> tuple[Mapping[str, Any], int]:
    """What stands beside a file of predictions, and the size of its batches."""
    described = description_of(file)
    try:
        content = read_json(described)
    except RunError:
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("batch_size"), int):
        raise InputError.at(
            shown(described),
            rule="must say what the predictions were made with",
            received="a damaged file",
            advice="take it and its table away, and predict the share again",
        )
    return content, content["batch_size"]
