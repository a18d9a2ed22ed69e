"""Searches over a config in the current folder, and trials whose scores are a formula."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnrun.ablation.execution.cell_records import (
    CellOutcome,
    failed_outcome,
    paused_outcome,
    write_pause,
)
from cnnrun.ablation.planning.plan import Cell
from cnnrun.config.dump import plain_config
from cnnrun.errors import CnnrunError
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow, append_epoch
from cnnrun.runs.result import RunResult, write_result
from cnnrun.search.asked import asked_search, with_options
from cnnrun.search.search_plan import PlannedSearch, plan_search

from ..ablation.outcomes import write_predictions

CONFIG = """\
seed: 3
data: {directory: images, image_size: [8, 8], color_mode: grayscale}
model:
  blocks: {activation: relu}
  layers:
    - conv_block: {filters: 4, kernel_size: 3, name: stem}
    - GlobalAveragePooling2D
    - classifier
train:
  epochs: 8
  batch_size: 8
  optimizer: {Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 1e-2, decay_steps: 24}}}}
"""
RATE = "learning_rate=1e-3..1e-1"
FILTERS = "model.layers[stem].conv_block.filters=2..9"

PlanSearch = Callable[..., PlannedSearch]
Loss = Callable[[Mapping[str, Any], int, int], float]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def images(folder: Path) -> Path:
    """Two classes of 20 images."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.normal(60 + 120 * label, 40, size=(8, 8)).clip(0, 255)
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(folder / "images" / name / f"{number:02d}.png")
    return folder


@pytest.fixture
def plan(folder: Path) -> PlanSearch:
    """Plans a search over CONFIG, as the command line asks for it."""

    def planned(
        *over: str,
        config: str = CONFIG,
        metric: str | None = None,
        seeds: int | None = None,
        overrides: Sequence[str] = (),
        **options: Any,
    ) -> PlannedSearch:
        Path("config.yaml").write_text(config, encoding="utf-8")
        asked = asked_search(Path("config.yaml"), over=over, metric=metric)
        return plan_search(
            asked.study,
            with_options(asked.search, options),
            name=asked.name,
            base=Path("config.yaml"),
            overrides=overrides,
            seeds=seeds,
            positions=asked.positions,
        )

    return planned


class Cells:
    """Runs cells by a formula for the validation loss at an epoch, and remembers them.

    The formula gets the config in plain maps, the seed and the epoch; NaN diverges, infinity fails.
    """

    def __init__(self, folder: Path, loss: Loss, *, is_lasting: bool = False) -> None:
        self.folder, self.loss, self.is_lasting = folder, loss, is_lasting
        self.rounds: list[list[Cell]] = []

    def __call__(self, cells: Sequence[Cell]) -> tuple[CellOutcome, ...]:
        self.rounds.append(list(cells))
        return tuple(self._outcome(number, cell) for number, cell in enumerate(cells))

    def _outcome(self, number: int, cell: Cell) -> CellOutcome:
        values = plain_config(cell.config, relative_to=Path())
        epochs = cell.pause_after or cell.config.train.epochs
        losses = [self.loss(values, cell.seed, epoch) for epoch in range(1, epochs + 1)]
        folder = self.folder / f"{len(self.rounds)}-{number}"
        if any(map(math.isinf, losses)):
            return failed_outcome(
                cell, key="", folder=folder, why="out of memory", is_lasting=self.is_lasting
            )
        folder.mkdir(parents=True)
        best = int(np.nanargmin([*losses, 1e9]))
        if cell.pause_after is not None:
            of_epoch = {"val_loss": losses[best], "val_accuracy": 1 - losses[best]}
            write_pause(RunFolder(folder), key="", epoch=cell.pause_after, values=of_epoch)
            paused = paused_outcome(cell, key="", folder=folder, is_reused=False)
            assert paused is not None
            return paused
        for epoch, loss in enumerate(losses, start=1):
            row = EpochRow(epoch, 1, {"val_loss": loss, "val_accuracy": 1 - loss}, 1e-3, 1.0)
            append_epoch(RunFolder(folder), row)
        if cell.is_tested:
            write_predictions(folder, losses[best] + 0.05, is_heavy=False, part="")
        seconds = {"total": 1.0, "fit": 1.0}
        write_result(
            RunFolder(folder), RunResult(best + 1, epochs, None, 1, 1, 1, seconds, 1.0, None)
        )
        return CellOutcome(
            arm=cell.arm,
            seed=cell.seed,
            key="",
            state="diverged" if any(map(math.isnan, losses)) else "finished",
            is_reused=False,
            folder=folder,
            why="",
            seconds=seconds,
            values={} if not cell.is_tested else _tested(losses[best] + 0.05),
            parameters=1,
            multiply_adds=1,
            processor="EPYC",
            trial=cell.trial,
        )


def _tested(loss: float) -> dict[str, float]:
    return {"test_loss": loss, "test_accuracy": 1 - loss, "training_loss": loss / 2}


def filters_of(values: Mapping[str, Any]) -> int:
    """The filters of the first layer of a config in plain maps."""
    return int(values["model"]["layers"][0]["conv_block"]["filters"])


def rate_of(values: Mapping[str, Any]) -> float:
    """The highest learning rate of a config in plain maps."""
    schedule = values["train"]["optimizer"]["Adam"]["learning_rate"]["CosineDecay"]
    return float(schedule["initial_learning_rate"])


def valley(values: Mapping[str, Any], seed: int, epoch: int) -> float:
    """Best with 6 filters at a rate of .01; falls with the epochs."""
    away = math.log(rate_of(values) / 1e-2) ** 2 + (filters_of(values) - 6) ** 2
    return 0.1 + 0.01 * away + 0.1 / epoch + 1e-4 * (seed % 7)


def complaint(work: Callable[[], Any]) -> str:
    """The complete text that a user reads when `work` refuses."""
    with pytest.raises(CnnrunError) as refusal:
        work()
    return str(refusal.value)
