"""Rows of text as CSV, which no spreadsheet takes for formulas, and as Markdown."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from cnnrun.shown_text import harmless

_FORMULA: Final = re.compile(r"'*[=+\-@]")


def csv_table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A CSV document (RFC 4180, but lines end in a plain line feed); None becomes an empty cell.

    A text that a spreadsheet would take for a formula gets an apostrophe, which `read_csv_table`
    takes off again.
    """
    return csv_lines((header, *rows))


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Lines of a CSV document; see `csv_table`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_as_text(cell) for cell in row] for row in rows)
    return text.getvalue()


def read_csv_table(text: str) -> Iterator[list[str]]:
    """The rows of what `csv_table` wrote, its header first.

    Raises:
        csv.Error: the text is no CSV.
    """
    for row in csv.reader(io.StringIO(text, newline="")):
        yield [without_apostrophe(cell) for cell in row]


def without_apostrophe(cell: str) -> str:
    """What a cell was before `csv_table` kept spreadsheets from taking it for a formula."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would take a text for a formula."""
    return cell[:1] in ("=", "+", "-", "@") and not _is_number(cell)


def _as_text(cell: object) -> object:
    """A text that begins like a formula, behind an apostrophe; whatever else as it is."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _is_number(cell):
        return f"'{cell}"
    return cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up in plain text, too."""
    cells = [[_escaped(cell) for cell in row] for row in (header, *rows)]
    widths = [max(3, *(len(cell) for cell in column)) for column in zip(*cells, strict=True)]
    first, *rest = ("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells)
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([first, rule, *rest]) + "\n"


def _escaped(cell: str) -> str:
    plain = harmless(cell.replace("\\", "\\\\").replace("|", "\\|"))
    return plain.replace("\n", " ").replace("\t", " ")
