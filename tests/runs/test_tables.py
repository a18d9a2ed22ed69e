"""Tables read back as they were written."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.runs.tables import csv_table, markdown_table

CELLS = st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1))
def test_csv_reads_back(rows: list[tuple[str, str]]) -> None:
    text = csv_table(["run", "why"], rows)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["run", "why"], *map(list, rows)]


def test_markdown(snapshot: SnapshotAssertion) -> None:
    rows = [("a|b", "1"), ("two\nlines", "22,222")]
    assert markdown_table(["run", "parameters"], rows) == snapshot


def test_markdown_without_rows(snapshot: SnapshotAssertion) -> None:
    assert markdown_table(["run", "parameters"], []) == snapshot
