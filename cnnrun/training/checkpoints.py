"""The state of a run at an epoch's end, whole enough to go on to the same bits.

A `.keras` or `.weights.h5` file would lose the state of dropout's generators and what the optimizer
averages, so every variable is written as it is, beside the attributes of the callbacks.
"""

import inspect
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cnnrun.errors import RunError
from cnnrun.runs.files import replacing, sync_now
from cnnrun.runs.folder import RunFolder

CHECKPOINTS_KEPT = 2
_STATE = "state"


@dataclass(frozen=True)
class Best:
    """The best epoch so far: its number from 1, its score, and the network's weights."""

    epoch: int
    score: float
    weights: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A run at the end of an epoch.

    Attributes:
        epoch: how many epochs are done.
        stage: number of the stage, from 0, that was being trained.
        stage_is_done: whether that stage has ended, on schedule or early.
        fit_seconds: time spent in `fit` so far.
        variables: every variable of network and optimizer, in their order.
        callbacks: the attributes of each of the user's callbacks, in their order.
        best: the best epoch so far.
    """

    epoch: int
    stage: int
    stage_is_done: bool
    fit_seconds: float
    variables: tuple[np.ndarray, ...]
    callbacks: tuple[Mapping[str, Any], ...]
    best: Best | None


def save_checkpoint(run: RunFolder, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole or not at all, then drop the oldest beyond two.

    Raises:
        StorageError: no space is left, or the folder cannot be written to.
    """
    state = {
        "epoch": checkpoint.epoch,
        "stage": checkpoint.stage,
        "stage_is_done": checkpoint.stage_is_done,
        "fit_seconds": checkpoint.fit_seconds,
        "callbacks": [_plain_state(attributes) for attributes in checkpoint.callbacks],
        "variables": len(checkpoint.variables),
        "best": None
        if checkpoint.best is None
        else {"epoch": checkpoint.best.epoch, "score": checkpoint.best.score},
    }
    arrays = {f"variable-{i}": value for i, value in enumerate(checkpoint.variables)}
    arrays |= _callback_arrays(checkpoint.callbacks)
    if checkpoint.best is not None:
        arrays |= {f"best-{i}": value for i, value in enumerate(checkpoint.best.weights)}
    # Python's JSON keeps NaN and infinities, which a callback's `best` may be.
    arrays[_STATE] = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)
    run.checkpoints.mkdir(exist_ok=True)
    sync_now()  # the lines of its epochs, which a run that goes on from it does not write again
    with replacing(_path(run, checkpoint.epoch, checkpoint.stage)) as partial:
        np.savez(partial, allow_pickle=False, **arrays)
    sync_now()
    for old in _files(run)[CHECKPOINTS_KEPT:]:
        old.unlink()


@dataclass(frozen=True)
class Found:
    """The newest checkpoint that can be read, and the damaged ones that are newer."""

    checkpoint: Checkpoint | None
    damaged: tuple[Path, ...]


def newest_checkpoint(run: RunFolder) -> Found:
    """The newest checkpoint that can be read.

    Raises:
        RunError: there are checkpoints and all of them are damaged.
    """
    damaged: list[Path] = []
    for path in _files(run):
        try:
            return Found(_read(path), tuple(damaged))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            damaged.append(path)
    if damaged:
        names = ", ".join(path.name for path in damaged)
        raise RunError.at(
            run.checkpoints,
            rule="a run goes on from a checkpoint that can be read",
            received=f"damaged ones alone ({names})",
            advice="train anew, without --resume",
        )
    return Found(None, ())


def _read(path: Path) -> Checkpoint:
    # NumPy leaves a damaged file open when it is given a path.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        state = json.loads(arrays[_STATE].tobytes())
        callbacks = tuple(
            attributes | _arrays_of_callback(arrays, number)
            for number, attributes in enumerate(state["callbacks"])
        )
        best = state["best"]
        return Checkpoint(
            epoch=state["epoch"],
            stage=state["stage"],
            stage_is_done=state["stage_is_done"],
            fit_seconds=state["fit_seconds"],
            variables=tuple(arrays[f"variable-{i}"] for i in range(state["variables"])),
            callbacks=callbacks,
            best=best and Best(best["epoch"], best["score"], _numbered(arrays, "best")),
        )


def _path(run: RunFolder, epoch: int, stage: int) -> Path:
    return run.checkpoints / f"epoch-{epoch:05d}-stage-{stage:02d}.npz"


def _files(run: RunFolder) -> list[Path]:
    return sorted(run.checkpoints.glob("epoch-*.npz"), reverse=True)


def _numbered(arrays: Mapping[str, np.ndarray], prefix: str) -> tuple[np.ndarray, ...]:
    count = sum(name.startswith(f"{prefix}-") for name in arrays)
    return tuple(arrays[f"{prefix}-{i}"] for i in range(count))


def callback_state(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """The attributes of a callback that change while it works: numbers, texts, lists of arrays.

    Its constructor's arguments are not among them: Keras changes the sign of a `min_delta` when the
    first epoch ends, and would change it back in a run that goes on.
    """
    arguments = inspect.signature(type(callback)).parameters
    return {
        name: value
        for name, value in vars(callback).items()
        if name not in (*arguments, "params", "_model") and (_is_plain(value) or _is_arrays(value))
    }


def restore_callback(callback: keras.callbacks.Callback, state: Mapping[str, Any]) -> None:
    """Put the attributes back; to be called after `on_train_begin`, which resets them."""
    for name, value in state.items():
        setattr(callback, name, value)


def _plain_state(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in attributes.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, np.number))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.number) else value


def _is_arrays(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, np.ndarray) for item in value)
    )


def _callback_arrays(callbacks: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    return {
        f"callback-{number}.{name}-{i}": array
        for number, attributes in enumerate(callbacks)
        for name, value in attributes.items()
        if _is_arrays(value)
        for i, array in enumerate(value)
    }


def _arrays_of_callback(arrays: Mapping[str, np.ndarray], number: int) -> dict[str, Any]:
    start = f"callback-{number}."
    names = {key.removeprefix(start).rpartition("-")[0] for key in arrays if key.startswith(start)}
    return {name: list(_numbered(arrays, f"{start}{name}")) for name in names}
