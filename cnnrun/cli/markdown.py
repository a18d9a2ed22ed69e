"""Markdown on a terminal, of which no word is left out."""

from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, TableElement
from rich.table import Table


class WholeTable(TableElement):
    """A table in which a name that is wider than its column goes on in the next line."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rich's own table, which would cut such names off."""
        for part in super().__rich_console__(console, options):
            if isinstance(part, Table):
                for column in part.columns:
                    column.overflow = "fold"
            yield part


class WholeMarkdown(Markdown):
    """Markdown with such tables."""

    elements: ClassVar = {**Markdown.elements, "table_open": WholeTable}
