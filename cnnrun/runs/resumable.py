"""Which run `cnnrun train --resume` means."""

from pathlib import Path

from cnnrun.errors import RunError
from cnnrun.runs.folder import RunFolder, looks_like_run, open_run
from cnnrun.runs.state import read_state


def run_to_resume(experiments: Path, *, name: str, into: Path | None) -> RunFolder:
    """The run at `into`, or the newest unfinished run of the config called `name`.

    Raises:
        RunError: there is no such run.
    """
    if into is not None:
        return open_run(into)
    folder = experiments / name
    runs = sorted(path for path in folder.glob("*") if looks_like_run(path))
    unfinished = [path for path in runs if _is_unfinished(RunFolder(path))]
    if unfinished:
        return open_run(unfinished[-1])
    received = f"none among its {len(runs)}" if runs else "no runs"
    raise RunError(
        f"--resume needs a run of this config that was cut short, and {folder} has {received};"
        " leave --resume out to train anew, or name the run with --into"
    )


def _is_unfinished(run: RunFolder) -> bool:
    """Whether the run can go on; one that was cut short before its first files has nothing to."""
    if not run.resolved_yaml.exists():
        return False
    try:
        return read_state(run).state != "finished"
    except RunError:  # damaged
        return False
