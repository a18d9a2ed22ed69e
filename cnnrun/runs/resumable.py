"""Which run `cnnrun train --resume` means."""

from pathlib import Path

from cnnrun.errors import RunError
from cnnrun.runs.folder import RunFolder, is_held, looks_like_run, open_run
from cnnrun.runs.state import read_state
from cnnrun.runs.unbegun import is_unbegun


def run_to_resume(experiments: Path, *, name: str, into: Path | None) -> RunFolder:
    """The run at `into`, or the newest of the config called `name` that can be continued.

    Where there is none, it is the newest that ended before its first epoch was on the disk.

    Raises:
        RunError: there is no such run.
    """
    if into is not None:
        return RunFolder(into) if is_unbegun(into) else open_run(into)
    folder = experiments / name
    runs = sorted(path for path in folder.glob("*") if looks_like_run(path))
    begun = [path for path in runs if _can_be_continued(RunFolder(path))]
    unbegun = [path for path in runs if is_unbegun(path) and not is_held(RunFolder(path))]
    if begun or unbegun:
        return RunFolder((begun or unbegun)[-1])
    raise RunError.at(
        folder,
        rule="--resume needs a run of this config that was cut short",
        received=f"none among {len(runs)}" if runs else "no runs",
        advice="leave --resume out to train anew, or name the run with --into",
    )


def _can_be_continued(run: RunFolder) -> bool:
    """Whether an epoch of the run is on the disk, it is not finished, and nobody works on it."""
    if not run.resolved_yaml.exists() or is_unbegun(run.path) or is_held(run):
        return False
    try:
        return read_state(run).state != "finished"
    except RunError:  # damaged
        return False
