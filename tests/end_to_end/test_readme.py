"""The README's commands, word for word, in a fresh copy of the repository."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(console|bash|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SET_UP = re.compile(r"-m venv|pip install")  # long, and over the network: the slow test's
PRETRAINED = re.compile(r"MobileNet|configs/transfer_")  # want ImageNet's weights
WEIGHTS = "models/mobilenet_1_0_224_tf.h5"


def commands_of(readme: str) -> list[str]:
    """Every command of the code blocks: in `console` blocks the lines after `$ `, else all lines.

    A line that ends in a backslash goes on in the next one.
    """
    commands = []
    for language, block in BLOCK.findall(readme):
        lines = block.replace("\\\n", " ").splitlines()
        if language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        commands += [line for line in lines if line.strip() and not line.startswith("#")]
    return commands


def copy_of_the_repository(destination: Path) -> Path:
    """Copies what git would keep, as a fresh clone has it."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout, so what belongs to the repository is unknown")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, destination / name)
    return destination


def run_all(commands: list[str], folder: Path) -> None:
    """Runs commands in a shell, one after another; each has to end well."""
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            pytest.fail(f"{command}\nended with {ended.returncode}:\n{ended.stdout[-3000:]}")


def test_commands_are_found() -> None:
    readme = (
        "```console\n$ a \\\n    b\noutput\n```\n\n```bash\n# note\nc\n```\n```yaml\nd: 1\n```\n"
    )
    assert commands_of(readme) == ["a      b", "c"]


@pytest.mark.slow
def test_the_commands_work(tmp_path: Path) -> None:
    commands = commands_of((REPOSITORY / "README.md").read_text())
    run_all(
        [
            command
            for command in commands
            if not (SET_UP.search(command) or PRETRAINED.search(command))
        ],
        copy_of_the_repository(tmp_path / "clone"),
    )


@pytest.mark.slow
def test_the_commands_with_pretrained_weights_work(tmp_path: Path) -> None:
    if not (Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / WEIGHTS).exists():
        pytest.skip(f"KERAS_HOME has no {WEIGHTS}")
    commands = commands_of((REPOSITORY / "README.md").read_text())
    run_all(
        [command for command in commands if PRETRAINED.search(command)],
        copy_of_the_repository(tmp_path / "clone"),
    )


@pytest.mark.slow
def test_the_commands_to_install_and_test_work(tmp_path: Path) -> None:
    commands = commands_of((REPOSITORY / "README.md").read_text())
    run_all(
        [command for command in commands if SET_UP.search(command)],
        copy_of_the_repository(tmp_path / "clone"),
    )
