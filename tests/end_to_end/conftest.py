"""The installed command in processes of its own, as a user or a script meets it."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
# Variables by which the shell that runs the tests could change what is printed.
UNWANTED = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "GITHUB_ACTIONS", "PYTHONWARNINGS")
TIMEOUT_S = 300
# Small enough to train in a second, hard enough that no epoch is perfect.
CONFIG = """\
seed: 3
data:
  directory: images
  image_size: [8, 8]
  color_mode: grayscale
model:
  layers:
    - conv_block: {filters: 4, kernel_size: 3}
    - GlobalAveragePooling2D
    - Dropout: {rate: 0.2}
    - classifier
train:
  epochs: 2
  batch_size: 8
  threads: 1
"""


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


Command = Callable[..., Ended]
Start = Callable[..., "subprocess.Popen[str]"]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a command: the caller's, without what would change its output."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    return kept | variables


def run_command(*command: str | Path, folder: Path, **variables: str) -> Ended:
    """Runs a command in a folder and waits for its end."""
    process = subprocess.run(
        command,
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
        return run_command(COMMAND, *arguments, folder=tmp_path, **variables)

    return run


SEVERAL = """\
import json, sys
from cnnrun.cli import app

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["cnnrun", *arguments]
    code = app.run()
    if code:
        sys.exit(code)
    print("-- done --")
"""
END_OF_COMMAND = "-- done --\n"


@pytest.fixture
def one_after_another(tmp_path: Path) -> Command:
    """Runs command lines in one process, which loads TensorFlow once, until one fails.

    `one_after_another(["evaluate", "run"], ["show", "config.yaml"])`; what each says ends with
    END_OF_COMMAND.
    """

    def run(*commands: Sequence[str]) -> Ended:
        return run_command(sys.executable, "-c", SEVERAL, json.dumps(commands), folder=tmp_path)

    return run


@pytest.fixture
def cnnrun_on_its_own_disk(tmp_path: Path) -> Command:
    """Runs the installed command where `tmp_path/experiments` is another disk, seen by it alone.

    `cnnrun_on_its_own_disk("size=64k", "train", "config.yaml")`; the first argument are the
    disk's mount options.
    """
    if (
        shutil.which("unshare") is None
        or run_command(*OWN_MOUNTS, "true", folder=tmp_path).exit_code
    ):
        pytest.skip("this system lets nobody mount a disk for one process")

    def run(options: str, *arguments: str | Path) -> Ended:
        (tmp_path / "experiments").mkdir(exist_ok=True)
        script = f'mount -t tmpfs -o {options} tmpfs experiments && exec "$@"'
        return run_command(
            *OWN_MOUNTS, "sh", "-c", script, "sh", COMMAND, *arguments, folder=tmp_path
        )

    return run


OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the installed command in `tmp_path` as a terminal would, without waiting for it."""
    with ExitStack() as processes:

        def begin(*arguments: str | Path) -> "subprocess.Popen[str]":
            process = processes.enter_context(
                subprocess.Popen(
                    [COMMAND, *arguments],
                    cwd=tmp_path,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            processes.callback(process.kill)
            return process

        yield begin


@pytest.fixture(scope="session")
def trained_project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A folder with `config.yaml`, `images/` and the run `run/`; and how `cnnrun train` ended."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    return folder, run_command(
        COMMAND, "train", "config.yaml", "--into", "run", "--json", folder=folder
    )


@pytest.fixture
def trained(trained_project: tuple[Path, Ended], tmp_path: Path) -> Path:
    """A copy of the trained project in `tmp_path`; its run."""
    shutil.copytree(trained_project[0], tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """`tmp_path` with `config.yaml` and `images/`, nothing trained yet."""
    write_project(tmp_path)
    return tmp_path


def write_project(folder: Path) -> None:
    """Writes a config and two classes of 40 noisy images, one brighter than the other."""
    (folder / "config.yaml").write_text(CONFIG)
    random = np.random.default_rng(0)
    for label, brightness in (("dark", 100), ("light", 130)):
        (folder / "images" / label).mkdir(parents=True)
        for number in range(40):
            pixels = random.normal(brightness, 40, (8, 8)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / label / f"{number:02}.png")
