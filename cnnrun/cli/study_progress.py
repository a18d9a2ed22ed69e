"""How a study looks while it runs: a table that moves for a person, a line a cell elsewhere."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.execution.schedule import CellListener
from cnnrun.ablation.planning.plan import Cell, StudyPlan
from cnnrun.ablation.studies.study import Study
from cnnrun.cli.study_output import duration

_REFRESHES_A_SECOND = 8


@contextmanager
def study_listener(study: Study, plan: StudyPlan, folder: Path) -> Iterator[CellListener]:
    """The listener that fits where standard error goes."""
    console = Console(stderr=True, highlight=False)
    arms, seeds = len(plan.arms), len(plan.seeds)
    heading = f"{plan.name}: {study.question}\n{arms} arms x {seeds} seeds -> {folder}"
    console.print(heading, markup=False, soft_wrap=True)
    if not console.is_terminal:
        yield StudyLines(console, plan)
        return
    table = StudyTable(console, plan)
    with Live(
        console=console,
        get_renderable=table.renderable,
        refresh_per_second=_REFRESHES_A_SECOND,
        transient=True,
    ):
        yield table


class StudyLines:
    """A line for each note and each cell that has an outcome."""

    def __init__(self, console: Console, plan: StudyPlan) -> None:
        self._console = console
        self._cells = len(plan.cells)

    def note(self, text: str) -> None:
        """The note as a line."""
        self._line(f"note: {text}")

    def begin(self, *, cells: int, reused: Sequence[CellOutcome], jobs: int) -> None:
        """How many cells there are to run."""
        self._cells = cells
        done = f", {len(reused)} of them done before" if reused else ""
        running = f"; {jobs} at a time" if jobs else ""
        self._line(f"{cells} cells{done}{running}")

    def started(self, cell: Cell) -> None:
        """Nothing: its end is news enough."""

    def finished(self, outcome: CellOutcome, *, done: int, seconds_left: float | None) -> None:
        """The cell as a line; what it measured is not shown before all are done."""
        took = f"  {outcome.seconds['total']:.1f} s" if "total" in outcome.seconds else ""
        left = f"  {duration(seconds_left)} left" if seconds_left else ""
        why = f": {outcome.why}" if outcome.why else ""
        self._line(
            f"{done}/{self._cells}  {outcome.arm}, seed {outcome.seed}: {outcome.state}{why}"
            f"{took}{left}"
        )

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False)


class StudyTable:
    """A row for each arm with its cells, and how long it takes yet."""

    def __init__(self, console: Console, plan: StudyPlan) -> None:
        self._console = console
        self._arms = [arm.name for arm in plan.arms]
        self._seeds = len(plan.seeds)
        self._states: dict[str, Counter[str]] = {arm: Counter() for arm in self._arms}
        self._running: Counter[str] = Counter()
        self._seconds_left: float | None = None

    def note(self, text: str) -> None:
        """The note, above the table."""
        self._console.print(f"note: {text}", markup=False)

    def begin(self, *, cells: int, reused: Sequence[CellOutcome], jobs: int) -> None:
        """What was done before counts as done."""
        for outcome in reused:
            self._states[outcome.arm][outcome.state] += 1

    def started(self, cell: Cell) -> None:
        """The cell counts as running."""
        self._running[cell.arm] += 1

    def finished(self, outcome: CellOutcome, *, done: int, seconds_left: float | None) -> None:
        """The cell counts as done; what it measured is not shown before all are done."""
        self._running[outcome.arm] = max(0, self._running[outcome.arm] - 1)
        self._states[outcome.arm][outcome.state] += 1
        self._seconds_left = seconds_left
        if outcome.state == "failed":
            self.note(f"{outcome.arm}, seed {outcome.seed} failed: {outcome.why}")

    def renderable(self) -> RenderableType:
        """The table as it stands."""
        table = Table(box=None, pad_edge=False)
        for heading in ("arm", "cells", ""):
            table.add_column(heading)
        for arm in self._arms:
            states = self._states[arm]
            table.add_row(
                Text(arm),
                Text(f"{states.total()}/{self._seeds}"),
                Text(self._in_words(arm)),
            )
        done = sum(states.total() for states in self._states.values())
        total = len(self._arms) * self._seeds
        left = f"{duration(self._seconds_left)} left" if self._seconds_left else ""
        bar = Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(total=total, completed=done, width=30), f"{done}/{total}", left)
        return Group(table, bar)

    def _in_words(self, arm: str) -> str:
        states = self._states[arm]
        parts = [f"{self._running[arm]} running"] if self._running[arm] else []
        parts += [f"{states[name]} {name}" for name in ("diverged", "failed") if states[name]]
        return ", ".join(parts)
