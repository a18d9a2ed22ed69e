"""`cnnrun extract-features --executor ray`: shares of the images on the machines of a cluster."""

import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnrun.cli.feature_shards import place_of
from cnnrun.cli.workers import ExecutorName, refuse_address_alone
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from cnnrun.config.applications import Application
    from cnnrun.config.sections import Config
    from cnnrun.features.extraction import Extraction
    from cnnrun.features.sources import Images
    from cnnrun.runs.events import ExtractionListener
    from cnnrun.runs.folder import RunFolder


def refuse_unfit_executor(
    executor: ExecutorName, address: str | None, *, shard: str | None, merge: bool
) -> None:
    """Refuses an address without Ray, and shares that are given by hand beside it.

    Raises:
        InputError: they do not go together.
    """
    refuse_address_alone(executor, address)
    given = "--shard" if shard is not None else "--merge" if merge else None
    if executor is ExecutorName.RAY and given is not None:
        raise InputError.at(
            "--executor ray",
            rule="makes shares of the images and merges them itself",
            received=f"{given} as well",
            advice=f"leave {given} out, or --executor",
        )


def extracted_on_ray(
    opened: "Config | RunFolder | Application",
    images: "Images",
    *,
    data: tuple[Path, ...],
    out: Path,
    address: str | None,
    resume: bool,
    quiet: bool,
    **asked: Any,
) -> "Extraction":
    """The features of all images, computed in shares and merged.

    Args:
        opened: what SOURCE names.
        images: all of them.
        data: where they are; none for its own.
        out: the folder that is to hold the features.
        address: of the cluster; None for one of this machine.
        resume: whether shares that are there are gone on with.
        quiet: whether nothing is said on the way.
        asked: the other options, by their names in `WantedFeatures`.
    """
    from cnnrun.ablation.execution.share_schedule import extract_on_ray, hash_of_names
    from cnnrun.ablation.execution.tasks import WantedFeatures
    from cnnrun.cli.extraction_progress import extraction_progress
    from cnnrun.cli.show import input_of
    from cnnrun.config.sections import Config
    from cnnrun.features.shards import merge_shards
    from cnnrun.runs.environment import installed_packages
    from cnnrun.runs.events import Note
    from cnnrun.runs.work_share import WorkShare

    began = time.monotonic()
    place_of(out, WorkShare(1, 1))  # refuses what holds features already
    shape, classes = input_of(opened.data) if isinstance(opened, Config) else (None, 0)
    wanted = WantedFeatures(
        opened=opened,
        input_shape=shape,
        classes=classes,
        data=data,
        images=len(images.listed),
        names=hash_of_names(images),
        out=out.absolute(),
        folder=Path.cwd(),
        versions=installed_packages(),
        **asked,
    )
    # A scheduler's polite end is treated as Ctrl-C is: what was finished is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with extraction_progress(quiet=quiet) as listener:
        for note in images.notes:
            listener(Note(note))
        before = extract_on_ray(wanted, images, address=address, resume=resume, listener=listener)
        began_to_merge = time.monotonic()
        merged = merge_shards(images, out=out, listener=_notes_alone(listener))
        for name, reason in merged.skipped:
            listener(Note(f"skipped {name}: {reason}"))
    seconds = merged.seconds + began_to_merge - began
    return replace(merged, computed=max(0, len(merged.rows) - before), seconds=seconds)


def _notes_alone(listener: "ExtractionListener") -> "ExtractionListener":
    """What merging says, without how many images there are, which was said before."""
    from cnnrun.runs.events import Note

    return lambda event: listener(event) if isinstance(event, Note) else None
