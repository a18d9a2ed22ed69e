"""How an extraction looks while it works: a bar for a person, quiet lines for everyone else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Shown(Protocol):
    """What is told while features are extracted; see `cnnrun.features.extract.Reporter`."""

    def begin(self, *, images: int, finished: int) -> None:
        """So many images there are, of which so many are finished from earlier."""

    def advance(self, images: int) -> None:
        """So many more are finished."""

    def note(self, text: str) -> None:
        """Something that a person should know."""


@contextmanager
def extraction_reporter() -> Iterator[Shown]:
    """The reporter that fits where standard error goes; progress is not a result."""
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

    def begin(self, *, images: int, finished: int) -> None:
        """How much there is to do."""
        self.console.print(begin_line(images, finished), soft_wrap=True, markup=False)

    def advance(self, images: int) -> None:
        """Nothing: the command prints how many there were."""

    def note(self, text: str) -> None:
        """The note as a line."""
        self.console.print(f"note: {text}", soft_wrap=True, markup=False)


class LiveBar(QuietLines):
    """The same lines, and below them a bar that moves."""

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

    def begin(self, *, images: int, finished: int) -> None:
        """The bar appears."""
        super().begin(images=images, finished=finished)
        self.bar.update(self._task, total=images, completed=finished, visible=True)

    def advance(self, images: int) -> None:
        """The bar moves."""
        self.bar.update(self._task, advance=images)


def begin_line(images: int, finished: int) -> str:
    """How much there is to do."""
    total = "1 image" if images == 1 else f"{images:,} images"
    return f"{total}, {finished:,} of them finished before" if finished else total
