"""`cnnrun ablate bn-order`, untuned, against 28 runs in a shell loop over a hand-written script.

Run `python tests/benchmarks/measure_ablation.py`; `--ray` measures the executors instead, and
`--python` names the script's Python, for one that has TensorFlow alone as its user's may. Rounds of
both sides in turns. The loop's processes know nothing of each other, so that one run an arm, before
and after the study, stands for seven. Beside the wall time stands that of the processors, which
other work on the machine disturbs less. Python keeps what it has compiled, as it does for a user.
Bounds: the loop takes at least 4 times as long; a cell takes less than 0.5 s beyond its `fit`;
cells of 10 s and more take on Ray at most 1.2 of what they take without.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

REPOSITORY = Path(__file__).parents[2]
COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
SCRIPT = Path(__file__).parent / "plain_keras_batch_norm.py"
ARMS = ("none", "before_activation", "after_activation", "before_convolution")
SEEDS = 7
EPOCHS = 10
AS_A_USER = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
LONG_CELLS = ("--seeds", "2", "--set", "train.epochs=80", "--jobs", "2")


@dataclass(frozen=True)
class Taken:
    """What a command took: wall time, and that of the processors."""

    wall_s: float
    processor_s: float


def main() -> None:
    """Print every round and the medians of the ratios."""
    parser = argparse.ArgumentParser(description="a study of 28 cells against a shell loop")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {asked.rounds} rounds, load {os.getloadavg()}")
    if asked.ray:
        compare_executors(rounds=asked.rounds)
    else:
        compare_with_loop(rounds=asked.rounds, python=asked.python)


def compare_with_loop(*, rounds: int, python: Path) -> None:
    """The study against the loop."""
    ratios, processor_ratios, beyond = [], [], []
    for number in range(rounds):
        before = [take_script(arm, seed=2 * number, python=python) for arm in ARMS]
        study, cells = take_study("--seeds", str(SEEDS))
        after = [take_script(arm, seed=2 * number + 1, python=python) for arm in ARMS]
        loop = [*before, *after]
        runs = len(ARMS) * SEEDS
        wall, processor = (
            runs * mean(each.wall_s for each in loop),
            runs * mean(each.processor_s for each in loop),
        )
        ratios.append(wall / study.wall_s)
        processor_ratios.append(processor / study.processor_s)
        beyond += [cell["seconds"]["total"] - cell["seconds"]["fit"] for cell in cells]
        print(f"study {study}; loop {Taken(wall, processor)}; {wall / study.wall_s:.2f} times")
    print(f"the loop's wall time, in the study's: {median(ratios):.2f} (bound 4)")
    print(f"the loop's processor time, in the study's: {median(processor_ratios):.2f}")
    print(f"seconds a cell beyond its fit: {median(beyond):.2f} (bound 0.5)")


def compare_executors(*, rounds: int) -> None:
    """The study on Ray against the same on local workers."""
    ratios = []
    for _ in range(rounds):
        local, cells = take_study(*LONG_CELLS)
        ray, _ = take_study(*LONG_CELLS, "--executor", "ray")
        ratios.append(ray.wall_s / local.wall_s)
        seconds = median(cell["seconds"]["total"] for cell in cells)
        print(f"local {local}, {seconds:.1f} s a cell; Ray {ray}; {ratios[-1]:.2f} of it")
    print(f"wall time on Ray, in that of local workers: {median(ratios):.2f} (bound 1.2)")


def take_study(*options: str) -> tuple[Taken, list[dict[str, Any]]]:
    """A whole `cnnrun ablate bn-order`, and what its cells have noted."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            COMMAND,
            "ablate",
            "bn-order",
            "--no-tune-each-arm",
            "--into",
            f"{folder}/study",
            *options,
        ]
        taken = take(command)
        records = sorted(Path(folder).glob("study/runs/*/cell.json"))
        if not records:
            raise RuntimeError("no cell was run")
        return taken, [json.loads(record.read_text()) for record in records]


def take_script(position: str, *, seed: int, python: Path) -> Taken:
    """One run of the hand-written script."""
    digits = REPOSITORY / "datasets" / "digits"
    return take([python, SCRIPT, digits, position, str(seed), str(EPOCHS)])


def take(command: Sequence[str | Path]) -> Taken:
    """What a command takes, its children included."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, env=AS_A_USER, check=True, capture_output=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall, used)


if __name__ == "__main__":
    main()
