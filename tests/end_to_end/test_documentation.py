"""The commands of the README and of the manual, word for word, in a copy of the repository."""

import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from cnnrun.cli.app import app
from cnnrun.manual.topics import page

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
CHAPTERS = sorted((REPOSITORY / "cnnrun" / "manual").glob("*.md"))
# `text` blocks show what is not run here: what needs data of the reader's own, hours, or a mistake.
BLOCK = re.compile(r"^```(console|bash|sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SET_UP = re.compile(r"-m venv|pip install")  # long, and over the network: `.ci/run` runs them
PRETRAINED = re.compile(r"MobileNet|configs/transfer_")  # want ImageNet's weights
WEIGHTS = "models/mobilenet_1_0_224_tf.h5"


def commands_of(document: str, *, shown: bool = False) -> list[str]:
    """Every command of the code blocks: in `console` blocks the lines after `$ `, else all lines.

    A line that ends in a backslash goes on in the next one. With `shown`, the commands of `text`
    blocks as well, which are not run.
    """
    commands = []
    for language, block in BLOCK.findall(document):
        lines = block.replace("\\\n", " ").splitlines()
        if language in ("console", "text"):
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        if language != "text" or shown:
            commands += [line for line in lines if line.strip() and not line.startswith("#")]
    return commands


def calls_of_cnnrun(command: str) -> list[list[str]]:
    """The arguments of each `cnnrun` in a shell command."""
    words = shlex.split(command, comments=True)
    calls: list[list[str]] = []
    inside = False
    for word in words:
        if word in ("&&", "||", "|", ";", ">"):
            inside = False
        elif inside:
            calls[-1].append(word)
        elif word.rpartition("/")[2] == "cnnrun":
            calls.append([])
            inside = True
    return calls


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
    """Runs commands in a shell, one after another: at least one, and each has to end well."""
    assert commands, "a document that shows none needs no test"
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


def can_be_run(command: str) -> bool:
    """Whether a command can be run here: it installs nothing, and needs no pretrained weights."""
    return not (SET_UP.search(command) or PRETRAINED.search(command))


def test_commands_are_found() -> None:
    readme = (
        "```console\n$ a \\\n    b\noutput\n```\n\n```bash\n# note\nc\n```\n```yaml\nd: 1\n```\n"
        "```text\n$ d\n```\n"
    )
    assert commands_of(readme) == ["a      b", "c"]
    assert commands_of(readme, shown=True) == ["a      b", "c", "d"]
    assert calls_of_cnnrun("x && .venv/bin/cnnrun train 'a b' > out  # c") == [["train", "a b"]]


@pytest.mark.parametrize("document", [README, *CHAPTERS], ids=lambda path: path.stem)
def test_every_command_that_is_shown_has_the_words_and_options_of_its_help(document: Path) -> None:
    of_name = get_command(app).commands
    for command in commands_of(document.read_text(), shown=True):
        for name, *arguments in calls_of_cnnrun(command):
            with suppress(typer.Exit):  # by `--help` and its like
                of_name[name].make_context(f"{command}: {name}", arguments)


@pytest.mark.parametrize("document", [README, *CHAPTERS], ids=lambda path: path.stem)
def test_topics_and_files_that_are_referred_to_are_there(document: Path) -> None:
    text = document.read_text()
    for topic in re.findall(r"`cnnrun\s+help\s+([^`]+)`", text):
        assert topic == "TOPIC" or page(topic) or topic in get_command(app).commands, topic
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (document.parent / link).exists(), link


def test_ci_finds_the_commands_to_install_and_test_with() -> None:
    """`.ci/run` runs every line of the README that names `.venv/bin`."""
    commands = commands_of(README.read_text())
    assert [each for each in commands if ".venv/bin" in each] == list(
        filter(SET_UP.search, commands)
    )
    assert any(each.endswith(".venv/bin/pytest") for each in commands)


@pytest.fixture(scope="module")
def trained_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which the README's run `experiments/first` has been trained."""
    clone = copy_of_the_repository(tmp_path_factory.mktemp("trained") / "clone")
    short = "--set train.epochs=2 --into experiments/first"
    run_all([f"cnnrun train configs/digits.yaml {short}"], clone)
    return clone


@pytest.mark.slow
@pytest.mark.parametrize(
    "chapter",
    [each for each in CHAPTERS if any(map(can_be_run, commands_of(each.read_text())))],
    ids=lambda path: path.stem,
)
def test_the_commands_of_a_chapter_work(chapter: Path, trained_clone: Path, tmp_path: Path) -> None:
    clone = shutil.copytree(trained_clone, tmp_path / "clone", copy_function=os.link)
    run_all(list(filter(can_be_run, commands_of(chapter.read_text()))), clone)


@pytest.mark.slow
def test_the_python_of_the_manual_works(trained_clone: Path, tmp_path: Path) -> None:
    clone = shutil.copytree(trained_clone, tmp_path / "clone", copy_function=os.link)
    chapter = (REPOSITORY / "cnnrun" / "manual" / "python.md").read_text()
    (clone / "notebook.py").write_text("\n".join(PYTHON.findall(chapter)))
    run_all(["python notebook.py"], clone)


@pytest.mark.slow
@pytest.mark.timeout(2700)  # a study of 28 cells is among them
def test_the_commands_of_the_readme_work(tmp_path: Path) -> None:
    commands = filter(can_be_run, commands_of(README.read_text()))
    run_all(list(commands), copy_of_the_repository(tmp_path / "clone"))


@pytest.mark.slow
def test_the_commands_with_pretrained_weights_work(tmp_path: Path) -> None:
    if not (Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / WEIGHTS).exists():
        pytest.skip(f"KERAS_HOME has no {WEIGHTS}")
    documents = "\n".join(document.read_text() for document in (README, *CHAPTERS))
    commands = dict.fromkeys(filter(PRETRAINED.search, commands_of(documents)))
    run_all(list(commands), copy_of_the_repository(tmp_path / "clone"))
