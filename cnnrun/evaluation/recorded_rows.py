"""The images that a finished run was trained, validated and tested on, as it recorded them itself.

A folder that has grown since is cut anew into splits, and an image that trained the run could then
be taken for one that it has never seen.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cnnrun.config.sections import Config
from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.manifest import Manifest
from cnnrun.data.splits import Splits, cut_splits
from cnnrun.errors import RunError
from cnnrun.runs.data_states import SPLITS, experiments_of, images_of
from cnnrun.runs.folder import HASHES, RunFolder
from cnnrun.runs.predictions import read_predictions
from cnnrun.wording import counted


@dataclass(frozen=True, eq=False)
class RecordedRows:
    """Rows of a manifest by what a run used them for.

    Attributes:
        splits: the rows that trained it, validated it, and that it was tested on.
        was_recorded: whether the run wrote this down, as it does since 0.2.0.
        lost: how many images of a split have changed or are gone.
    """

    splits: Splits
    was_recorded: bool
    lost: Mapping[str, int]

    def notes(self, *splits: str) -> tuple[str, ...]:
        """What a person should know about the rows of these splits, a sentence each."""
        if not self.was_recorded:
            return (_CUT_AGAIN,)
        return tuple(
            f"changed or gone since the training: {counted(self.lost[split], f'{split} image')}"
            for split in splits
            if self.lost[split]
        )


_CUT_AGAIN: Final = "the run did not record its images: its splits are cut again, as 0.1.0 cut them"


def recorded_rows(run: RunFolder, config: Config, manifest: Manifest) -> RecordedRows:
    """The rows that trained, validated and tested a run, of those that are still as they were.

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
    of = {each.path: (each.split, each.content) for each in recorded}
    contents = content_hashes(manifest, notes_folder=experiments_of(run) / HASHES)
    rows: dict[str, list[int]] = {split: [] for split in SPLITS}
    for row, (path, content) in enumerate(zip(manifest.paths, contents, strict=True)):
        split, then = of.get(path, ("", ""))
        if split in rows and content == then:
            rows[split].append(row)
    had = Counter(split for split, _ in of.values())
    splits = Splits(*(np.array(rows[split], np.int64) for split in SPLITS))
    lost = {split: had[split] - len(rows[split]) for split in SPLITS}
    return RecordedRows(splits, was_recorded=True, lost=lost)


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
    return RecordedRows(splits, was_recorded=False, lost={})
