"""The SOURCE of commands that take a run or a network of keras.applications, by name."""

import os
from pathlib import Path

from cnnrun.config.applications import APPLICATIONS, Application, unknown_application
from cnnrun.errors import InputError
from cnnrun.runs.folder import RunFolder, looks_like_run, open_run


def run_or_application(source: str) -> RunFolder | Application:
    """The run at a path, or else the network of a name.

    Raises:
        RunError: the path holds no run, or one that lacks files.
        InputError: it is neither; with the nearest networks.
    """
    path = Path(source)
    if not looks_like_run(path) and source in APPLICATIONS:
        return APPLICATIONS[source]
    # A word without a slash that leads nowhere may be a misspelt network.
    if os.path.lexists(path) or len(path.parts) > 1:
        return open_run(path)
    _, received, advice = unknown_application(source)
    raise InputError.at(
        "",
        rule="must be the folder of a run or the name of a network of keras.applications",
        received=f"{received}: no such run",
        advice=advice,
    )
