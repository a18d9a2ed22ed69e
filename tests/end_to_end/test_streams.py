"""Where output goes: results on stdout, errors on stderr, colours on terminals alone."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from syrupy.assertion import SnapshotAssertion

ESCAPE = "\x1b["
COLOUR = re.compile(r"\x1b\[(\d+;)*(3[0-8]|9[0-7])[;m]")  # NO_COLOR leaves bold and dim alone


def test_help_names_every_command(cnnrun) -> None:
    ended = cnnrun("--help")
    assert (ended.exit_code, ended.stderr) == (0, "")
    for command in (
        *("init", "train", "validate", "show", "check-data", "evaluate", "predict"),
        *("extract-features", "runs", "compare", "schema"),
    ):
        assert f" {command} " in ended.stdout
        assert cnnrun(command, "--help").exit_code == 0
    assert ESCAPE not in ended.stdout


@pytest.mark.parametrize(
    "arguments", [["trane"], ["train"], ["validate"], ["train", "a.yaml", "--sett", "a=1"], []]
)
def test_wrong_usage_is_told_on_stderr(arguments: list[str], cnnrun) -> None:
    ended = cnnrun(*arguments)
    assert ended.exit_code == 2
    if arguments:  # alone, `cnnrun` shows its help
        assert ended.stdout == ""
        assert "Usage: cnnrun" in ended.stderr


def test_the_version(cnnrun) -> None:
    assert cnnrun("--version").stdout.startswith("cnnrun 0.")


def test_python_m_cnnrun_is_the_same_command(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cnnrun", "--version"], cwd=tmp_path, capture_output=True, check=True
    )
    assert ended.stdout.startswith(b"cnnrun 0.")


def test_the_schema_is_one(cnnrun) -> None:
    ended = cnnrun("schema")
    assert (ended.exit_code, ended.stderr) == (0, "")
    Draft202012Validator.check_schema(json.loads(ended.stdout))


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m cnnrun schema | head -c 1"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert ended.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_behind_standard_output(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "cnnrun", "schema"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == snapshot


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_colours_are_for_terminals_that_want_them(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    printed = on_a_terminal("--help", folder=tmp_path, variables=variables)
    assert bool(COLOUR.search(printed)) is not bool(variables)


def test_a_terminal_without_unicode_gets_ascii(cnnrun) -> None:
    ended = cnnrun("--help", PYTHONIOENCODING="ascii")
    assert ended.exit_code == 0
    assert ended.stdout.isascii()


def on_a_terminal(*arguments: str, folder: Path, variables: dict[str, str]) -> str:
    """What a command prints on a terminal of its own."""
    terminal, end_of_command = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnrun", *arguments],
        cwd=folder,
        env=kept | {"TERM": "xterm-256color", "COLUMNS": "80"} | variables,
        stdin=end_of_command,
        stdout=end_of_command,
        stderr=end_of_command,
    )
    os.close(end_of_command)
    printed = b""
    while chunk := read(terminal):
        printed += chunk
    assert process.wait(timeout=60) == 0
    os.close(terminal)
    return printed.decode()


def read(terminal: int) -> bytes:
    """The next output; none once the command has ended, which Linux reports as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ("tensorflow", "keras", "numpy", "yaml", "PIL", "matplotlib")),
        (["validate", "good.yaml"], ("tensorflow", "keras", "matplotlib")),
        (["schema"], ("tensorflow", "keras", "numpy", "matplotlib")),
        (["runs", "."], ("tensorflow", "keras", "matplotlib")),
        (["preview", "good.yaml", "--set", "augment.rotation_range=9"], ("tensorflow", "keras")),
        (["init", "demo"], ("tensorflow", "keras", "matplotlib")),
        (["init", "--data", "images", "mine"], ("tensorflow", "keras", "matplotlib")),
    ],
)
def test_commands_load_only_what_they_need(
    arguments: list[str], absent: tuple[str, ...], tmp_path: Path, make_images
) -> None:
    make_images("images", {"a": 5, "b": 5})
    (tmp_path / "good.yaml").write_text(
        "data: {directory: images, image_size: [8, 8]}\nmodel: {layers: [Flatten, classifier]}\n"
    )
    exit_code, modules = ended(arguments, tmp_path)
    assert exit_code == 0
    assert set(absent).isdisjoint(modules)


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "MobilNet", "images"],
        ["predict", "MobileNet", "imagess"],
        ["predict", "MobileNet", "images", "--image-size", "20", "20"],
        ["extract-features", "MobilNet", "--data", "images"],
        ["extract-features", "VGG16", "--data", "images", "--layer", "block4_pol"],
    ],
    ids=" ".join,
)
def test_a_wrong_name_costs_no_tensorflow(
    arguments: list[str], tmp_path: Path, make_images
) -> None:
    make_images("images", {"a": 5, "b": 5})
    exit_code, modules = ended(arguments, tmp_path)
    assert exit_code == 2
    assert {"tensorflow", "keras"}.isdisjoint(modules)


def ended(arguments: list[str], folder: Path) -> tuple[int, list[str]]:
    """A command's exit code, and the modules that its process had loaded at its end."""
    script = (
        "import json, sys\n"
        "from cnnrun.cli.app import run\n"
        f"sys.argv = ['cnnrun', *{arguments!r}]\n"
        "sys.stderr.write('\\n' + json.dumps([run(), sorted(sys.modules)]))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    exit_code, modules = json.loads(process.stderr.splitlines()[-1])
    return exit_code, modules
