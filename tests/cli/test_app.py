"""Errors become messages and exit codes in one place."""

import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.cli import app as command_line
from cnnrun.cli.bug_report import report_bug
from cnnrun.errors import (
    CnnrunError,
    ConfigError,
    DivergedError,
    InterruptedRunError,
    Position,
    Problem,
    RunError,
)

PROBLEM = Problem(
    Position("digits.yaml", 3, 5, "    filters: -1"),
    "model.layers[0].Conv2D.filters",
    "must be at least 1",
    "-1",
    "",
)


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (ConfigError([PROBLEM, PROBLEM]), 2),
        (RunError("there is no run at here"), 2),
        (DivergedError("the loss became NaN"), 1),
        (InterruptedRunError("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (CnnrunError("unnamed"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_ends_in_its_message_and_exit_code(
    error: BaseException,
    exit_code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setattr(sys, "argv", ["cnnrun", "schema"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(command_line, "run_typer", raiser(error))
    assert command_line.run() == exit_code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == snapshot


def raiser(error: BaseException):
    def fail() -> None:
        raise error

    return fail


def test_a_bug_names_the_file_that_holds_its_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    error = ValueError("weights of\nshape (3, 4)")
    report_bug(ValueError, error, None)
    (report,) = tmp_path.iterdir()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.replace(str(report), "<report>") == snapshot
    assert "ValueError: weights of\nshape (3, 4)" in report.read_text()


def test_a_bug_is_told_in_full_where_no_file_can_be_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    report_bug(ValueError, ValueError("no weights"), None)
    assert capsys.readouterr().err == snapshot
