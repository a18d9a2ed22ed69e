"""Runs as training leaves them, and disks that refuse to be written to."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cnnrun.errors import CnnrunError
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listing import RunSummary
from cnnrun.runs.metrics import EpochRow, append_epoch
from cnnrun.runs.result import RunResult, write_result
from cnnrun.runs.state import write_state
from cnnrun.runs.unbegun import create_run_into

RESOLVED = """\
seed: {seed}
data:
  directory: {directory}
model:
  blocks:
    batch_norm:
      position: {batch_norm}
  layers:
  - conv_block:
      filters: {filters}
      kernel_size: [3, 3]
      batch_norm:
        position: {batch_norm}
  - classifier
train:
  epochs: 2
  metrics: [accuracy]
"""

MakeRun = Callable[..., RunFolder]
MessageOf = Callable[[pytest.ExceptionInfo[CnnrunError]], str]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """An empty run folder."""
    return create_run_into(tmp_path / "digits" / "run")


@pytest.fixture
def message_of(tmp_path: Path) -> MessageOf:
    """The text that a user would read, the same on every machine."""
    return lambda raised: str(raised.value).replace(str(tmp_path), "TMP")


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A function that writes a finished run: `make_run("digits/a", seed=1, accuracy=0.9)`."""

    def make(
        name: str,
        *,
        seed: int,
        accuracy: float,
        filters: int = 32,
        batch_norm: str = "none",
        directory: str = "../../digits",
        fingerprint: str | None = "f00d",
        mean_average_precision: float | None = None,
    ) -> RunFolder:
        run = create_run_into(tmp_path / "experiments" / name)
        write_state(run, "running", why="")
        write_text(
            run.resolved_yaml,
            RESOLVED.format(seed=seed, directory=directory, filters=filters, batch_norm=batch_norm),
        )
        write_json(run.environment_json, {"data": fingerprint and {"blake2b": fingerprint}})
        for epoch in (1, 2):
            append_epoch(run, EpochRow(epoch, 1, {"loss": 1 / epoch}, 1e-3, 0.5))
        write_result(run, _result(accuracy, mean_average_precision))
        write_state(run, "finished", why="")
        return run

    return make


def _result(accuracy: float, mean_average_precision: float | None) -> RunResult:
    test: dict[str, Any] = {
        "loss": 1 - accuracy,
        "accuracy": accuracy,
        "balanced_accuracy": accuracy,
        "macro_f1": accuracy,
        "intervals": {"accuracy": [accuracy - 0.02, accuracy + 0.01]},
        "images": 270,
    }
    baselines: dict[str, float] = {}
    if mean_average_precision is not None:  # several labels an image, of which Keras counts
        test = {  # an accuracy that stands in no table of the run
            "loss": 1 - accuracy,
            "accuracy": accuracy,
            "mean_average_precision": mean_average_precision,
            "intervals": {
                "mean_average_precision": [
                    mean_average_precision - 0.03,
                    mean_average_precision + 0.02,
                ]
            },
            "images": 270,
        }
        baselines = {"prevalence": 0.19}
    return RunResult(
        best_epoch=2,
        epochs=2,
        test=test,
        parameters=34_826,
        trainable_parameters=34_826,
        multiply_adds=1_000_000,
        seconds={"total": 6.0, "fit": 4.0},
        images_per_second=9000.0,
        peak_memory_bytes=500_000_000,
        baselines=baselines,
    )


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user may enter, as `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def read_only_disk(small_disk: Path) -> Path:
    """A file system that is mounted read-only and holds one run."""
    create_run_into(small_disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    return small_disk


@pytest.fixture
def without_privileges() -> Callable[[], AbstractContextManager[None]]:
    """A block within which this process may do no more than an ordinary user."""
    return _without_privileges


@contextmanager
def _without_privileges() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def two_summaries() -> tuple[RunSummary, RunSummary]:
    """A run that is finished and one that failed."""
    return (
        RunSummary(
            run=Path("experiments/digits/20260102-030405-seed0"),
            state="finished",
            why="",
            epochs=30,
            best_epoch=23,
            accuracy=0.98148148,
            accuracy_interval=(0.9574, 0.9921),
            loss=0.0512345,
            parameters=34_826,
            seconds=12.345,
            seed=0,
            started="2026-01-02T03:04:05+00:00",
        ),
        RunSummary(
            run=Path("experiments/digits/20260102-030405-seed1"),
            state="failed",
            why="the loss became NaN, in epoch 3",
            epochs=2,
            best_epoch=None,
            accuracy=None,
            accuracy_interval=None,
            loss=None,
            parameters=None,
            seconds=None,
            seed=1,
            started="2026-01-02T03:05:06+00:00",
        ),
    )
