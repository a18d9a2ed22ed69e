"""Shares of `cnnrun predict --csv`, and the file that they make together."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnrun.cli.work_shares import refuse_unfit_shards, work_share
from cnnrun.errors import InputError
from cnnrun.runs.work_share import WorkShare

if TYPE_CHECKING:
    from cnnrun.data.packed_images import ImageFile


def share_of_file(csv_file: Path | None, *, shard: str | None, merge: bool) -> WorkShare | None:
    """The share that is predicted; None where it is all.

    Raises:
        InputError: there is no file for it, or a share is to be merged at once.
    """
    refuse_unfit_shards(shard, merge=merge, whole={})
    if csv_file is None and (shard is not None or merge):
        raise InputError.at(
            "--shard" if shard is not None else "--merge",
            rule="goes with --csv, beside whose file the shares are kept",
            received="no --csv",
            advice="add `--csv FILE`, the same for all shares",
        )
    return None if shard is None else work_share(shard, option="--shard")


def place_of(csv_file: Path | None, share: WorkShare | None) -> Path | None:
    """The file that is written to: that of a share lies in a folder beside the one of all.

    Raises:
        InputError: that one is there already.
        StorageError: the folder cannot be made.
    """
    if csv_file is None or share is None:
        return csv_file
    from cnnrun.evaluation.prediction_file import refuse_used_file
    from cnnrun.evaluation.prediction_shards import shard_file
    from cnnrun.runs.files import storage_errors

    refuse_used_file(csv_file, resume=False)
    file = shard_file(csv_file, share)
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    return file


def names_of(
    images: "tuple[ImageFile, ...]", share: WorkShare | None, *, batch_size: int
) -> "tuple[ImageFile, ...]":
    """The images of a share; all where there is none."""
    if share is None:
        return images
    from cnnrun.evaluation.prediction_shards import images_of_share

    return tuple(images_of_share(images, share, batch_size=batch_size))


def tell_merged(images: "tuple[ImageFile, ...]", csv_file: Path) -> None:
    """Makes a file of the predictions of its shares, and prints what there is."""
    from cnnrun.cli.output import print_text
    from cnnrun.evaluation.prediction_shards import merge_predictions
    from cnnrun.wording import counted

    skipped = merge_predictions(images, csv_file)
    left_out = f", {skipped:,} of them skipped" if skipped else ""
    print_text(f"{counted(len(images), 'image')}{left_out} -> {csv_file}")
