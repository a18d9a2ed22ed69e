"""The earlier run of a config that one on other images can be held against, image by image."""

import os
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.errors import RunError
from cnnrun.runs.data_states import fingerprint_in, recorded_data
from cnnrun.runs.differences import comparable_config
from cnnrun.runs.folder import RunFolder, looks_like_run
from cnnrun.runs.predictions import by_content

# What a config leaves to the images: what they are, their classes, and steps by their number.
_OF_THE_IMAGES: Final = {"data": ("fingerprint", "classes"), "train": ("steps_per_execution",)}
_FEWEST_IMAGES: Final = 2  # as `compare` wants them


@dataclass(frozen=True)
class EarlierRun:
    """A finished run of the same config on other images, and the test images that both have."""

    run: RunFolder
    images: int


def earlier_run_on_other_images(run: RunFolder) -> EarlierRun | None:
    """The newest finished run beside a run that differs in its images alone, or in its seed too.

    Only what runs wrote down is read, no image.

    Raises:
        RunError: the run itself cannot be read.
    """
    if not run.predictions_csv.exists() or not (tested := by_content(run)):
        return None
    fingerprint = fingerprint_in(recorded_data(run))
    config = _without_images(comparable_config(run))
    for other in _finished_beside(run):
        try:
            if fingerprint_in(recorded_data(other)) in (None, fingerprint):
                continue
            if _without_images(comparable_config(other)) != config:
                continue
            theirs = by_content(other) or {}
        except RunError:  # damaged: there may be others
            continue
        common = [
            image
            for image in tested.keys() & theirs.keys()
            if tested[image].label == theirs[image].label
        ]
        if len(common) >= _FEWEST_IMAGES:
            return EarlierRun(other, len(common))
    return None


def _finished_beside(run: RunFolder) -> list[RunFolder]:
    """The runs in the same folder that have a result and predictions, the newest first."""
    try:
        names = sorted({*os.listdir(run.path.parent)} - {run.path.name})
    except OSError:  # a folder that may be entered, and not listed
        return []
    beside = [RunFolder(run.path.parent / name) for name in names]
    finished = [
        each
        for each in beside
        if looks_like_run(each.path) and each.result_json.exists() and each.predictions_csv.exists()
    ]
    return sorted(finished, key=lambda each: each.result_json.stat().st_mtime_ns, reverse=True)


def _without_images(config: dict[str, Any]) -> dict[str, Any]:
    """The config without what follows from the images."""
    return {
        section: {
            key: value
            for key, value in values.items()
            if key not in _OF_THE_IMAGES.get(section, ())
        }
        if isinstance(values, dict)
        else values
        for section, values in config.items()
    }
