"""How a problem reads: its line, and the caret below it; and that every message has its parts."""

import ast
from pathlib import Path

from syrupy.assertion import SnapshotAssertion

import cnnrun
from cnnrun.errors import CnnrunError, ConfigError, Position, Problem


def problem(text: str, column: int) -> str:
    position = Position("config.yaml", 3, column, text)
    return str(Problem(position, "train.epochs", "must be an integer", "-1", "write 1"))


def test_parts_that_are_missing_leave_no_trace(snapshot: SnapshotAssertion) -> None:
    assert str(Problem(None, "", "no such config file", "", "")) == "no such config file"
    assert str(Problem(None, "seed", "must be set", "", "add it")) == "seed: must be set; add it"
    assert problem("epochs: -1", 9) == snapshot


def test_a_long_line_is_shown_around_the_caret() -> None:
    lines = problem("x" * 1000 + "HERE" + "x" * 1000, 1001).splitlines()
    assert lines[1][lines[2].index("^") :].startswith("HERE")
    assert max(map(len, lines[1:])) < 170


def test_tabs_and_escape_sequences_do_not_reach_the_terminal() -> None:
    lines = problem("\tepochs: \x1b[31m-1", 15).splitlines()
    assert lines[1].isprintable()
    assert lines[1][lines[2].index("^")] == "-"


def test_a_config_error_holds_all_its_problems() -> None:
    one = Problem(None, "a", "must be 1", "2", "")
    error = ConfigError([one, one])
    assert str(error) == f"{one}\n{one}"
    assert error.exit_code == 2


def test_long_lines_are_cut_and_several_lines_are_not() -> None:
    lines = "\n".join(f"line {number} of an advice that is to be copied" for number in range(12))
    problem = Problem(None, "data", "must be certain", "x" * 900, lines)
    assert str(problem).endswith(lines)
    assert "[... 900 characters]" in str(problem)


def free_texts(source: str) -> list[int]:
    """The lines on which an error that a user reads is made of a text of its own."""
    # A ConfigError takes problems, which have the form themselves.
    classes = {each.__name__ for each in subclasses(CnnrunError)} - {ConfigError.__name__}
    free = {*classes, "BadParameter", "UsageError", "ClickException"}
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if name_of(call.func) in free]


def subclasses(of: type[CnnrunError]) -> list[type[CnnrunError]]:
    """A class and those of `errors.py` below it."""
    below = [each for each in of.__subclasses__() if each.__module__ == of.__module__]
    return [of, *(deeper for each in below for deeper in subclasses(each))]


def name_of(function: ast.expr) -> str:
    """The last name of what is called: `DataError` of `errors.DataError`."""
    return str(getattr(function, "id", getattr(function, "attr", "")))


def test_every_error_of_the_users_has_the_form_of_all() -> None:
    assert free_texts('raise DataError(f"{path} is empty")') == [1]
    assert free_texts('raise DataError.at(path, rule="", received="", advice="")') == []
    modules = Path(cnnrun.__file__).parent.rglob("*.py")
    found = [f"{path}:{line}" for path in modules for line in free_texts(path.read_text())]
    assert found == []
