"""How a problem reads: its line, and the caret below it."""

from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import ConfigError, Position, Problem


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
