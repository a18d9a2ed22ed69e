"""How an extraction looks while it works: a bar for a person, quiet lines for everyone else."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cnnrun.cli.terminal import fitted
from cnnrun.runs.events import (
    ExtractionBegins,
    ExtractionEvent,
    ExtractionListener,
    ImagesExtracted,
    Note,
    silent,
)
from cnnrun.shown_text import harmless


@contextmanager
def extraction_progress(*, quiet: bool) -> Iterator[ExtractionListener]:
    """The listener that fits where standard error goes; progress is not a result."""
    if quiet:
        yield silent
        return
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield QuietLines(console)
        return
    live = LiveBar(console)
    with live.bar:
        yield live


class QuietLines:
    """A line for the beginning and for each note."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, event: ExtractionEvent) -> None:
        """Print the event's line, if it is news enough."""
        match event:
            case Note():
                self._line(f"note: {event.text}")
            case ExtractionBegins():
                self._line(begin_line(event))
            case ImagesExtracted():
                pass  # the command prints how many there were

    def _line(self, text: str) -> None:
        text = harmless(text)
        shown = fitted(text, self.console.width) if self.console.is_terminal else text
        self.console.print(shown, soft_wrap=True, markup=False)


class LiveBar(QuietLines):
    """The lines of `QuietLines`, and below them a bar that moves."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.bar = Progress(
            TextColumn("images"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._task = self.bar.add_task("images", total=None, visible=False)

    def __call__(self, event: ExtractionEvent) -> None:
        """Print the line, and move the bar."""
        super().__call__(event)
        match event:
            case ExtractionBegins():
                self.bar.update(
                    self._task, total=event.images, completed=event.finished, visible=True
                )
            case ImagesExtracted():
                self.bar.update(self._task, advance=event.images)
            case Note():
                pass


def begin_line(event: ExtractionBegins) -> str:
    """How much there is to do."""
    total = "1 image" if event.images == 1 else f"{event.images:,} images"
    return f"{total}, {event.finished:,} of them finished before" if event.finished else total
