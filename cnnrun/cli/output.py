"""Results on standard output: tables for people, JSON documents for programs."""

import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnrun.cli.terminal import fitted, say
from cnnrun.errors import StorageError
from cnnrun.shown_text import harmless

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# Wide enough that no cell is ever folded where no screen limits it.
UNLIMITED_WIDTH = 100_000
# From here on a table in a file or pipe folds its headings and leaves out what it can do without.
PIPED_WIDTH = 100
GAP = 2  # characters between two columns


def print_json(document: Any) -> None:
    """Prints one JSON document, which is all that standard output gets; NaN becomes null."""
    from cnnrun.runs.files import json_text

    print_text(json_text(document, indent=2))


def print_json_in_parts(
    before: Mapping[str, Any],
    name: str,
    items: Iterable[Any],
    *,
    after: Callable[[], Mapping[str, Any]],
) -> None:
    """Prints one JSON document whose long list need not stand in memory.

    Args:
        before: what comes first.
        name: the key of the list.
        items: the list, an item a line, each printed as soon as it is there.
        after: what comes last, asked for when the list has ended.
    """
    from cnnrun.runs.files import json_text

    def entries(values: Mapping[str, Any]) -> str:
        lines = (
            f"  {json_text(key, indent=None)}: {json_text(value, indent=None)}"
            for key, value in values.items()
        )
        return ",\n".join(lines)

    print_text(f"{{\n{entries(before)},\n  {json_text(name, indent=None)}: [")
    pending = ""
    for item in items:
        if pending:
            print_text(f"{pending},")
        pending = f"    {json_text(item, indent=None)}"
    print_text(f"{pending}\n  ],\n{entries(after())}\n}}")


def print_text(text: str) -> None:
    """Prints text without markup, highlighting or folding, and nothing that commands a terminal."""
    with results_written():
        sys.stdout.write(f"{harmless(text)}\n")


def print_document(text: str) -> None:
    """Prints a document for a program, byte by byte; on a terminal as `print_text` does."""
    if sys.stdout.isatty():
        print_text(text)
        return
    with results_written():
        sys.stdout.write(f"{text}\n")


def print_sentence(text: str) -> None:
    """Prints sentences, a line each, broken between words where a terminal is narrower."""
    width = result_console().width
    print_text("\n".join(fitted(line, width) for line in text.split("\n")))


def print_markdown(text: str) -> None:
    """Prints Markdown: rendered on a terminal, as it is elsewhere."""
    if not sys.stdout.isatty():
        print_text(text.rstrip("\n"))
        return
    from rich.theme import Theme

    from cnnrun.cli.markdown import WholeMarkdown

    console = result_console()
    # A colour and no background, which would suit either dark or light terminals alone.
    console.push_theme(Theme({"markdown.code": "cyan"}))
    with results_written():
        console.print(WholeMarkdown(text, code_theme="ansi_dark", hyperlinks=False))


def print_note(text: str, *, quiet: bool = False) -> None:
    """Prints what a user would hardly expect, on standard error: it is no result."""
    if not quiet:
        say(f"note: {text}")


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: frozenset[str] = frozenset(),
    expendable: Sequence[str] = (),
    totals: Sequence[str] | None = None,
) -> None:
    """Prints a table that fits the terminal; where there is none, its cells are never folded.

    Args:
        headings: one a column.
        rows: cells as text, in the order of the headings.
        numeric: the headings whose columns are aligned to the right and never folded.
        expendable: the headings whose columns are left out, the first one first, until the table
            fits; a line below it says which.
        totals: a last row, set apart by an empty line.
    """
    from rich.text import Text

    console = result_console()
    headings = [harmless(heading) for heading in headings]
    numeric = frozenset(map(harmless, numeric))
    lines = [tuple(map(harmless, row)) for row in rows]
    width = console.width if console.width < UNLIMITED_WIDTH else PIPED_WIDTH
    columns = fitting(list(columns_of(headings, lines, totals)), expendable, width)
    kept = {column.heading for column in columns}
    left_out = [heading for heading in headings if heading not in kept]
    unfolded = total_width(max(column.width, len(column.heading)) for column in columns)
    table = empty_table(show_footer=totals is not None)
    for column in columns:
        is_number = column.heading in numeric
        table.add_column(
            Text(column.heading if unfolded <= width else column.folded_heading),
            Text(column.total),
            justify="right" if is_number else "left",
            overflow="fold",
            min_width=column.longest if is_number else None,
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*map(Text, cells))
    with results_written():
        console.print(table)
        if left_out:
            note = f"({', '.join(left_out)}: left out to fit {width} columns; --json has all)"
            console.print(fitted(note, width), markup=False, soft_wrap=True, style="dim")


def print_table_in_parts(
    headings: Sequence[str],
    parts: Iterable[Sequence[Sequence[str]]],
    *,
    widths: Sequence[int],
    numeric: frozenset[str],
) -> None:
    """Prints a table as its rows come to be known, so that it can be as long as it likes.

    Args:
        headings: one a column.
        parts: rows of cells as text, printed part by part.
        widths: characters of the longest cell of each column; the first column gets fewer where
            the terminal is too narrow, and its cells are folded.
        numeric: the headings whose columns are aligned to the right.
    """
    from rich.text import Text

    console = result_console()
    wanted = [max(width, len(heading)) for width, heading in zip(widths, headings, strict=True)]
    first = min(wanted[0], max(len(headings[0]), console.width - total_width([0, *wanted[1:]])))
    for number, rows in enumerate(parts):
        table = empty_table(show_header=number == 0)
        for heading, width in zip(headings, (first, *wanted[1:]), strict=True):
            justify: Any = "right" if heading in numeric else "left"
            table.add_column(Text(heading), justify=justify, overflow="fold", width=width)
        for row in rows:
            table.add_row(*(Text(harmless(cell)) for cell in row))
        with results_written():
            console.print(table)


def empty_table(*, show_header: bool = True, show_footer: bool = False) -> "Table":
    """A table in the one style that all commands have: a line below the headings, no other."""
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        show_header=show_header,
        show_footer=show_footer,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


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
        raise StorageError.at(
            "standard output",
            rule="must be writable",
            received=str(error.strerror),
            advice="see to the disk that it goes to",
        ) from error


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
