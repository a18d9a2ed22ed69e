"""How a study looks while it runs: a table that moves for a person, a line a cell elsewhere."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cnnrun.ablation.execution.schedule import (
    CellBegins,
    CellDone,
    CellsBegin,
    StudyEvent,
    StudyListener,
)
from cnnrun.cli.terminal import fitted, for_terminal
from cnnrun.runs.events import Note, silent
from cnnrun.shown_text import harmless
from cnnrun.wording import duration

_REFRESHES_A_SECOND = 8


@contextmanager
def study_progress(heading: str, *, quiet: bool) -> Iterator[StudyListener]:
    """The listener that fits where standard error goes, below a heading."""
    if quiet:
        yield silent
        return
    console = Console(stderr=True, highlight=False)
    shown = for_terminal(harmless(heading)) if console.is_terminal else harmless(heading)
    console.print(shown, markup=False, soft_wrap=True)
    if not console.is_terminal:
        yield StudyLines(console)
        return
    table = StudyTable(console)
    with Live(
        console=console,
        get_renderable=table.renderable,
        refresh_per_second=_REFRESHES_A_SECOND,
        transient=True,
    ):
        yield table


class StudyLines:
    """A line for each note and each cell that has an outcome."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cells = 0

    def __call__(self, event: StudyEvent) -> None:
        """Print the event's line, if it is news enough."""
        match event:
            case Note():
                self._line(f"note: {event.text}")
            case CellsBegin():
                self._cells = sum(event.cells.values())
                self._line(begin_line(event))
            case CellDone():
                self._line(f"{event.done}/{self._cells}  {outcome_line(event)}")
            case CellBegins():
                pass  # its end is news enough

    def _line(self, text: str) -> None:
        self._console.print(harmless(text), soft_wrap=True, markup=False)


def begin_line(event: CellsBegin) -> str:
    """How many cells there are to run."""
    cells = sum(event.cells.values())
    done = f", {len(event.reused)} of them done before" if event.reused else ""
    running = f"; {event.jobs} at a time" if event.jobs else ""
    return f"{cells} {'cell' if cells == 1 else 'cells'}{done}{running}"


def outcome_line(event: CellDone) -> str:
    """A cell's end; what it measured is not shown before all are done."""
    outcome = event.outcome
    took = f"  {outcome.seconds['total']:.1f} s" if "total" in outcome.seconds else ""
    left = f"  {duration(event.seconds_left)} left" if event.seconds_left else ""
    why = f": {outcome.why}" if outcome.why else ""
    return f"{outcome.name}: {outcome.state}{why}{took}{left}"


class StudyTable:
    """A row for each arm with its cells, and how long it takes yet."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._cells: Mapping[str, int] = {}
        self._states: dict[str, Counter[str]] = {}
        self._running: Counter[str] = Counter()
        self._seconds_left: float | None = None

    def __call__(self, event: StudyEvent) -> None:
        """Count cells; notes stand above the table."""
        match event:
            case Note():
                text = fitted(harmless(f"note: {event.text}"), self._console.width)
                self._console.print(text, markup=False, soft_wrap=True)
            case CellsBegin():
                self._begin(event)
                for outcome in event.reused:
                    self._states[outcome.arm][outcome.state] += 1
            case CellBegins():
                self._running[event.cell.arm] += 1
            case CellDone():
                self._end_cell(event)

    def _begin(self, event: CellsBegin) -> None:
        """Count anew: a study that is tuned has its trials before its cells."""
        self._cells = event.cells
        self._states = {arm: Counter() for arm in event.cells}
        self._running.clear()
        self._seconds_left = None

    def _end_cell(self, event: CellDone) -> None:
        outcome = event.outcome
        self._running[outcome.arm] = max(0, self._running[outcome.arm] - 1)
        self._states[outcome.arm][outcome.state] += 1
        self._seconds_left = event.seconds_left
        if outcome.state == "failed":
            self(Note(f"{outcome.name} failed: {outcome.why}"))

    def renderable(self) -> RenderableType:
        """The table as it stands."""
        table = Table(box=None, pad_edge=False)
        for heading in ("arm", "cells", ""):
            table.add_column(heading)
        for arm, cells in self._cells.items():
            states = self._states[arm]
            table.add_row(
                Text(harmless(arm)),
                Text(f"{states.total()}/{cells}"),
                Text(self._in_words(arm)),
            )
        done = sum(states.total() for states in self._states.values())
        total = sum(self._cells.values())
        left = f"{duration(self._seconds_left)} left" if self._seconds_left else ""
        bar = Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(total=total, completed=done, width=30), f"{done}/{total}", left)
        return Group(table, bar)

    def _in_words(self, arm: str) -> str:
        states = self._states[arm]
        parts = [f"{self._running[arm]} running"] if self._running[arm] else []
        parts += [f"{states[name]} {name}" for name in ("diverged", "failed") if states[name]]
        return ", ".join(parts)
