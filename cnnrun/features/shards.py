"""Features that several processes compute, each a share of the images, and what they make together.

An image's share follows from its name alone. A share's features are a folder of features like any
other, in `shards` below the folder that is to hold them all; merged, they are what one process
makes, row for row.
"""

import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from cnnrun.errors import FeaturesError
from cnnrun.features.description import (
    Described,
    difference,
    read_description,
    refuse_other_extraction,
    write_description,
)
from cnnrun.features.extraction import Extraction, outcome_of, refuse_nothing
from cnnrun.features.folder import (
    FeatureFolder,
    ManifestRow,
    hold_folder,
    read_manifest_rows,
    refuse_used_folder,
)
from cnnrun.features.sources import Images, ListedImage
from cnnrun.features.writer import FeatureWriter, open_writer
from cnnrun.runs.disk_room import require_room
from cnnrun.runs.events import ExtractionBegins, ExtractionListener, ImagesExtracted, Note
from cnnrun.runs.work_share import SHARDS_FOLDER, WorkShare, share_of, shares_found, shares_in
from cnnrun.wording import counted

_AT_ONCE_BYTES: Final = 16 * 2**20


@dataclass(frozen=True)
class _Shard:
    """A share of the features, whole.

    Attributes:
        share: which one.
        folder: where they are.
        described: its features.json.
        rows: its manifest, by the name of the image.
        skipped: the images that could not be read, with the reasons.
    """

    share: WorkShare
    folder: FeatureFolder
    described: Described
    rows: Mapping[str, ManifestRow]
    skipped: Mapping[str, str]


def shard_folder(out: Path, share: WorkShare) -> Path:
    """Where the features of a share go, of those that are to be in the folder `out`."""
    return out / SHARDS_FOLDER / share.file_name


def divisions_of(place: Path) -> list[int]:
    """Into how many shares features are divided, by the folders of shares that lie in a place."""
    return sorted({each.total for each in shares_found(place, suffix="")})


def images_of_share(images: Images, share: WorkShare) -> Images:
    """The images of a share, in their order."""
    return replace(
        images, listed=tuple(image for image in images.listed if share.holds(image.name))
    )


def merge_shards(images: Images, *, out: Path, listener: ExtractionListener) -> Extraction:
    """The features of all images in `out`, from those of their shares, which are taken away then.

    A merge that was cut short is gone on with by another.

    Args:
        images: all images, as one process would be given them.
        out: the folder.
        listener: who listens.

    Raises:
        InputError: a share is absent.
        FeaturesError: one is incomplete, of another network, or lacks an image; or another process
            works on it.
        DataError: no image could be read.
        StorageError: the disk is full or fails.
    """
    began = time.monotonic()
    folder = FeatureFolder(out)
    with _held_shards(out) as shards, hold_folder(folder, resume=True, beside=(SHARDS_FOLDER,)):
        described = _common(shards)
        refuse_other_extraction(folder, described)
        found, skipped = _found(images.listed, shards)
        shapes = {each["name"]: tuple(each["shape"]) for each in described["layers"]}
        _say_room(folder, shapes, images=len(found), listener=listener)
        write_description(folder, described, complete=False)
        current = {name: (image.label, row.content) for name, (image, row, _) in found.items()}
        with open_writer(folder, shapes, current=current) as writer:
            done = {row.file for row in writer.rows}
            listener(ExtractionBegins(images=len(found), finished=len(done)))
            pending = [each for name, each in found.items() if name not in done]
            _copy(pending, tuple(shapes), writer, listener)
            writer.finish()
            refuse_nothing(writer, skipped)
        extraction = Extraction(
            folder=folder,
            rows=tuple(writer.rows),
            shapes=shapes,
            computed=0,
            skipped=tuple(skipped),
            errors=_largest_errors(shards),
            seconds=time.monotonic() - began,
        )
        write_description(folder, described, complete=True, **outcome_of(extraction))
    shutil.rmtree(out / SHARDS_FOLDER, ignore_errors=True)
    return extraction


def refuse_merged(out: Path) -> None:
    """Raise where a folder that a share is to be part of holds features already.

    Raises:
        FeaturesError: it does.
    """
    refuse_used_folder(FeatureFolder(out), resume=False, beside=(SHARDS_FOLDER,))


@contextmanager
def _held_shards(out: Path) -> Iterator[list[_Shard]]:
    """Within the block no other process works on the shares, which are all there."""
    with ExitStack() as stack:
        shards = []
        for share in shares_in(out / SHARDS_FOLDER, suffix=""):
            folder = FeatureFolder(shard_folder(out, share))
            stack.enter_context(hold_folder(folder, resume=True))
            shards.append(_opened(share, folder))
        yield shards


def _opened(share: WorkShare, folder: FeatureFolder) -> _Shard:
    described = read_description(folder)
    if not described.get("complete"):
        raise FeaturesError.at(
            folder.path,
            rule="a share must be complete before it is merged",
            received=f"share {share}, which was cut short",
            advice=f"go on with `--shard {share} --resume`",
        )
    rows = {row.file: row for row in read_manifest_rows(folder)}
    skipped = {each["file"]: each["reason"] for each in described["skipped"]}
    return _Shard(share, folder, described, rows, skipped)


def _common(shards: Sequence[_Shard]) -> Described:
    """What made the features of all shares, as features.json has it."""
    first, *others = shards
    for other in others:
        differs = difference(first.described, other.described)
        if differs is not None:
            words, then, now = differs
            raise FeaturesError.at(
                other.folder.path,
                rule=f"shares must be of one network and one setting, here of {words} {then}",
                received=now,
                advice="take it away, and compute it as the others were",
            )
    more = {"packages", "complete", "images", "skipped", "bfloat16_relative_error", "seconds"}
    return {key: value for key, value in first.described.items() if key not in more}


_Found = tuple[ListedImage, ManifestRow, _Shard]


def _found(
    images: Sequence[ListedImage], shards: Sequence[_Shard]
) -> tuple[dict[str, _Found], list[tuple[str, str]]]:
    """Where the features of each image are, and those that could not be read, in their order."""
    found: dict[str, _Found] = {}
    skipped = []
    for image in images:
        shard = shards[share_of(image.name, total=len(shards)) - 1]
        if image.name in shard.rows:
            found[image.name] = image, shard.rows[image.name], shard
        elif image.name in shard.skipped:
            skipped.append((image.name, shard.skipped[image.name]))
        else:
            raise FeaturesError.at(
                shard.folder.manifest_csv,
                rule="must list all images of its share",
                received=f"a list without {image.name}",
                advice=f"go on with `--shard {shard.share} --resume`, and give the same --data",
            )
    return found, skipped


def _say_room(
    folder: FeatureFolder,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    images: int,
    listener: ExtractionListener,
) -> None:
    an_image = sum(4 * math.prod(shape) for shape in shapes.values())
    what = f"the features of {counted(images, 'image')}, beside those of their shares,"
    if note := require_room(folder.path, images * an_image, what=what):
        listener(Note(note))


def _copy(
    pending: Sequence[_Found],
    layers: Sequence[str],
    writer: FeatureWriter,
    listener: ExtractionListener,
) -> None:
    """Write rows of the shares in the order of the images."""
    arrays: dict[WorkShare, list[Any]] = {}
    for _, _, shard in pending:
        if shard.share not in arrays:
            arrays[shard.share] = [
                np.load(shard.folder.array(layer), mmap_mode="r") for layer in layers
            ]
    an_image = sum(array[0].nbytes for array in next(iter(arrays.values()), []))
    step = max(1, _AT_ONCE_BYTES // max(1, an_image))
    for start in range(0, len(pending), step):
        part = pending[start : start + step]
        features = [
            np.stack([arrays[shard.share][layer][row.row] for _, row, shard in part])
            for layer in range(len(layers))
        ]
        writer.add([(image.name, image.label, row.content) for image, row, _ in part], features)
        listener(ImagesExtracted(len(part)))


def _largest_errors(shards: Sequence[_Shard]) -> dict[str, float]:
    errors: dict[str, float] = {}
    for shard in shards:
        for layer, error in (shard.described["bfloat16_relative_error"] or {}).items():
            errors[layer] = max(error, errors.get(layer, 0.0))
    return errors
