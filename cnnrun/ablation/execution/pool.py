"""What runs tasks in worker processes, wherever these are: the local pool, or Ray's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cnnrun.ablation.execution.tasks import Report, Task


@dataclass(frozen=True)
class Answer:
    """A worker has answered: it is ready for its first task, or done with the one it had.

    Attributes:
        worker: its number.
        report: what came of its task.
    """

    worker: int
    report: Report


@dataclass(frozen=True)
class Died:
    """A worker has died; `why` says of what, as far as that is known."""

    worker: int
    why: str


Event = Answer | Died


class Pool(Protocol):
    """Worker processes, by numbers that are never used twice.

    Attributes:
        jobs: how many there are to be at a time.
    """

    jobs: int

    def start(self) -> int:
        """The number of a new worker, which answers once when it is ready."""

    def give(self, worker: int, task: Task) -> None:
        """Have a worker that has answered do a task."""

    def wait(self) -> Sequence[Event]:
        """What has happened, as soon as something has."""

    def close(self) -> None:
        """End all workers at once, whatever they do."""
