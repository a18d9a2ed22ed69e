"""Results on standard output: tables for people, JSON documents for programs."""

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnrun.errors import StorageError

if TYPE_CHECKING:
    from rich.console import Console

# Wide enough that no table is ever folded where no screen limits it.
UNLIMITED_WIDTH = 100_000
GAP = 2  # characters between two columns


def print_json(document: Any) -> None:
    """Prints one JSON document, which is all that standard output gets; NaN becomes null."""
    from cnnrun.runs.files import json_text

    print_text(json_text(document, indent=2))


def print_text(text: str) -> None:
    """Prints text as it is: no markup, no highlighting, no folding."""
    with results_written():
        sys.stdout.write(f"{text}\n")


def print_note(text: str) -> None:
    """Prints what a user would hardly expect, on standard error: it is no result."""
    sys.stderr.write(f"note: {text}\n")


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: frozenset[str] = frozenset(),
    expendable: Sequence[str] = (),
    totals: Sequence[str] | None = None,
) -> None:
    """Prints a table that fits the terminal, or is as wide as it likes where there is none.

    Args:
        headings: one a column.
        rows: cells as text, in the order of the headings.
        numeric: the headings whose columns are aligned to the right and never folded.
        expendable: the headings whose columns are left out, the first one first, until the table
            fits the terminal.
        totals: a last row, set apart by an empty line.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = result_console()
    lines = [tuple(row) for row in rows]
    columns = fitting(list(columns_of(headings, lines, totals)), expendable, console.width)
    unfolded = total_width(max(column.width, len(column.heading)) for column in columns)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        show_footer=totals is not None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        is_number = column.heading in numeric
        table.add_column(
            Text(column.heading if unfolded <= console.width else column.folded_heading),
            Text(column.total),
            justify="right" if is_number else "left",
            overflow="fold",
            min_width=column.longest if is_number else None,
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, cells))
    with results_written():
        console.print(table)


@contextmanager
def results_written() -> Iterator[None]:
    """What is printed within the block has left this process when it ends.

    Raises:
        StorageError: the disk behind standard output is full, or fails otherwise.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has enough; typer ends the command quietly
        raise
    except OSError as error:
        raise StorageError(f"standard output cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    heading: str
    cells: tuple[str, ...]
    total: str

    @property
    def longest(self) -> int:
        """Characters of the longest cell."""
        return max(map(len, (*self.cells, self.total)))

    @property
    def width(self) -> int:
        """Characters that the column needs: those of its cells, or of its heading's words."""
        return max(self.longest, *map(len, self.heading.split()))

    @property
    def folded_heading(self) -> str:
        """The heading in lines that are no wider than the column needs to be."""
        return textwrap.fill(self.heading, self.width, break_on_hyphens=False)


def columns_of(
    headings: Sequence[str], rows: Sequence[Sequence[str]], totals: Sequence[str] | None
) -> Iterator[Column]:
    """A table's columns."""
    for index, heading in enumerate(headings):
        yield Column(heading, tuple(row[index] for row in rows), totals[index] if totals else "")


def fitting(columns: list[Column], expendable: Sequence[str], width: int) -> list[Column]:
    """The columns without as many of the expendable ones as it takes to fit a width."""
    for heading in expendable:
        if total_width(column.width for column in columns) <= width:
            break
        columns = [column for column in columns if column.heading != heading]
    return columns


def total_width(widths: Iterable[int]) -> int:
    """The width of columns of these widths side by side."""
    return sum(width + GAP for width in widths) - GAP


def result_console() -> "Console":
    """A console on standard output: colours and a width on a terminal, plain and wide elsewhere."""
    from rich.console import Console

    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if has_width else UNLIMITED_WIDTH, highlight=False, emoji=False)
