"""Writes down, beside the runs, which images a run is made with."""

from collections.abc import Sequence
from typing import Any

from blake3 import blake3

from cnnrun.assembly.preparing import Images, Prepared
from cnnrun.data.splits import Splits
from cnnrun.runs.data_states import ImageRecord, record_images
from cnnrun.runs.folder import RunFolder


def record_images_of(run: RunFolder, prepared: Prepared) -> dict[str, Any]:
    """What environment.json says of the data; every image is listed in a file that it names.

    Raises:
        StorageError: the file cannot be written.
    """
    images, splits = prepared.images, prepared.splits
    state = blake3(images.fingerprint["blake3"].encode())
    for rows in (splits.train, splits.validation, splits.test):
        state.update(rows.astype("<i8").tobytes() + b"\0")
    for group in images.manifest.groups or ():
        state.update(f"{group}\0".encode())
    return record_images(
        run,
        images.cache_folder,
        state=state.hexdigest(length=16),
        fingerprint=images.fingerprint,
        images=lambda: image_records(images, splits),
    )


def image_records(images: Images, splits: Splits | None) -> Sequence[ImageRecord]:
    """A record of every image.

    Args:
        images: the images.
        splits: which of them train, validate and test, if that is known.
    """
    manifest = images.manifest
    count = len(manifest)
    names = [""] * count if splits is None else splits.names(images=count)
    return [
        ImageRecord(path, manifest.label_text(row), split, group, content, weight)
        for row, (path, split, group, content, weight) in enumerate(
            zip(
                manifest.paths,
                names,
                manifest.groups or [""] * len(manifest),
                images.contents,
                [""] * len(manifest) if manifest.weights is None else manifest.weights.astype(str),
                strict=True,
            )
        )
    ]
