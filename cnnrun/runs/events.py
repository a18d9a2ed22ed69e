"""What is said while work goes on: an event a sentence, and listeners, who are told each.

A listener is a function of one event. Work tells what it has done and never asks who listens;
terminals, logs and tests listen. Studies have events of their own beside these, in
`ablation/execution/schedule.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cnnrun.runs.files import append_line
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow
from cnnrun.runs.result import RunResult
from cnnrun.shown_text import harmless


@dataclass(frozen=True)
class Note:
    """A sentence that the user should read; names in it cannot command a terminal."""

    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", harmless(self.text))


@dataclass(frozen=True)
class TrainingBegins:
    """What a run is about to do. Epochs count from 1."""

    run: str
    training_images: int
    validation_images: int
    test_images: int
    classes: int
    parameters: int
    epochs: int
    first_epoch: int
    batch_size: int
    steps_per_epoch: int
    monitor: str | None
    noun: str = "classes"


@dataclass(frozen=True)
class FeaturesComputed:
    """A frozen backbone has seen `done` of the `images` that a bottleneck stage keeps."""

    done: int
    images: int


@dataclass(frozen=True)
class StepsDone:
    """`step` steps of `epoch` are done; `metrics` are those of the epoch so far."""

    epoch: int
    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class EpochDone:
    """An epoch is done; `row` is its line of metrics.jsonl."""

    row: EpochRow
    is_best: bool


@dataclass(frozen=True)
class RunDone:
    """The run is done; `result` is its result.json."""

    result: RunResult


@dataclass(frozen=True)
class ExtractionBegins:
    """Features or predictions of so many images are wanted; so many are there from earlier."""

    images: int
    finished: int


@dataclass(frozen=True)
class ImagesExtracted:
    """The features or predictions of so many more images are on the disk."""

    images: int


RunEvent = Note | TrainingBegins | FeaturesComputed | StepsDone | EpochDone | RunDone
ExtractionEvent = Note | ExtractionBegins | ImagesExtracted

NoteListener = Callable[[Note], None]
RunListener = Callable[[RunEvent], None]
ExtractionListener = Callable[[ExtractionEvent], None]


def silent(event: object) -> None:
    """Listens to anything, and says nothing of it."""


def logged(run: RunFolder, listener: RunListener) -> RunListener:
    """A listener who keeps notes and epochs in the run's log.txt, and passes everything on."""

    def keep_and_pass_on(event: RunEvent) -> None:
        line = log_line(event)
        if line is not None:
            append_line(run.log_txt, line)
        listener(event)

    return keep_and_pass_on


def log_line(event: RunEvent) -> str | None:
    """An event as a line of log.txt; None for those that are too many to keep."""
    match event:
        case Note():
            return event.text
        case TrainingBegins():
            return (
                f"training on {event.training_images} images, epochs {event.first_epoch} to"
                f" {event.epochs}, {event.steps_per_epoch} steps each"
            )
        case EpochDone():
            return epoch_line(event)
        case RunDone():
            return f"finished in {event.result.seconds['total']:.1f} s"
        case FeaturesComputed() | StepsDone():
            return None


def epoch_line(event: EpochDone) -> str:
    """An epoch as one line: `epoch 3  loss 0.2512  val_loss 0.2301  1.2 s  best so far`."""
    row = event.row
    numbers = "  ".join(f"{name} {value:.4g}" for name, value in row.values.items())
    best = "  best so far" if event.is_best else ""
    return f"epoch {row.epoch}  {numbers}  {row.seconds:.1f} s{best}"
