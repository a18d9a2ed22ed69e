"""How fast networks answer and what memory they take, each measured in a process of its own.

A process can choose how many threads TensorFlow has only once, and its memory tells what a network
takes only where nothing else was loaded before; speed_process.py is what runs in it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import WorkError
from cnnrun.export.memory import own_peak_bytes
from cnnrun.runs.environment import usable_cores

Pixels = NDArray[np.float32]
Shape = tuple[int, int, int]

BATCH: Final = 32
_SECONDS_EACH: Final = 0.5
_TIMES_AT_LEAST: Final = 3
_TIMES_AT_MOST: Final = 50
_PATIENCE_S: Final = 1800


@final
@dataclass(frozen=True)
class Speed:
    """What a network takes to answer.

    Attributes:
        threads: how many compute.
        one_ms: milliseconds for an image that comes alone.
        batch_ms: milliseconds an image, of batches.
        peak_memory_bytes: the most memory of the process that has it loaded; None where the system
            does not tell.
    """

    threads: int
    one_ms: float
    batch_ms: float
    peak_memory_bytes: int | None


def measured_speeds(what: str, path: Path, shape: Shape) -> tuple[Speed, ...]:
    """With one thread, and with one a core where there are several.

    Args:
        what: "keras" for a run's network in float32, or a format.
        path: the run's folder, or the network's file.
        shape: (height, width, channels) of an image.

    Raises:
        WorkError: a process that measures was ended by the system.
    """
    return tuple(
        _measured_apart(what, path, shape, threads) for threads in sorted({1, usable_cores()})
    )


def _measured_apart(what: str, path: Path, shape: Shape, threads: int) -> Speed:
    arguments = [what, str(path.absolute()), *map(str, shape), str(threads)]
    command = [sys.executable, "-P", "-m", "cnnrun.export.speed_process", *arguments]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"},
    )
    lines = ended.stdout.splitlines()
    if ended.returncode != 0 or not lines:
        raise WorkError.at(
            path,
            rule="must be measurable in a process of its own",
            received=f"one that ended with {ended.returncode}: {ended.stderr.strip()[-300:]}",
            advice="close other programs, or free memory, and give the command again",
        )
    return Speed(**json.loads(lines[-1]))


def speed_of(infer: Callable[[Pixels], Any], shape: Shape, *, threads: int) -> Speed:
    """Medians over repeated calls, after a first one.

    Args:
        infer: from pixels to probabilities.
        shape: (height, width, channels) of an image.
        threads: with how many it computes.
    """
    pixels = np.random.default_rng(0).uniform(0, 255, (BATCH, *shape)).astype(np.float32)
    return Speed(
        threads=threads,
        one_ms=1000 * _median_seconds(lambda: infer(pixels[:1])),
        batch_ms=1000 * _median_seconds(lambda: infer(pixels)) / BATCH,
        peak_memory_bytes=own_peak_bytes(),
    )


def _median_seconds(call: Callable[[], Any]) -> float:
    call()
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < _TIMES_AT_LEAST or (
        len(taken) < _TIMES_AT_MOST and time.perf_counter() - began < _SECONDS_EACH
    ):
        before = time.perf_counter()
        call()
        taken.append(time.perf_counter() - before)
    return float(np.median(taken))
