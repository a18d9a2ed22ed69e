"""Tables read back as they were written."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.runs.tables import csv_table, markdown_table, read_csv_table

CELLS = st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_csv_reads_back(rows: list[tuple[str, str]]) -> None:
    text = csv_table(["run", "why"], rows)
    assert list(read_csv_table(text)) == [["run", "why"], *map(list, rows)]


@given(st.lists(st.tuples(st.text(alphabet="'=+-@1.a", max_size=5)), min_size=1))
def test_formulas_read_back_too(rows: list[tuple[str]]) -> None:
    assert list(read_csv_table(csv_table(["path"], rows))) == [["path"], *map(list, rows)]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+x", "'+x"),
        ("-a.png", "'-a.png"),
        ("'=a.png", "''=a.png"),
        ("'a.png", "'a.png"),
        ("-1.5", "-1.5"),
        (-1.5, "-1.5"),
        ("a=b", "a=b"),
    ],
)
def test_no_cell_is_a_formula_to_a_spreadsheet(cell: object, written: str) -> None:
    """Oracle: what Python's own reader finds, as a spreadsheet would."""
    assert list(csv.reader(io.StringIO(csv_table([cell], [[cell]])))) == [[written], [written]]


def test_markdown(snapshot: SnapshotAssertion) -> None:
    rows = [("a|b", "1"), ("two\nlines", "22,222")]
    assert markdown_table(["run", "parameters"], rows) == snapshot


def test_markdown_without_rows(snapshot: SnapshotAssertion) -> None:
    assert markdown_table(["run", "parameters"], []) == snapshot


def test_no_cell_of_markdown_commands_a_terminal() -> None:
    """A report is read with `cat`, too."""
    table = markdown_table(["run"], [["\x1b]0;title\x07a\tb\u202e"]])
    assert not set(table) & set("\x1b\x07\t\u202e")
    assert "\\x1b]0;title\\x07a b" in table
