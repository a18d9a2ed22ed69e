"""What a training run says while it works, to whoever listens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cnnrun.runs.files import append_line
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow
from cnnrun.runs.result import RunResult


@dataclass(frozen=True)
class Plan:
    """What a run is about to do."""

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


class Reporter(Protocol):
    """Listens to a run. Epochs and steps count from 1."""

    def note(self, text: str) -> None:
        """A sentence that the user should read."""

    def begin(self, plan: Plan) -> None:
        """Training is about to begin."""

    def features(self, *, done: int, images: int) -> None:
        """A frozen backbone has seen `done` of the images that a bottleneck stage keeps."""

    def batch(self, *, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """`step` steps of `epoch` are done; `metrics` are those of the epoch so far."""

    def epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """An epoch is done; `row` is its line of metrics.jsonl."""

    def finish(self, result: RunResult) -> None:
        """The run is done; `result` is its result.json."""


class Silent:
    """Says nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def begin(self, plan: Plan) -> None:
        """Nothing."""

    def features(self, *, done: int, images: int) -> None:
        """Nothing."""

    def batch(self, *, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Nothing."""

    def epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """Nothing."""

    def finish(self, result: RunResult) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Logged:
    """Passes everything on, and keeps the notes and epochs in the run's log.txt."""

    run: RunFolder
    listener: Reporter

    def note(self, text: str) -> None:
        """Keep and pass on."""
        append_line(self.run.log_txt, text)
        self.listener.note(text)

    def begin(self, plan: Plan) -> None:
        """Keep and pass on."""
        append_line(
            self.run.log_txt,
            f"training on {plan.training_images} images, epochs {plan.first_epoch} to"
            f" {plan.epochs}, {plan.steps_per_epoch} steps each",
        )
        self.listener.begin(plan)

    def features(self, *, done: int, images: int) -> None:
        """Pass on."""
        self.listener.features(done=done, images=images)

    def batch(self, *, epoch: int, step: int, metrics: Mapping[str, float]) -> None:
        """Pass on."""
        self.listener.batch(epoch=epoch, step=step, metrics=metrics)

    def epoch(self, row: EpochRow, *, is_best: bool) -> None:
        """Keep and pass on."""
        append_line(self.run.log_txt, epoch_line(row, is_best=is_best))
        self.listener.epoch(row, is_best=is_best)

    def finish(self, result: RunResult) -> None:
        """Keep and pass on."""
        append_line(self.run.log_txt, f"finished in {result.seconds['total']:.1f} s")
        self.listener.finish(result)


def epoch_line(row: EpochRow, *, is_best: bool) -> str:
    """An epoch as one line: `epoch 3  loss 0.2512  val_loss 0.2301 (best)  1.2 s`."""
    numbers = "  ".join(f"{name} {value:.4g}" for name, value in row.values.items())
    best = "  best so far" if is_best else ""
    return f"epoch {row.epoch}  {numbers}  {row.seconds:.1f} s{best}"
