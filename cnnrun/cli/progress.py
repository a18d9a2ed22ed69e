"""How a training run looks while it works: live for a person, quiet lines for everyone else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cnnrun.runs.events import (
    EpochDone,
    FeaturesComputed,
    Note,
    RunDone,
    RunEvent,
    RunListener,
    StepsDone,
    TrainingBegins,
    epoch_line,
)
from cnnrun.shown_text import harmless

# On a terminal, more often than this nobody can read it.
REFRESH_S = 0.1


@contextmanager
def training_progress() -> Iterator[RunListener]:
    """The listener that fits where standard error goes.

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

    def __call__(self, event: RunEvent) -> None:
        """Print the event's line, if it is news enough."""
        match event:
            case Note():
                self._line(f"note: {event.text}")
            case TrainingBegins():
                self._line(begin_line(event))
            case EpochDone():
                self._line(epoch_line(event))
            case FeaturesComputed() | StepsDone() | RunDone():
                pass  # a note, the epoch's line and the command's result say the same

    def _line(self, text: str) -> None:
        self.console.print(harmless(text), soft_wrap=True, markup=False)


class LiveProgress:
    """Two bars that move, above them a line for every epoch and note, the best ones marked."""

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
        self.plan: TrainingBegins | None = None
        self._epochs = self.bars.add_task("epochs", total=None, visible=False, news="")
        self._steps = self.bars.add_task("steps", total=None, visible=False, news="")
        self._epoch_started = self._drawn = time.monotonic()

    def __call__(self, event: RunEvent) -> None:
        """Move what moves, and print what stays."""
        match event:
            case Note():
                self.console.print(f"note: {event.text}", markup=False)
            case TrainingBegins():
                self._begin(event)
            case FeaturesComputed():
                self._count_images(event)
            case StepsDone():
                self._count_steps(event)
            case EpochDone():
                self._end_epoch(event)
            case RunDone():
                self.bars.update(self._epochs, visible=False)
                self.bars.update(self._steps, visible=False)

    def _begin(self, plan: TrainingBegins) -> None:
        self.plan = plan
        self.console.print(begin_line(plan), markup=False, soft_wrap=True)
        done = plan.first_epoch - 1
        self.bars.update(self._epochs, total=plan.epochs, completed=done, visible=True)
        self.bars.update(self._steps, total=plan.steps_per_epoch, visible=True)
        self._epoch_started = time.monotonic()

    def _count_images(self, event: FeaturesComputed) -> None:
        """The lower bar counts images, and then steps again."""
        if self.plan is not None and event.done == event.images:
            self.bars.update(self._steps, total=self.plan.steps_per_epoch, completed=0, news="")
            self._epoch_started = time.monotonic()
            return
        self.bars.update(
            self._steps, total=event.images, completed=event.done, news="through the backbone"
        )

    def _count_steps(self, event: StepsDone) -> None:
        """The lower bar moves; beside it images a second and the metrics so far."""
        now = time.monotonic()
        if self.plan is None or now - self._drawn < REFRESH_S:
            return
        self._drawn = now
        images = event.step * self.plan.batch_size / max(now - self._epoch_started, 1e-9)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in event.metrics.items())
        self.bars.update(self._steps, completed=event.step, news=f"{images:,.0f} images/s  {shown}")

    def _end_epoch(self, event: EpochDone) -> None:
        """The upper bar moves; the epoch's line stays, the best ones marked."""
        style = "bold green" if event.is_best else None
        self.console.print(epoch_line(event), style=style, markup=False, soft_wrap=True)
        self.bars.update(self._epochs, advance=1)
        self.bars.update(self._steps, completed=0)
        self._epoch_started = time.monotonic()


def begin_line(plan: TrainingBegins) -> str:
    """What is trained on what, and where it goes."""
    epochs = "1 epoch" if plan.epochs == 1 else f"{plan.epochs:,} epochs"
    goes_on = f", from epoch {plan.first_epoch}" if plan.first_epoch > 1 else ""
    return (
        f"{plan.training_images:,} training, {plan.validation_images:,} validation and"
        f" {plan.test_images:,} test images of {plan.classes} classes;"
        f" {plan.parameters:,} parameters; {epochs}{goes_on} -> {plan.run}"
    )
