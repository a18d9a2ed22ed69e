"""From which probability on an image is said to have a label: thresholds.json of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnnrun.errors import RunError
from cnnrun.runs.files import RESTORE, read_json, write_json
from cnnrun.runs.folder import RunFolder


def write_thresholds(
    run: RunFolder, thresholds: Mapping[str, float], *, images: int, chosen: Mapping[str, Any]
) -> None:
    """Write a run's thresholds.

    Args:
        run: the run.
        thresholds: by label.
        images: how many validation images they were chosen on.
        chosen: how.

    Raises:
        StorageError: they cannot be written.
    """
    write_json(
        run.thresholds_json,
        {"thresholds": dict(thresholds), "validation_images": images, "chosen": dict(chosen)},
    )


def read_thresholds(run: RunFolder, labels: Sequence[str]) -> tuple[float, ...]:
    """The threshold of each label of a run, in their order.

    Raises:
        RunError: thresholds.json is absent or damaged.
    """
    written = read_json(run.thresholds_json)
    found = written.get("thresholds") if isinstance(written, dict) else None
    if not isinstance(found, dict) or not all(is_share(found.get(name)) for name in labels):
        raise RunError.at(
            run.thresholds_json,
            rule="must hold a number from 0 to 1 for each label",
            received="a damaged file",
            advice=RESTORE,
        )
    return tuple(float(found[name]) for name in labels)


def is_share(value: object) -> bool:
    """Whether a value of a file is a number from 0 to 1."""
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1
