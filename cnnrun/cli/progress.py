"""How a training run looks while it works: live for a person, quiet lines for everyone else."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cnnrun.cli.terminal import fitted
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
    silent,
)
from cnnrun.shown_text import harmless

# On a terminal, more often than this nobody can read it.
REFRESH_S = 0.1
BAR_WIDTH = 24
# Characters beside the bar and the news: `epochs`, `12/40`, `0:00:12`, and the gaps between them.
BESIDE_THE_BAR = 30
BEST = "  best so far"
NUMBER_WIDTH = 9  # of `1.234e-05`


@contextmanager
def training_progress(*, quiet: bool) -> Iterator[RunListener]:
    """The listener that fits where standard error goes.

    Progress is not a result, so it stands on standard error.
    """
    if quiet:
        yield silent
        return
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


class Count(MofNCompleteColumn):
    """How much is done of how much, where that is known."""

    def render(self, task: Task) -> Text:
        """Such as `12/40`."""
        return super().render(task) if task.total is not None else Text("")


class LiveProgress:
    """Two bars that move, above them a line for every epoch and note, the best ones marked.

    Epochs stand as a table where the terminal is wide enough for it.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_WIDTH),
            Count(),
            TextColumn("{task.fields[news]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self.plan: TrainingBegins | None = None
        self._headings = ""
        self._preparing = self.bars.add_task("preparing", total=None, news="images and network")
        self._epochs = self.bars.add_task("epochs", total=None, visible=False, news="")
        self._steps = self.bars.add_task("steps", total=None, visible=False, news="")
        self._epoch_started = self._drawn = time.monotonic()

    def __call__(self, event: RunEvent) -> None:
        """Move what moves, and print what stays."""
        match event:
            case Note():
                self._print(fitted(f"note: {event.text}", self.console.width))
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
        self.bars.update(self._preparing, visible=False)
        self._print(fitted(begin_line(plan), self.console.width))
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
        numbers = [f"{name} {value:.4f}" for name, value in event.metrics.items()]
        room = self.console.width - BAR_WIDTH - BESIDE_THE_BAR
        news = as_many_as_fit([f"{images:,.0f} images/s", *numbers], room)
        self.bars.update(self._steps, completed=event.step, news=news)

    def _end_epoch(self, event: EpochDone) -> None:
        """The upper bar moves; the epoch's line stays, the best ones marked."""
        headings, line = epoch_row(event)
        if len(headings) + len(BEST) > self.console.width:
            line = fitted(epoch_line(event), self.console.width)
        elif headings != self._headings:
            self._headings = headings
            self._print(headings)
        self._print(line, style="bold green" if event.is_best else None)
        self.bars.update(self._epochs, advance=1)
        self.bars.update(self._steps, completed=0)
        self._epoch_started = time.monotonic()

    def _print(self, text: str, *, style: str | None = None) -> None:
        self.console.print(harmless(text), style=style, markup=False, soft_wrap=True)


def epoch_row(event: EpochDone) -> tuple[str, str]:
    """An epoch as a row of a table, and the headings of that table."""
    row = event.row
    columns = {"epoch": f"{row.epoch}"}
    columns |= {name: f"{value:.4g}" for name, value in row.values.items()}
    columns |= {"time": f"{row.seconds:.1f} s"}
    narrow = {"epoch": 5, "time": 6}
    widths = [narrow.get(name) or max(len(name), NUMBER_WIDTH) for name in columns]
    headings, cells = (
        "  ".join(text.rjust(width) for text, width in zip(texts, widths, strict=True))
        for texts in (columns, columns.values())
    )
    return headings, f"{cells}{BEST if event.is_best else ''}"


def as_many_as_fit(parts: Sequence[str], width: int) -> str:
    """Parts side by side, without those at the end for which there is no room."""
    shown = ""
    for part in parts:
        longer = f"{shown}  {part}" if shown else part
        if len(longer) > width:
            break
        shown = longer
    return shown


def begin_line(plan: TrainingBegins) -> str:
    """What is trained on what, and where it goes."""
    epochs = "1 epoch" if plan.epochs == 1 else f"{plan.epochs:,} epochs"
    goes_on = f", from epoch {plan.first_epoch}" if plan.first_epoch > 1 else ""
    return (
        f"{plan.training_images:,} training, {plan.validation_images:,} validation and"
        f" {plan.test_images:,} test images of {plan.classes} {plan.noun};"
        f" {plan.parameters:,} parameters; {epochs}{goes_on} -> {plan.run}"
    )
