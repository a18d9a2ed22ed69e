"""The images among which those are looked for that excite a channel: the training's, or others."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.image_stores import open_rows
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.manifest import TRAIN
from cnnrun.data.packed_images import ImageFile
from cnnrun.data.sources import read_manifest
from cnnrun.errors import DataError
from cnnrun.evaluation.finished_runs import open_config
from cnnrun.evaluation.prediction import Classifier, Skipped
from cnnrun.evaluation.recorded_rows import recorded_rows
from cnnrun.runs.folder import RunFolder
from cnnrun.wording import counted

MOST_TRAINING_IMAGES: Final = 1000


@dataclass(frozen=True, eq=False)
class SearchedImages:
    """The images to look through.

    Attributes:
        names: what they are called.
        read: from some of their numbers to pixels `(images, height, width, channels)`.
        described: what a sentence calls them, such as "1,000 of 2,000 training images".
        skipped: those that cannot be read.
        notes: what a user would hardly expect.
    """

    names: tuple[str, ...]
    read: Callable[[Sequence[int]], NDArray[Any]]
    described: str
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def training_images(run: RunFolder) -> SearchedImages:
    """The images that a run was trained on, or a thousand of them, spread over all.

    Raises:
        RunError: what it recorded of them is damaged, or they are not there any more.
        DataError: they cannot be read.
    """
    config = open_config(run)
    manifest = read_manifest(config.data)
    recorded = recorded_rows(run, config, manifest)
    rows = recorded.splits.train
    if not len(rows):
        raise DataError.at(
            run.path,
            rule="the images that trained a run must be there to be searched",
            received="none that is as it was",
            advice="name others to search: `cnnrun explain RUN FOLDER --what filters`",
        )
    count = min(len(rows), MOST_TRAINING_IMAGES)
    chosen = np.unique(rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)])
    store = open_rows(config.data, manifest, chosen, cache_folder=Path(tempfile.gettempdir()))
    chosen = np.intersect1d(chosen, store.rows)
    of_all = f"{len(chosen):,} of {len(rows):,}" if len(chosen) < len(rows) else f"{len(rows):,}"
    return SearchedImages(
        names=tuple(manifest.paths[row] for row in chosen),
        read=lambda numbers: store.read(chosen[list(numbers)]),
        described=f"{of_all} training images",
        skipped=tuple(Skipped(Path(path), reason) for path, reason in store.skipped),
        notes=recorded.notes(TRAIN),
    )


def given_searched_images(
    classifier: Classifier, images: Sequence[ImageFile], *, skip: bool
) -> SearchedImages:
    """The images that a user names, of which those that cannot be read end the work or are skipped.

    Raises:
        DataError: one cannot be read, and is not to be skipped; or none can.
    """
    readable, skipped = [], []
    for image in images:
        try:
            classifier.decode(image)
        except BadImageError as error:
            if not skip:
                raise error.advising("`--on-bad-image skip` leaves such images out") from error
            skipped.append(Skipped(image, error.reason))
        else:
            readable.append(image)
    if not readable:
        raise DataError.at(
            "",
            rule="there must be an image that can be decoded whole",
            received=f"{counted(len(images), 'image')} that cannot",
            advice="leave `--on-bad-image skip` out to read what is wrong with them",
        )
    return SearchedImages(
        names=tuple(map(str, readable)),
        read=lambda numbers: np.stack([classifier.decode(readable[each]) for each in numbers]),
        described=counted(len(readable), "image"),
        skipped=tuple(skipped),
        notes=(),
    )
