"""Who works on what in a folder that several machines share: claims, which are files.

A holder renews its claims while it lives. A claim is abandoned when it was not renewed for a minute
by the clock of the disk, which writes the times of files; the clocks of the machines do not count.
Of a holder on this very machine it is known at once, by a lock that ends with its process.

Two may hold the same claim by mischance, such as after a machine that slept. So what is claimed has
to bear being done twice.
"""

import hashlib
import json
import os
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from cnnrun.runs.files import PARTIAL_PREFIX, storage_errors, write_new, write_text

CLAIMS_FOLDER: Final = ".claims"
RENEWED_EVERY_S: Final = 10.0
ABANDONED_AFTER_S: Final = 60.0

_SUFFIX: Final = ".json"
_LOCK_SUFFIX: Final = ".lock"
_DIGEST_BYTES: Final = 4
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Claim:
    """The content of a claim.

    Attributes:
        holder: the name of who holds it, unique for all time.
        host: the name of the holder's machine, for a person.
        machine: what tells that machine, and its start, from all others.
        process: the id of the holder's process there.
    """

    holder: str
    host: str
    machine: str
    process: int

    @property
    def whose(self) -> str:
        """The holder, for a person."""
        return f"process {self.process} on {self.host}"


class Holder:
    """The process, among those that work in a folder; made by `holding`.

    Attributes:
        name: tells it from all others, those of other times too.
        since: the time on the disk's clock when it began, seconds.
    """

    def __init__(self, folder: Path) -> None:
        """Who holds claims of the folder."""
        host = socket.gethostname()
        plain_host = re.sub(r"[^A-Za-z0-9-]", "-", host)
        machine = _this_machine()
        token = secrets.token_hex(4)
        self.name = f"{plain_host}-{os.getpid()}-{token}{_digest(machine)}"
        self.folder = folder / CLAIMS_FOLDER
        self._claim = Claim(self.name, host, machine, os.getpid())
        self._held: set[Path] = set()
        self._lock = FileLock(self._lock_of(self.name))
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        self.since = self._disk_seconds()

    def take(self, name: str) -> bool:
        """Whether this process holds a claim now, which nobody else held or somebody abandoned.

        Raises:
            StorageError: the folder cannot be written to.
        """
        path = self._path(name)
        if path in self._held:
            return True
        if self._written(path):
            return True
        claim = _read(path)
        if claim is not None and (self._lives(claim, path) or not _set_aside(path, claim)):
            return False
        return self._written(path)

    def release(self, name: str) -> None:
        """Let a claim go, if this process still holds it."""
        path = self._path(name)
        self._held.discard(path)
        claim = _read(path)
        if claim is not None and claim.holder == self.name:
            with suppress(OSError):
                path.unlink()

    def of_others(self, name: str) -> Claim | None:
        """The claim that another process holds, which lives as far as can be known."""
        path = self._path(name)
        claim = _read(path)
        if claim is None or claim.holder == self.name or not self._lives(claim, path):
            return None
        return claim

    def renew(self) -> None:
        """Say that this process lives."""
        for path in (self._lock_of(self.name), *self._held.copy()):
            with suppress(OSError):  # let go meanwhile, or taken over; the disk may be away
                os.utime(path)

    def fail(self, name: str, why: str) -> None:
        """Tell those who are at work now that what `name` names cannot be done.

        Raises:
            StorageError: the folder cannot be written to.
        """
        write_text(self._failure_of(name), why)

    def failure(self, name: str) -> str | None:
        """Why a process could not do something, told since this one began; None where none did."""
        path = self._failure_of(name)
        try:
            return path.read_text(encoding="utf-8") if path.stat().st_mtime >= self.since else None
        except OSError:
            return None

    def close(self) -> None:
        """Let all claims go, and take away what dead holders have left."""
        for path in self._held.copy():
            self.release(path.name.removesuffix(_SUFFIX))
        for path in self.folder.glob(f"*{_SUFFIX}"):
            claim = _read(path)
            if claim is not None and not self._lives(claim, path):
                _set_aside(path, claim)
        self._lock.release()
        with suppress(OSError):
            self._lock_of(self.name).unlink(missing_ok=True)
            if not self._is_anybody_here():
                for path in self.folder.iterdir():
                    path.unlink(missing_ok=True)
                self.folder.rmdir()

    def _is_anybody_here(self) -> bool:
        """Whether another process is at work in the folder; what the dead have left is removed."""
        locks = list(self.folder.glob(f"*{_LOCK_SUFFIX}"))
        ours = _digest(self._claim.machine)
        living = [
            path
            for path in locks
            if (_is_locked(path) if path.stem.endswith(ours) else self._is_fresh(path))
        ]
        for path in set(locks) - set(living):
            path.unlink(missing_ok=True)
        return bool(living)

    def _written(self, path: Path) -> bool:
        written = write_new(path, json.dumps(asdict(self._claim)).encode())
        if written:
            self._held.add(path)
        return written

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"

    def _lives(self, claim: Claim, path: Path) -> bool:
        if claim.machine == self._claim.machine:
            return _is_locked(self._lock_of(claim.holder))
        return self._is_fresh(path)

    def _is_fresh(self, path: Path) -> bool:
        try:
            renewed = path.stat().st_mtime
        except OSError:  # let go meanwhile
            return False
        return abs(self._disk_seconds() - renewed) <= ABANDONED_AFTER_S

    def _lock_of(self, holder: str) -> Path:
        return self.folder / f"{holder}{_LOCK_SUFFIX}"

    def _failure_of(self, name: str) -> Path:
        return self.folder / f"{name}.failed"

    def _disk_seconds(self) -> float:
        """The time on the clock of the disk, which it gives to a file that is written now."""
        path = self.folder / f"{PARTIAL_PREFIX}{self.name}.clock"
        with storage_errors(path):
            path.write_bytes(b".")
            try:
                return path.stat().st_mtime
            finally:
                path.unlink()


def work_folder(place: Path, holder: str) -> Path:
    """Where a holder makes a run that is to lie in a place: beside it, for paths are relative."""
    return place.with_name(f".{place.name}.{holder}")


def is_work_folder(name: str) -> bool:
    """Whether a folder is called as `work_folder` calls one."""
    return re.fullmatch(r"\.[^.]+\..+", name) is not None


@contextmanager
def holding(folder: Path) -> Iterator[Holder]:
    """Within the block, this process among those that work in a folder; its claims are renewed.

    Raises:
        StorageError: the folder cannot be written to.
    """
    holder = Holder(folder)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(holder, ended), daemon=True)
    renewing.start()
    try:
        yield holder
    finally:
        ended.set()
        renewing.join()
        holder.close()


def _renew(holder: Holder, ended: threading.Event) -> None:
    while not ended.wait(RENEWED_EVERY_S):
        holder.renew()


def _read(path: Path) -> Claim | None:
    """What a claim says, of nobody where it is damaged; None where there is none."""
    try:
        return Claim(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        return Claim("nobody", "an unknown machine", "", 0)
    except OSError:
        return None


def _set_aside(path: Path, claim: Claim) -> bool:
    """Whether an abandoned claim is gone, and not another one that took its place meanwhile."""
    aside = path.with_name(f"{PARTIAL_PREFIX}{secrets.token_hex(4)}-{path.name}")
    try:
        path.rename(aside)
    except OSError:
        return False
    is_the_same = _read(aside) == claim
    with suppress(OSError):
        if not is_the_same:
            os.link(aside, path)
        aside.unlink()
    return is_the_same


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # not ours to lock
        return True
    lock.release()
    return False


def _digest(machine: str) -> str:
    return hashlib.blake2b(machine.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _this_machine() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()
