"""How long a study of finished cells takes to be listed and reported, by the commands themselves.

1,000 cells by `ablate`, and the page of 100 by `report`. The cells are written as a worker leaves
them, without training. The processor time stands beside the wall time, which other work on the
machine prolongs.
"""

import json
import math
import resource
import subprocess
import sysconfig
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from cnnrun.ablation.execution.cell_records import CellRecord, write_record
from cnnrun.ablation.execution.numbering import numbered_cells
from cnnrun.ablation.planning.make_plan import plan_study
from cnnrun.ablation.planning.plan_file import write_plan
from cnnrun.ablation.studies.named_studies import find_study
from cnnrun.runs.folder import RunFolder
from cnnrun.starter.example import example_project

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
ARMS = 4
CELLS = 1_000
CELLS_OF_A_PAGE = 100
EPOCHS = 10
ROUNDS = 3
BOUND_S = 3.0


def main() -> None:
    """Prints the seconds of the first round, which draws the figures, and of the fastest later."""
    with tempfile.TemporaryDirectory() as folder:
        rounds = ablate(Path(folder), cells=CELLS, rounds=ROUNDS)
        print_seconds(f"{CELLS:,} finished cells, first", *rounds[0])
        print_seconds(f"{CELLS:,} finished cells, later", *min(rounds[1:]))
    with tempfile.TemporaryDirectory() as folder:
        ablate(Path(folder), cells=CELLS_OF_A_PAGE, rounds=1)
        page = min(seconds_of(["report", "study"], Path(folder)) for _ in range(ROUNDS))
        print_seconds(f"the page of {CELLS_OF_A_PAGE:,} cells", *page)


def ablate(folder: Path, *, cells: int, rounds: int) -> list[tuple[float, float]]:
    """The seconds of each of so many rounds over a study in `folder/study`."""
    seeds = cells // ARMS
    write_cells(folder / "study", seeds=seeds)
    arguments = ["ablate", "bn-order", "--no-tune-each-arm", "--seeds", str(seeds)]
    return [seconds_of([*arguments, "--into", "study"], folder) for _ in range(rounds)]


def seconds_of(arguments: list[str], folder: Path) -> tuple[float, float]:
    """The seconds that a command takes, of a processor and by the clock."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([COMMAND, *arguments], cwd=folder, check=True, capture_output=True)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, wall


def print_seconds(what: str, processor: float, wall: float) -> None:
    """Prints a measurement beside the bound."""
    print(
        f"{what}: {processor:.2f} s of a processor, {wall:.2f} s by the clock (bound {BOUND_S} s)"
    )


def write_cells(study: Path, *, seeds: int) -> None:
    """Writes the run folders of a study's cells as workers leave them."""
    found = find_study("bn-order")
    study_alone = replace(found.study.of_example(), tune=None)
    plan = plan_study(
        study_alone,
        name=found.name,
        base=example_project() / "configs" / "digits.yaml",
        overrides=(),
        seeds=seeds,
    ).plan
    write_plan(plan, study_alone, study)
    look = json.dumps(look_of_a_cell())
    for each in numbered_cells(plan.cells, study, with_git=False, share=None):
        loss = 0.1 + 0.01 * len(each.cell.arm) + math.sin(each.cell.seed + len(each.cell.arm)) / 50
        run = RunFolder(each.task.folder)
        run.path.mkdir(parents=True)
        rows = (
            {"epoch": epoch, "stage": 1, "loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch}
            | {"val_loss": loss + 1 / epoch, "val_accuracy": 1 - 0.5 / epoch}
            | {"learning_rate": 1e-3, "seconds": 0.5}
            for epoch in range(1, EPOCHS + 1)
        )
        run.metrics_jsonl.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (run.path / "diagnostics.jsonl").write_text((look + "\n") * (EPOCHS + 1))
        write_record(run, record(each.task.key, loss))


def record(key: str, loss: float) -> CellRecord:
    """What a worker says of a finished cell."""
    return CellRecord(
        key=key,
        ending="finished",
        why="",
        seconds={"total": 3.0, "fit": 2.0},
        values={
            "test_loss": loss,
            "test_accuracy": 1 - loss / 10,
            "test_loss_recomputed": loss,
            "test_accuracy_recomputed": 1 - loss / 10,
            "val_loss_area": 2 * loss,
            "generalization_gap": loss / 5,
        },
        parameters=57034,
        multiply_adds=1788544,
        processor="a processor",
    )


def look_of_a_cell() -> dict[str, object]:
    """One line of diagnostics.jsonl, of three activations."""
    activation = {"mean": 0.0, "std": 1.0, "saturated": 0.5, "dead": 0.1, "gradient_std": 0.01}
    activation |= {"low": -4.0, "high": 4.0}
    names = [f"conv_block_{number}" for number in (1, 2, 3)]
    return {
        "epoch": 0,
        "activations": {f"{name}_activation": activation | {"counts": [9] * 40} for name in names},
        "gradient_norms": {f"{name}_conv": 0.1 for name in names},
    }


if __name__ == "__main__":
    main()
