"""Lines on a terminal: broken between words, never in code, numbers or their units."""

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.cli.terminal import fitted, for_terminal, say, waiting

TEXT = (
    "stage 1: 20 epochs over them took 16.5 s; go on with `cnnrun train a/resolved.yaml --resume`"
    " or look at 57,034 parameters, 95 % of them"
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [20, 40, 80])
def test_what_belongs_together_stays_together(width: int) -> None:
    lines = fitted(TEXT, width).split("\n")
    for whole in ("20 epochs", "16.5 s", "57,034 parameters", "95 %"):
        assert any(whole in line for line in lines), whole
    assert any("`cnnrun train a/resolved.yaml --resume`" in line for line in lines)
    assert all(len(line) <= width for line in lines if "`" not in line)


WORD = st.from_regex(r"[a-z0-9.,/_-]{1,12}", fullmatch=True)


@given(st.lists(WORD, min_size=1), st.integers(20, 90))
def test_no_word_is_lost_or_broken(words: list[str], width: int) -> None:
    assert fitted(" ".join(words), width).split() == words


def test_source_lines_and_carets_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    source = "    layers: [{conv_blok: {filters: 32, kernel_size: 3}}]\n              ^"
    assert for_terminal(f"must be a layer of Keras, received `conv_blok`\n{source}") == (
        f"must be a layer of Keras,\n  received `conv_blok`\n{source}"
    )


def test_elsewhere_a_line_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(TEXT)
    assert capsys.readouterr().err == f"{TEXT}\n"


def test_a_terminal_is_told_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with waiting("loading TensorFlow", quiet=False):
        assert terminal.getvalue() == "loading TensorFlow ..."
    assert terminal.getvalue().endswith("\r\x1b[2K")


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_nothing_is_said_where_it_is_to_be_quiet_or_no_terminal(stream, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stderr", written := stream())
    with waiting("loading TensorFlow", quiet=stream is Terminal):
        pass
    assert written.getvalue() == ""


FIRST_WORD = """
import os, sys
from contextlib import contextmanager
import cnnrun.cli.terminal

@contextmanager
def waiting(what, *, quiet):
    early = {"keras", "numpy", "rich.console", "tensorflow", "yaml"} & set(sys.modules)
    print(what, "after", sorted(early))
    sys.stdout.flush()
    os._exit(0)
    yield

cnnrun.cli.terminal.waiting = waiting
from cnnrun.cli.app import main
main()
"""


@pytest.mark.parametrize(
    "command",
    [
        "train configs/digits.yaml",
        "show configs/digits.yaml",
        "preview configs/digits_augmented.yaml",
        "check-data configs/digits.yaml --deep",
        "evaluate a_run",
        "predict MobileNet cat.jpg",
        "extract-features MobileNet --data photos",
        "ablate bn-order",
        "tune configs/digits.yaml",
        "export a_run --to onnx",
        "calibrate a_run",
    ],
)
def test_the_first_word_comes_before_what_takes_time_to_import(command: str) -> None:
    """A fifth of a second goes to typer; what a terminal is told comes next."""
    ended = subprocess.run(
        [sys.executable, "-c", FIRST_WORD, *command.split()], capture_output=True, text=True
    )
    assert ended.stdout.endswith(" after []\n"), ended
