"""Listeners for tests: what was said, and Ctrl-C at a chosen moment."""

from dataclasses import dataclass, field
from typing import Any

from cnnrun.runs.events import EpochDone, Note


@dataclass
class Heard:
    """Keeps every event; presses Ctrl-C when the epoch `stop_after` is done."""

    stop_after: int | None = None
    events: list[Any] = field(default_factory=list)

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        if isinstance(event, EpochDone) and event.row.epoch == self.stop_after:
            raise KeyboardInterrupt

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of a kind, in their order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def notes(self) -> list[str]:
        """The texts of the notes."""
        return [note.text for note in self.of(Note)]
