"""The memory of a worker over 500 cells, and of a training over 200 epochs.

    python tests/benchmarks/endure_memory.py [--cells 500] [--epochs 200]

Prints the resident memory after a tenth of them and at the end; the bound is a tenth more.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from endure_nodes import make_cells

from cnnrun.ablation.execution.tasks import CellTask, Done
from cnnrun.ablation.execution.worker import THREADS, Worker
from cnnrun.ablation.planning.cell_keys import data_content
from cnnrun.assembly.automatic_choices import use_threads
from cnnrun.config.sections import Config
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.events import EpochDone
from cnnrun.training.train import train

MOST = 1.1


def main() -> None:
    """Measures both, and ends with 1 where one grows by more than a tenth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=200)
    asked = parser.parse_args()
    use_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        config = make_cells(Path(name), 1)[0].config
        memory = {
            f"{asked.cells} cells": over_cells(config, Path(name), asked.cells),
            f"{asked.epochs} epochs": over_epochs(config, Path(name), asked.epochs),
        }
    for what, sizes in memory.items():
        early, late = sizes[len(sizes) // 10], sizes[-1]
        print(f"{what}: {early / 2**20:.0f} MiB, then {late / 2**20:.0f}: {late / early:.3f} times")
    sys.exit(any(sizes[-1] > MOST * sizes[len(sizes) // 10] for sizes in memory.values()))


def over_cells(config: Config, folder: Path, cells: int) -> list[int]:
    """Bytes in memory after each cell of one worker."""
    worker, sizes = Worker(), []
    data = data_content(config.data, cache_folder=folder)
    for seed in range(cells):
        task = CellTask(
            config=replace(config, seed=seed),
            diagnostics=False,
            key=f"{seed}",
            data=data,
            versions=installed_packages(),
            folder=folder / f"cell{seed}",
            cache_folder=folder,
            with_git=False,
        )
        report = worker.report(task)
        if not isinstance(report, Done):
            raise SystemExit(str(report))
        sizes.append(resident())
    return sizes


def over_epochs(config: Config, folder: Path, epochs: int) -> list[int]:
    """Bytes in memory after each epoch of one run."""
    sizes: list[int] = []

    def listen(event: object) -> None:
        if isinstance(event, EpochDone):
            sizes.append(resident())

    longer = replace(config, train=replace(config.train, epochs=epochs))
    train(longer, experiments=folder, into=folder / "run", listener=listen)
    return sizes


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
