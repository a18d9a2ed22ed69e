"""Worker processes on this machine."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import IO, Any, Final

from cnnrun.ablation.execution.pool import Answer, Died, Event
from cnnrun.ablation.execution.tasks import Report, Task

_PROCESS: Final = "cnnrun.ablation.execution.worker_process"
_LAST_WORDS: Final = 2000
"""How many characters of what a worker said are repeated when it died before its first task."""


class WorkerProcess:
    """A process of `cnnrun.ablation.execution.worker_process`, and the connection to it."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, "-m", _PROCESS, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            **_handing_on(theirs.fileno()),
            # Apart from the terminal: Ctrl-C is for the command, which ends its workers.
            start_new_session=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"},
        )
        theirs.close()

    def give(self, task: Task) -> None:
        """Send a task; that a worker has died shows when its answer is read."""
        try:
            self.connection.send(task)
        except OSError:
            return

    def answer(self) -> Report | str:
        """What came of the task, as soon as that is known; or of what the worker died, in words."""
        try:
            report: Report = self.connection.recv()
        except (EOFError, OSError):
            return self._cause_of_death()
        return report

    def end(self) -> None:
        """End the process, whatever it does; files appear whole or not at all."""
        self.connection.close()
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _cause_of_death(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        last = self._said.read()[-_LAST_WORDS:].decode(errors="replace").strip()
        said = f"; it said: {last}" if last else ""
        if code >= 0:
            return f"its process ended with code {code}{said}"
        killed = "; the system does that where memory runs out" if -code == signal.SIGKILL else ""
        return f"its process was ended by {signal.Signals(-code).name}{killed}{said}"


def _handing_on(descriptor: int) -> dict[str, Any]:
    """The arguments by which a process inherits a descriptor, or on Windows a handle."""
    if not hasattr(os, "set_handle_inheritable"):
        return {"pass_fds": [descriptor]}
    os.set_handle_inheritable(descriptor, True)
    return {"close_fds": False}


class LocalPool:
    """Workers that are processes of this machine; see `Pool`."""

    def __init__(self, *, jobs: int) -> None:
        """How many workers there are to be at a time."""
        self.jobs = jobs
        self._workers: dict[int, WorkerProcess] = {}
        self._started = 0

    def start(self) -> int:
        """The number of a new worker."""
        self._started += 1
        self._workers[self._started] = WorkerProcess()
        return self._started

    def give(self, worker: int, task: Task) -> None:
        """Have a worker do a task."""
        self._workers[worker].give(task)

    def wait(self) -> Sequence[Event]:
        """What has happened, as soon as something has."""
        numbers: dict[Connection[Any, Any], int] = {
            each.connection: number for number, each in self._workers.items()
        }
        heard = [numbers[each] for each in wait(list(numbers)) if isinstance(each, Connection)]
        return [self._event(number) for number in heard]

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()

    def _event(self, number: int) -> Event:
        answer = self._workers[number].answer()
        if not isinstance(answer, str):
            return Answer(number, answer)
        self._workers.pop(number).end()
        return Died(number, answer)
