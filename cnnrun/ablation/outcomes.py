"""What became of the cells of a study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CellState = Literal["finished", "diverged", "failed", "reused"]


@dataclass(frozen=True)
class CellOutcome:
    """One cell after the study has run.

    Attributes:
        arm: the name of its arm.
        seed: its seed.
        key: the name of its folder, which depends on all that its numbers depend on.
        state: finished now, or "reused" from before; "diverged" has a score all the same, that of
            predicting the training classes' frequencies; "failed" has none.
        folder: its run.
        why: the reason where it diverged or failed; empty elsewhere.
        seconds: wall time of the cell when it was trained.
        values: measures by name, such as test_loss, test_accuracy, val_loss_area,
            generalization_gap, test_loss_recomputed, epochs_to_target; NaN or left out where there
            is none. Empty for a failed cell.
        parameters: of the network; 0 for a failed cell.
        multiply_adds: to classify one image; 0 for a failed cell.
        processor: the model of the processor that it was trained on.
    """

    arm: str
    seed: int
    key: str
    state: CellState
    folder: Path
    why: str
    seconds: float
    values: Mapping[str, float]
    parameters: int
    multiply_adds: int
    processor: str
