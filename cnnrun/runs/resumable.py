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
    unfinished = [path for path in runs if read_state(RunFolder(path)).state != "finished"]
    if unfinished:
        return open_run(unfinished[-1])
    received = f"{len(runs)} finished runs" if runs else "no runs"
    raise RunError(
        f"--resume needs a run of this config that was cut short, and {folder} has {received};"
        " leave --resume out to train anew, or name the run with --into"
    )
