"""Results on standard output: tables for people, JSON documents for programs."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Wide enough that no table is ever folded or cut where no screen limits it.
UNLIMITED_WIDTH = 100_000


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Prints one JSON document, the only thing on standard output.

    NaN and infinite numbers have no JSON form; whoever builds the document writes None for them.
    """
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_text(text: str) -> None:
    """Prints a line of text as it is: no markup, no highlighting, no folding."""
    sys.stdout.write(f"{text}\n")


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numeric: frozenset[str] = frozenset(),
    totals: Sequence[str] | None = None,
    title: str | None = None,
) -> None:
    """Prints a table that fits the terminal, or is as wide as it likes where there is none.

    Args:
        headings: one a column.
        rows: cells as text, in the order of the headings.
        numeric: the headings whose columns are aligned to the right and are never folded.
        totals: a last row, set apart by a rule.
        title: a line above the table.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = [tuple(row) for row in rows]
    table = Table(
        box=box.SIMPLE_HEAD, show_footer=totals is not None, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for index, heading in enumerate(headings):
        cells = [row[index] for row in rows] + ([totals[index]] if totals else [])
        is_number = heading in numeric
        table.add_column(
            Text(heading),
            Text(totals[index]) if totals else "",
            justify="right" if is_number else "left",
            overflow="fold",
            min_width=max(map(len, cells), default=0) if is_number else None,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = result_console()
    if title:
        console.print(Text(title, style="bold"))
    console.print(table)


def result_console() -> "Console":
    """A console on standard output: colours and a width on a terminal, plain and wide elsewhere."""
    from rich.console import Console

    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if has_width else UNLIMITED_WIDTH, highlight=False, emoji=False)
