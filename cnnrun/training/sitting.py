"""One sitting at a run: what travels together from its beginning, or its resumption, to its end."""

import time
from dataclasses import dataclass, field

from cnnrun.runs.events import RunListener, logged
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs, write_epochs
from cnnrun.training.checkpoints import Best, Checkpoint
from cnnrun.training.profiling import Watch


class TrainingPausedError(Exception):
    """Training has come to the epoch after which it pauses; its checkpoint is written."""


@dataclass
class Progress:
    """How far a run has come; the callbacks of all its stages share one.

    Attributes:
        epoch: epochs that are done.
        best: the best epoch so far.
        fit_seconds: time spent in `fit`, earlier sittings of a resumed run included.
        training_seconds: time spent on training steps alone, an item an epoch of this sitting
            and this stage, for an epoch over features says nothing about one over images.
    """

    epoch: int = 0
    best: Best | None = None
    fit_seconds: float = 0.0
    training_seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Sitting:
    """One sitting at a run.

    Attributes:
        run: the run's folder, held by this process.
        checkpoint: where the run goes on; None where it begins.
        progress: how far it has come, brought up to date while it is trained.
        listener: who listens; hears what log.txt keeps, too.
        watch: who looks where the time goes.
        began: when the sitting began, of `time.perf_counter`.
        pause_after: how many epochs are trained for the time being; None for all.
    """

    run: RunFolder
    checkpoint: Checkpoint | None
    progress: Progress
    listener: RunListener
    watch: Watch
    began: float
    pause_after: int | None = None

    @property
    def seconds(self) -> float:
        """The wall time of the sitting so far."""
        return time.perf_counter() - self.began


def begin_sitting(
    run: RunFolder,
    *,
    checkpoint: Checkpoint | None,
    listener: RunListener,
    watch: Watch,
    began: float,
    pause_after: int | None = None,
) -> Sitting:
    """The sitting at a run; lines of epochs after its checkpoint go, for they come again.

    Args:
        run: the run's folder, held by this process.
        checkpoint: where the run goes on; None where it begins.
        listener: who listens, beside log.txt.
        watch: who looks where the time goes.
        began: when the sitting began, of `time.perf_counter`.
        pause_after: how many epochs are trained for the time being; None for all.
    """
    if checkpoint is None:
        write_epochs(run, ())
        progress = Progress()
    else:
        write_epochs(run, [row for row in read_epochs(run) if row.epoch <= checkpoint.epoch])
        progress = Progress(checkpoint.epoch, checkpoint.best, checkpoint.fit_seconds)
    return Sitting(run, checkpoint, progress, logged(run, listener), watch, began, pause_after)
