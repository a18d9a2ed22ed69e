"""Ctrl-C that is not lost when it falls into code whose exceptions Python drops."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import keras


class EndWhenInterrupted(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends `fit` after the step in which a signal came whose exception was lost.

    A signal's exception is raised wherever Python stands, and one that is raised in a `__del__`,
    of which TensorFlow's iterators have some in every epoch, is dropped by Python.
    """

    def __init__(self) -> None:
        super().__init__()
        self._came = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Notes the signals that raise exceptions (Ctrl-C, and what the caller has set so)."""
        handlers = _handlers()

        def note(number: int, frame: FrameType | None) -> None:
            self._came = True
            handlers[number](number, frame)

        try:
            for number in handlers:
                signal.signal(number, note)
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Raise the exception again."""
        if self._came:
            raise KeyboardInterrupt

    on_test_batch_end = on_train_batch_end


def _handlers() -> dict[int, Callable[[int, FrameType | None], Any]]:
    """What signals that end the work call; nothing outside of the main thread, the only to hear."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {
        int(number): handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(handler := signal.getsignal(number))
    }
