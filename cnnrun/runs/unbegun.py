"""Runs of which not one epoch is on the disk: whoever wants their folder begins anew in it."""

import os
import shutil
from pathlib import Path
from typing import Final

from cnnrun.errors import RunError
from cnnrun.runs.diagnostics import DIAGNOSTICS_FILE
from cnnrun.runs.files import PARTIAL_PREFIX, read_lines, storage_errors
from cnnrun.runs.folder import RunFolder, busy, is_held

_FIRST: Final = frozenset(
    {
        ".lock",
        "checkpoints",
        "classes.json",
        "config.yaml",
        "data",
        DIAGNOSTICS_FILE,
        "environment.json",
        "log.txt",
        "metrics.jsonl",
        "plots",
        "resolved.yaml",
        "state.json",
    }
)
"""What a run may have before its first epoch is done."""


def is_unbegun(path: Path) -> bool:
    """Whether a folder is empty, or a run's that ended before its first epoch was on the disk."""
    try:
        names = set(os.listdir(path))
    except OSError:
        return False
    if not names:
        return True
    # The lock is a run's first file: a folder without it is somebody's who keeps a config there.
    if ".lock" not in names or not names <= {*_FIRST, *filter(_is_partial, names)}:
        return False
    run = RunFolder(path)
    return not _entries(run.checkpoints) and not _entries(run.plots) and not _has_epochs(run)


def refuse_used_place(path: Path) -> None:
    """Raise unless a run can begin at `path`: nothing is there, or nothing of a run's epochs.

    Raises:
        RunError: there is something at `path` already, or a process that is about to begin.
    """
    if is_unbegun(path):
        if is_held(RunFolder(path)):
            raise busy(RunFolder(path))
        return
    if os.path.isdir(path):
        raise _used(path)
    if os.path.lexists(path):
        raise RunError.at(
            path,
            rule="a run needs a folder of its own",
            received="a file",
            advice="name another folder",
        )


def create_run_into(path: Path) -> RunFolder:
    """A run folder at `path`, where a run can begin; `clear_unbegun` then empties it.

    Raises:
        RunError: there is something at `path` already.
        StorageError: the folder cannot be created.
    """
    refuse_used_place(path)
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return RunFolder(path)


def clear_unbegun(run: RunFolder) -> None:
    """Take away what a process left that ended before its first epoch.

    Args:
        run: a run that this process holds.

    Raises:
        RunError: another process has come further meanwhile.
        StorageError: it cannot be taken away.
    """
    if not is_unbegun(run.path):
        raise _used(run.path)
    with storage_errors(run.path):
        for entry in run.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry != run.lock:
                entry.unlink()


def _used(path: Path) -> RunError:
    run = RunFolder(path)
    if run.state_json.is_file() or run.resolved_yaml.is_file():
        return RunError.at(
            path,
            rule="a run is never overwritten",
            received="a folder that holds one already",
            advice="continue it with `--resume`, or name another folder",
        )
    with storage_errors(path):
        names = sorted(os.listdir(path))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return RunError.at(
        path,
        rule="a run needs an empty folder",
        received=f"one that holds {names[0]!r}{more}",
        advice="name another folder",
    )


def _has_epochs(run: RunFolder) -> bool:
    try:
        return bool(read_lines(run.metrics_jsonl))
    except RunError:  # not to be read: let nobody take it away
        return True


def _entries(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not _is_partial(name)]
    except NotADirectoryError:
        return [folder.name]
    except OSError:
        return []


def _is_partial(name: str) -> bool:
    return name.startswith(PARTIAL_PREFIX)
