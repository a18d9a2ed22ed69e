"""Workers on the machines of a Ray cluster, which share a disk with this one.

Each actor of Ray starts the same worker process as the local pool does, so that a cell computes in
the same way wherever it runs.
"""

import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from cnnrun.ablation.execution.local_pool import WorkerProcess
from cnnrun.ablation.execution.pool import Answer, Died, Event
from cnnrun.ablation.execution.tasks import Report, Task
from cnnrun.errors import StudyError

_REACH_S: Final = 5.0
_WAIT_S: Final = 1.0
# What every conversation in HTTP/2, and so in gRPC, begins with, from either side: a frame of
# settings, here an empty one, whose fourth byte says what it is.
_SETTINGS: Final = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS


class CellActor:
    """A worker process on a machine of the cluster; Ray makes an actor of this class."""

    def __init__(self) -> None:
        self._worker = WorkerProcess()

    def ready(self) -> Report | str:
        """An answer once the worker is ready; text says of what it died."""
        return self._worker.answer()

    def run(self, task: Task) -> Report | str:
        """What came of a task; text says of what the worker died."""
        self._worker.give(task)
        return self._worker.answer()


class RayPool:
    """Workers that are actors of Ray, a processor core each; see `Pool`.

    Attributes:
        jobs: how many there are to be at a time.
    """

    def __init__(self, *, jobs: int | None, address: str | None) -> None:
        """Join the cluster at an address, or make one of this machine; None for all its cores.

        Raises:
            StudyError: Ray is not installed, or there is no cluster at the address, or no core.
        """
        self._ray = _ray()
        _join(self._ray, address, jobs=jobs)
        cores = int(self._ray.cluster_resources().get("CPU", 0))
        if not cores:
            self._ray.shutdown()
            raise StudyError.at(
                "--executor ray",
                rule="needs a core for each cell at a time",
                received="a Ray cluster without cores",
                advice="join machines to it with `ray start --address`",
            )
        self.jobs = min(jobs or cores, cores)
        self._actor_class = self._ray.remote(num_cpus=1, max_restarts=0)(CellActor)
        self._actors: dict[int, Any] = {}
        self._awaited: dict[Any, int] = {}
        self._started = 0

    def start(self) -> int:
        """The number of a new worker; it begins where and when a core is free."""
        self._started += 1
        actor = self._actor_class.remote()
        self._actors[self._started] = actor
        self._awaited[actor.ready.remote()] = self._started
        return self._started

    def give(self, worker: int, task: Task) -> None:
        """Have a worker do a task."""
        self._awaited[self._actors[worker].run.remote(task)] = worker

    def wait(self) -> Sequence[Event]:
        """What has happened, as soon as something has."""
        answered: list[Any] = []
        while not answered:  # in short waits, between which Ctrl-C is heard
            answered, _ = self._ray.wait(list(self._awaited), timeout=_WAIT_S)
        return [self._event(each) for each in answered]

    def close(self) -> None:
        """End all workers, and leave the cluster."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        self._ray.shutdown()

    def _event(self, answered: Any) -> Event:
        worker = self._awaited.pop(answered)
        try:
            answer = self._ray.get(answered)
        except self._ray.exceptions.RayError as error:
            answer = f"Ray has lost it: {' '.join(str(error).split())}"
        if not isinstance(answer, str):
            return Answer(worker, answer)
        self._ray.kill(self._actors.pop(worker))
        return Died(worker, answer)


def _ray() -> ModuleType:
    try:
        return import_module("ray")
    except ImportError as error:
        raise StudyError.at(
            "--executor ray",
            rule="needs the package ray",
            received="a Python without it",
            advice="`pip install 'cnnrun[ray]'` installs it",
        ) from error


def _join(ray: ModuleType, address: str | None, *, jobs: int | None) -> None:
    if address is not None:
        _refuse_unreachable(address)
    of_its_own = {"num_cpus": jobs, "include_dashboard": False} if address is None else {}
    try:
        with _signals_kept():
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level="ERROR",
                **of_its_own,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _unreachable(address, " ".join(str(error).split())) from error


def _refuse_unreachable(address: str) -> None:
    """Raise for an address where no server of Ray's kind answers; Ray would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():  # "auto"
        return
    try:
        with socket.create_connection((host, int(port)), timeout=_REACH_S) as connection:
            connection.sendall(_HELLO)
            answer = connection.recv(len(_SETTINGS))
    except TimeoutError as error:
        raise _unreachable(address, "nobody answers there") from error
    except OSError as error:
        raise _unreachable(address, error.strerror or str(error)) from error
    if answer[3:4] != _SETTINGS[3:4]:
        raise _unreachable(address, "what answers there is something else")


def _unreachable(address: str | None, reason: str) -> StudyError:
    if address is None:
        return StudyError.at(
            "--executor ray",
            rule="Ray must start on this machine",
            received=reason,
            advice="leave --executor out",
        )
    return StudyError.at(
        "--address",
        rule="must name a Ray cluster that can be reached",
        received=f"{address}: {reason}",
        advice="start one with `ray start --head` and give its address, or leave --address out for"
        " one on this machine alone",
    )


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Puts back what signals do: Ray would end the process without a word about its work."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            signal.signal(number, handler)
