"""What is said between a study and its workers; values that pickle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnrun.config.sections import Config


@dataclass(frozen=True)
class CellTask:
    """A cell to run.

    Attributes:
        config: the config to train.
        diagnostics: whether activations and gradients are recorded on the way.
        key: the cell's.
        data: what `data_content` made of its images, which the worker has to find as well.
        versions: package -> version, which the worker has to have as well.
        folder: the run folder of the cell, which it may have been begun in before.
        cache_folder: where what cells share may be kept.
        with_git: whether its environment.json keeps the state of its config's repository.
        is_tested: whether its network sees the test images.
        pause_after: see `Cell`.
        cells_left: how many cells are not done, this one among them.
    """

    config: Config
    diagnostics: bool
    key: str
    data: Mapping[str, Any]
    versions: Mapping[str, str]
    folder: Path
    cache_folder: Path
    with_git: bool = True
    is_tested: bool = True
    pause_after: int | None = None
    cells_left: int = 1


@dataclass(frozen=True)
class TrialTask:
    """Networks to build, one of which is trained for a moment, in a folder that is thrown away.

    Attributes:
        configs: arm -> its config.
        diagnostics: whether activations and gradients are recorded, which takes time as well.
        folder: where to train, absent or empty.
    """

    configs: Mapping[str, Config]
    diagnostics: bool
    folder: Path


@dataclass(frozen=True)
class Done:
    """A cell is done, and its cell.json is written; or it pauses, which another file of it says.

    Attributes:
        room: how much room the study's models take, where it is much.
    """

    room: str | None = None


@dataclass(frozen=True)
class Failed:
    """A task has failed, for a reason that is told to a person.

    Attributes:
        why: the reason.
        ends_study: whether all other cells would fail, too.
        is_lasting: whether the task would fail again, since its config is to blame.
    """

    why: str
    ends_study: bool = False
    is_lasting: bool = False


@dataclass(frozen=True)
class Trial:
    """What a trial found.

    Attributes:
        parameters: arm -> parameters of its network.
        multiply_adds: arm -> multiply-adds of one image's pass through it.
        seconds_a_cell: what a cell of the costliest arm takes once its network is traced.
        seconds_an_arm: what a worker takes to trace that network.
    """

    parameters: Mapping[str, int]
    multiply_adds: Mapping[str, int]
    seconds_a_cell: float
    seconds_an_arm: float


Task = CellTask | TrialTask
Report = Done | Failed | Trial
