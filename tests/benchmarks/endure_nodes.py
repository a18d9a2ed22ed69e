"""A study on a Ray cluster of two local nodes, which are killed and come back all the time.

    python tests/benchmarks/endure_nodes.py [--cells 200] [--every 20]

After every so many cells a node is killed without a word, and another one joins a moment later.
Cells whose worker died twice have failed: the study is begun again until there are none. Prints
whether every cell has the values that it has on this machine alone.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from ray.cluster_utils import Cluster

from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.execution.run_cells import run_cells
from cnnrun.ablation.execution.schedule import CellDone, StudyEvent
from cnnrun.ablation.execution.workers import Executor, Workers
from cnnrun.ablation.planning.plan import Cell
from cnnrun.config.load import load_config

AWAY_S = 3.0


def main() -> None:
    """Runs the study in both ways, and ends with 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--every", type=int, default=20, help="cells from kill to kill")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cells = make_cells(folder, asked.cells)
        nodes = Nodes(every=asked.every)
        sittings, began = 0, time.monotonic()
        there: Sequence[CellOutcome] = ()
        while sittings == 0 or any(each.state == "failed" for each in there):
            there = run(cells, folder / "on-ray", "ray", nodes.address, nodes.listen)
            sittings += 1
        seconds = time.monotonic() - began
        nodes.close()
        here = run(cells, folder / "here", "local", None, lambda _: None)
        differ = [
            each.seed
            for each, other in zip(there, here, strict=True)
            if each.values != other.values
        ]
    print(
        f"{len(cells)} cells in {seconds:.0f} s and {sittings} sittings, {nodes.killed} nodes"
        f" killed; cells that differ from local ones: {len(differ)} {differ or ''}"
    )
    sys.exit(bool(differ))


class Nodes:
    """Two nodes of a core each, beside a head without any."""

    def __init__(self, *, every: int) -> None:
        """They are there when this returns."""
        self._every = every
        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        self._nodes = [self._cluster.add_node(num_cpus=1) for _ in range(2)]
        self._cluster.wait_for_nodes()
        self.address: str = self._cluster.address
        self.killed = 0
        self._killed_at = 0.0

    def listen(self, event: StudyEvent) -> None:
        """Kill the node that has been there for longest where it is time."""
        if len(self._nodes) < 2 and time.monotonic() - self._killed_at > AWAY_S:
            self._nodes.append(self._cluster.add_node(num_cpus=1))
        if isinstance(event, CellDone) and event.done % self._every == 0:
            self._cluster.remove_node(self._nodes.pop(0), allow_graceful=False)
            self._killed_at = time.monotonic()
            self.killed += 1

    def close(self) -> None:
        """All nodes end."""
        self._cluster.shutdown()


def run(
    cells: Sequence[Cell], folder: Path, executor: Executor, address: str | None, listener: Any
) -> Sequence[CellOutcome]:
    """The outcomes of the cells."""
    return run_cells(
        cells,
        folder=folder,
        workers=Workers(executor=executor, jobs=None, address=address, with_git=False),
        listener=listener,
    )


def make_cells(folder: Path, number: int) -> tuple[Cell, ...]:
    """One arm, a seed a cell, on images that take no time."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (folder / "images" / name).mkdir(parents=True)
        for image in range(20):
            pixels = generator.normal(60 + 120 * label, 40, size=(6, 6)).clip(0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(
                folder / "images" / name / f"{image:02d}.png"
            )
    sections = {
        "data": {"directory": "images", "image_size": [6, 6], "color_mode": "grayscale"},
        "model": {"layers": ["Flatten", {"Dropout": {"rate": 0.2}}, "classifier"]},
        "train": {"epochs": 40, "batch_size": 8, "threads": 1},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(sections))
    config = load_config(folder / "config.yaml")
    return tuple(
        Cell("arm", seed, replace(config, seed=seed), diagnostics=False, target=None)
        for seed in range(number)
    )


if __name__ == "__main__":
    main()
