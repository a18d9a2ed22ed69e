"""What became of a run: state.json, and the truth about runs whose process was killed."""

import os
import socket
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from cnnrun.errors import RunError
from cnnrun.runs.files import RESTORE, read_json, write_json
from cnnrun.runs.folder import RunFolder, is_held

StateName = Literal["running", "finished", "failed", "interrupted"]

_KILLED = "killed: its process ended without a word; `cnnrun train --resume` continues it"


@dataclass(frozen=True)
class RunState:
    """The state of a run.

    Attributes:
        state: running, finished, failed or interrupted.
        why: the reason, for a person; empty when there is nothing to say.
        started: when the run was first started, ISO 8601 in UTC.
        updated: when this state was written, ISO 8601 in UTC.
        process: the id of the process that wrote it.
        host: the name of the machine where it was written.
    """

    state: StateName
    why: str
    started: str
    updated: str
    process: int
    host: str

    def as_json(self) -> dict[str, Any]:
        """The content of state.json."""
        return asdict(self)


def write_state(run: RunFolder, state: StateName, *, why: str) -> RunState:
    """The new state of the run, written to state.json; `started` stays that of the first state.

    Raises:
        StorageError: state.json cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    written = RunState(
        state=state,
        why=why,
        started=_started_before(run) or now,
        updated=now,
        process=os.getpid(),
        host=socket.gethostname(),
    )
    write_json(run.state_json, written.as_json())
    return written


def read_state(run: RunFolder) -> RunState:
    """The state of the run; one that says "running" while no process holds the run was killed.

    Raises:
        RunError: state.json is absent or damaged.
    """
    state = _read_written_state(run)
    if state.state != "running" or is_held(run):
        return state
    state = _read_written_state(run)  # it may have ended well between the two looks
    return replace(state, state="interrupted", why=_KILLED) if state.state == "running" else state


def _started_before(run: RunFolder) -> str | None:
    try:
        return _read_written_state(run).started
    except RunError:
        return None


def _read_written_state(run: RunFolder) -> RunState:
    written = read_json(run.state_json)
    if not _is_state(written):
        raise RunError.at(
            run.state_json,
            rule="must hold the state of a run",
            received="a damaged file: another value",
            advice=RESTORE,
        )
    return RunState(**{name: written[name] for name in RunState.__dataclass_fields__})


def _is_state(written: Any) -> bool:
    return (
        isinstance(written, dict)
        and written.get("state") in get_args(StateName)
        and all(
            isinstance(written.get(name), str) for name in ("why", "started", "updated", "host")
        )
        and isinstance(written.get("process"), int)
    )
