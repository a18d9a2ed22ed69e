"""Outcomes of cells as an executor gives them, with numbers that a test chooses."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from cnnrun.ablation.execution.cell_records import CellOutcome, failed_outcome
from cnnrun.ablation.planning.plan import Cell, StudyPlan

Measure = Callable[[str, int], float]


def with_effects(effects: Mapping[str, float]) -> Measure:
    """A loss for arm and seed: what the arm adds, what the seed adds, and noise."""
    random = np.random.default_rng(1)
    of_seed = random.normal(0.1, 0.01, 100)
    noise = random.normal(0, 0.005, (100, 100))
    names = list(effects)
    return lambda arm, seed: float(effects[arm] + of_seed[seed] + noise[names.index(arm), seed])


def outcomes_of(
    plan: StudyPlan,
    loss: Measure,
    folder: Path,
    *,
    failed: frozenset[tuple[str, int]] = frozenset(),
    diverged: frozenset[tuple[str, int]] = frozenset(),
    lagging: frozenset[str] = frozenset(),
    heavy: tuple[str, ...] = (),
    processors: tuple[str, ...] = ("EPYC",),
    epochs: int = 3,
) -> list[CellOutcome]:
    """An outcome for each cell of a plan; the cells' curves stand in folders of their own.

    In heavy arms three images lose by 3 more, and all others by as much less together.
    """
    return list(_outcomes(plan, loss, folder, failed, diverged, lagging, heavy, processors, epochs))


def _outcomes(
    plan: StudyPlan,
    loss: Measure,
    folder: Path,
    failed: frozenset[tuple[str, int]],
    diverged: frozenset[tuple[str, int]],
    lagging: frozenset[str],
    heavy: tuple[str, ...],
    processors: tuple[str, ...],
    epochs: int,
) -> Iterator[CellOutcome]:
    for number, cell in enumerate(plan.cells):
        run = folder / "runs" / f"{number:04}"
        if (cell.arm, cell.seed) in failed:
            yield failed_outcome(cell, key="", folder=run, why="its worker died twice")
            continue
        value = loss(cell.arm, cell.seed)
        _write_curve(run, value, epochs)
        is_diverged = (cell.arm, cell.seed) in diverged
        fold = cell.config.data.split.fold
        write_predictions(
            run, value, is_heavy=cell.arm in heavy, part="" if fold is None else f"{fold[0]}/"
        )
        yield CellOutcome(
            arm=cell.arm,
            seed=cell.seed,
            key=run.name,
            state="diverged" if is_diverged else "finished",
            is_reused=False,
            folder=run,
            why="the loss became NaN in epoch 2" if is_diverged else "",
            seconds={"total": 3.0, "fit": 2.0},
            values=_values(cell, value, lagging),
            parameters=1234,
            multiply_adds=56789,
            processor=processors[number % len(processors)],
        )


def _values(cell: Cell, loss: float, lagging: frozenset[str]) -> dict[str, float]:
    values = {
        "test_loss": loss,
        "test_accuracy": 1 - loss / 10,
        "val_loss_area": 2 * loss,
        "generalization_gap": loss / 5,
        "training_loss": loss * 4 / 5,
        "epochs": 3.0,
        "updates": 120.0,
        "test_loss_recomputed": loss / (2 if cell.arm in lagging else 1),
        "test_accuracy_recomputed": 1 - loss / 10,
    }
    if cell.target is not None and cell.seed % 2:
        values |= {"epochs_to_target": 4.0, "seconds_to_target": 1.25}
    return values


def write_predictions(run: Path, loss: float, *, is_heavy: bool, part: str) -> None:
    """Twenty-five dozen images whose losses have this mean, and are spread alike in every run."""
    random = np.random.default_rng(0)
    spread = random.normal(0, 0.02, 300)
    most = loss - 0.03 * is_heavy
    losses = np.maximum(most + spread - spread.mean(), 0)
    losses *= most / losses.mean()
    losses[:3] += 3.0 * is_heavy
    lines = ["path,label,prediction,probability,probability of a,probability of b"]
    for number, probability in enumerate(np.exp(-losses)):
        right = "a" if probability >= 0.5 else "b"
        likely = max(probability, 1 - probability)
        lines.append(
            f"{part}{number}.png,a,{right},{likely:.6g},{probability:.6g},{1 - probability:.6g}"
        )
    (run / "predictions.csv").write_text("\n".join(lines) + "\n")


def _write_curve(run: Path, loss: float, epochs: int) -> None:
    run.mkdir(parents=True, exist_ok=True)
    rows = [
        {"epoch": epoch, "stage": 1, "loss": 1 / epoch, "val_loss": loss + 1 / epoch}
        | {"val_accuracy": 1 - 0.5 / epoch, "learning_rate": 1e-3, "seconds": 0.5}
        for epoch in range(1, epochs + 1)
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
