"""The installed command in processes of its own, as a user or a script meets it."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
REPOSITORY = Path(__file__).parents[2]
# Variables by which the shell that runs the tests could change what is printed.
UNWANTED = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "GITHUB_ACTIONS", "PYTHONWARNINGS")


@dataclass(frozen=True)
class Ended:
    """How a command ended, with the test's own folder written as `<here>`."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.stdout)


TIMEOUT_S = 120
Command = Callable[..., Ended]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a command: the caller's, without what would change its output."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    return kept | variables


def run_command(
    *arguments: str | Path, folder: Path, timeout_s: float = 120, **variables: str
) -> Ended:
    """Runs `cnnrun` in a folder and waits for its end."""
    process = subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Ended(
        process.returncode,
        process.stdout.replace(str(folder), "<here>"),
        process.stderr.replace(str(folder), "<here>"),
    )


@pytest.fixture
def cnnrun(tmp_path: Path) -> Command:
    """Runs the installed command in `tmp_path`: `cnnrun("train", "config.yaml", NO_COLOR="1")`."""

    def run(*arguments: str | Path, **variables: str) -> Ended:
        return run_command(*arguments, folder=tmp_path, **variables)

    return run
