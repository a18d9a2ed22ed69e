"""What is said between a command and its workers; values that pickle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cnnrun.config.applications import Application
from cnnrun.config.data_section import OnBadImage
from cnnrun.config.sections import Config
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.work_share import WorkShare

Pooling = Literal["avg", "max", "flatten", "none"]
Precision = Literal["float32", "bfloat16"]


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
class WantedFeatures:
    """What a command extracts, whose shares the workers compute.

    Attributes:
        opened: the config, run or network of keras.applications that it names.
        input_shape: of a config's images; None for the others.
        classes: how many classes a config's data has.
        weights: of a network of keras.applications.
        image_size: (height, width) of its images.
        include_top: whether it has its top.
        layers: whose outputs are taken; none for the last one before what tells classes apart.
        pooling: see `pooled_outputs`.
        precision: see `fast_inference`.
        data: where the images are, as the command was told; none for a config's or run's own.
        images: how many there are.
        names: the hash of their names.
        batch_size: images that are computed at a time.
        on_bad_image: what becomes of those that cannot be read.
        out: the folder that is to hold all features.
        folder: the command's, which relative paths start from.
        versions: package -> version, which a worker has to have as well.
    """

    opened: Config | RunFolder | Application
    input_shape: tuple[int, int, int] | None
    classes: int
    weights: Literal["imagenet", "none"] | Path
    image_size: tuple[int, int] | None
    include_top: bool
    layers: tuple[str, ...]
    pooling: Pooling
    precision: Precision
    data: tuple[Path, ...]
    images: int
    names: str
    batch_size: int
    on_bad_image: OnBadImage
    out: Path
    folder: Path
    versions: Mapping[str, str]


@dataclass(frozen=True)
class ShareTask:
    """The features of a share of some images, in a folder that they may be begun in."""

    wanted: WantedFeatures
    share: WorkShare


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


Task = CellTask | TrialTask | ShareTask
Report = Done | Failed | Trial
