"""How a training run looks while it works: live for a person, quiet lines for everyone else."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cnnrun.runs.listeners import Plan, Reporter, epoch_line
from cnnrun.runs.metrics import EpochRow
from cnnrun.runs.result import RunResult

# On a terminal, more often than this nobody can read it.
REFRESH_S = 0.1


@contextmanager
def progress_reporter() -> Iterator[Reporter]:
    """The reporter that fits where standard error goes.

    Progress is not a result, so it stands on standard error.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield QuietLines(console)
        return
    live = LiveProgress(console)
    with live.bars:
        yield live


class QuietLines:
    """A line for the plan, for each epoch and for each note."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def note(self, text: str) -> None:
        """The note as a line."""
        self._line(f"note: {text}")

    def begin(self, plan: Plan) -> None:
        """What is trained on what."""
        self._line(plan_line(plan))

    def features(self, *, done: int, images: int) -> None:
        """Nothing: a note says when they are done."""

    def batch(self, *, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Nothing: epochs are news enough."""

    def epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """The epoch as a line."""
        self._line(epoch_line(row, is_best=is_best))

    def finish(self, result: RunResult) -> None:
        """Nothing: the command prints the result."""

    def _line(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, markup=False)


class LiveProgress:
    """Two bars that move, above them a line for every epoch that improved on the best."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[news]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self.plan: Plan | None = None
        self._epochs = self.bars.add_task("epochs", total=None, visible=False, news="")
        self._steps = self.bars.add_task("steps", total=None, visible=False, news="")
        self._epoch_started = self._drawn = time.monotonic()

    def note(self, text: str) -> None:
        """The note, above the bars."""
        self.console.print(f"note: {text}", markup=False)

    def begin(self, plan: Plan) -> None:
        """The bars appear."""
        self.plan = plan
        self.console.print(plan_line(plan), markup=False, soft_wrap=True)
        done = plan.first_epoch - 1
        self.bars.update(self._epochs, total=plan.epochs, completed=done, visible=True)
        self.bars.update(self._steps, total=plan.steps_per_epoch, visible=True)
        self._epoch_started = time.monotonic()

    def features(self, *, done: int, images: int) -> None:
        """The lower bar counts images, and then steps again."""
        if self.plan is not None and done == images:
            self.bars.update(self._steps, total=self.plan.steps_per_epoch, completed=0, news="")
            self._epoch_started = time.monotonic()
            return
        self.bars.update(self._steps, total=images, completed=done, news="through the backbone")

    def batch(self, *, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """The lower bar moves; beside it images a second and the metrics so far."""
        now = time.monotonic()
        if self.plan is None or now - self._drawn < REFRESH_S:
            return
        self._drawn = now
        images = step * self.plan.batch_size / max(now - self._epoch_started, 1e-9)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        self.bars.update(self._steps, completed=step, news=f"{images:,.0f} images/s  {shown}")

    def epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """The upper bar moves; the epoch's line stays, the best ones marked."""
        style = "bold green" if is_best else None
        line = epoch_line(row, is_best=is_best)
        self.console.print(line, style=style, markup=False, soft_wrap=True)
        self.bars.update(self._epochs, advance=1)
        self.bars.update(self._steps, completed=0)
        self._epoch_started = time.monotonic()

    def finish(self, result: RunResult) -> None:
        """The bars have done their work."""
        self.bars.update(self._epochs, visible=False)
        self.bars.update(self._steps, visible=False)


def plan_line(plan: Plan) -> str:
    """What is trained on what, and where it goes."""
    epochs = "1 epoch" if plan.epochs == 1 else f"{plan.epochs:,} epochs"
    goes_on = f", from epoch {plan.first_epoch}" if plan.first_epoch > 1 else ""
    return (
        f"{plan.training_images:,} training, {plan.validation_images:,} validation and"
        f" {plan.test_images:,} test images of {plan.classes} classes;"
        f" {plan.parameters:,} parameters; {epochs}{goes_on} -> {plan.run}"
    )
