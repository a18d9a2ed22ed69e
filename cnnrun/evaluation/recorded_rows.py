"""The images that a finished run was trained, validated and tested on, as it recorded them itself.

A folder that has grown since is cut anew into splits, and an image that trained the run could then
be taken for one that it has never seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnrun.config.sections import Config
from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.images import Rows
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION, Manifest
from cnnrun.data.splits import cut_splits
from cnnrun.errors import RunError
from cnnrun.runs.data_states import ImageRecord, experiments_of, images_of
from cnnrun.runs.folder import HASHES, RunFolder
from cnnrun.runs.predictions import read_predictions
from cnnrun.wording import counted


@dataclass(frozen=True, eq=False)
class RecordedRows:
    """Rows of a manifest by what a run used them for.

    Attributes:
        validation: the rows that validated it, ascending.
        test: the rows that it was tested on, ascending.
        notes: what a person should know about them, a sentence each.
    """

    validation: Rows
    test: Rows
    notes: tuple[str, ...]


def recorded_rows(run: RunFolder, config: Config, manifest: Manifest) -> RecordedRows:
    """The rows that validated and tested a run, of those that are still as they were.

    Args:
        run: the run.
        config: its resolved config.
        manifest: the images that are there now.

    Raises:
        RunError: what the run recorded of its images is damaged, or a run of 0.1.0, which did not
            record them, had others.
        DataError: the splits of such a run cannot be cut.
    """
    recorded = images_of(run)
    if recorded is None:
        return _rows_of_0_1_0(run, config, manifest)
    (validation, one), (test, other) = (
        _rows_as_recorded(run, manifest, recorded, split) for split in (VALIDATION, TEST)
    )
    return RecordedRows(validation, test, tuple(note for note in (one, other) if note))


def training_rows(run: RunFolder, config: Config, manifest: Manifest) -> tuple[Rows, str]:
    """The rows that trained a run, of those that are still as they were; and what there is to say.

    Raises:
        RunError: see `recorded_rows`.
        DataError: see `recorded_rows`.
    """
    recorded = images_of(run)
    if recorded is not None:
        return _rows_as_recorded(run, manifest, recorded, TRAIN)
    (note,) = _rows_of_0_1_0(run, config, manifest).notes
    return cut_splits(manifest, config.data).train, note


def _rows_as_recorded(
    run: RunFolder, manifest: Manifest, recorded: Sequence[ImageRecord], split: str
) -> tuple[Rows, str]:
    """The rows of a split, ascending; and how many of its images are not what they were."""
    wanted = {each.path: each.content for each in recorded if each.split == split}
    contents = content_hashes(manifest, notes_folder=experiments_of(run) / HASHES)
    rows = [
        row
        for row, (path, content) in enumerate(zip(manifest.paths, contents, strict=True))
        if wanted.get(path) == content
    ]
    lost = len(wanted) - len(rows)
    note = f"changed or gone since the training: {counted(lost, f'{split} image')}" if lost else ""
    return np.array(rows, np.int64), note


def _rows_of_0_1_0(run: RunFolder, config: Config, manifest: Manifest) -> RecordedRows:
    splits = cut_splits(manifest, config.data)
    predicted = read_predictions(run) if run.predictions_csv.exists() else ()
    if not {each.path for each in predicted} <= {manifest.paths[row] for row in splits.test}:
        raise RunError.at(
            run.path,
            rule="a run of cnnrun 0.1.0, which did not record its images, must find them unchanged",
            received="other images: some that it was tested on are now in another split",
            advice="restore them, or train it again",
        )
    note = "the run did not record its images: its splits are cut again, as 0.1.0 cut them"
    return RecordedRows(splits.validation, splits.test, (note,))
