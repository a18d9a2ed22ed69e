"""Shares of `cnnrun extract-features`, and the features that they make together."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnrun.config.applications import Application
    from cnnrun.config.sections import Config
    from cnnrun.features.extraction import Extraction
    from cnnrun.features.sources import Images
    from cnnrun.runs.folder import RunFolder
    from cnnrun.runs.work_share import WorkShare


def place_of(out: Path, share: "WorkShare | None") -> Path:
    """The folder that is written to: that of a share lies in the one that is to hold all.

    Raises:
        FeaturesError: that one holds features already.
    """
    if share is None:
        return out
    from cnnrun.features.shards import refuse_merged, shard_folder

    refuse_merged(out)
    return shard_folder(out, share)


def merged(
    opened: "Config | RunFolder | Application", images: "Images | None", out: Path, *, quiet: bool
) -> "Extraction":
    """The features of all images from their shares; needs no network."""
    from cnnrun.cli.extraction_progress import extraction_progress
    from cnnrun.features.shards import merge_shards
    from cnnrun.runs.events import Note

    with extraction_progress(quiet=quiet) as listener:
        extraction = merge_shards(images or images_of_source(opened), out=out, listener=listener)
        for name, reason in extraction.skipped:
            listener(Note(f"skipped {name}: {reason}"))
    return extraction


def images_of_source(opened: "Config | RunFolder | Application") -> "Images":
    """The images of a config or run, of all its splits."""
    from cnnrun.config.sections import Config
    from cnnrun.data.sources import read_manifest
    from cnnrun.features.sources import images_of
    from cnnrun.runs.folder import RunFolder
    from cnnrun.runs.made_by import load_resolved

    if isinstance(opened, RunFolder):
        opened = load_resolved(opened)
    return images_of([read_manifest(opened.data)] if isinstance(opened, Config) else [])
