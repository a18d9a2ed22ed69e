"""Short forms of what takes hours: `tests/benchmarks/endure_*.py` fail where something is lost.

A study that loses a node of its cluster is in `ablation/execution/test_ray_pool.py`.
"""

import random
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def endured(script: str, *arguments: str) -> str:
    """What a script of the benchmarks prints, which ends with 1 where something is lost."""
    ended = subprocess.run(
        [sys.executable, f"tests/benchmarks/endure_{script}.py", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_a_training_killed_between_checkpoints_again_and_again_loses_nothing() -> None:
    """Oracle: the same training, which nobody kills."""
    seed = random.SystemRandom().randrange(10**6)
    said = endured(
        *("kills", "configs/digits_augmented.yaml", "--kills", "3", "--interval", "1"),
        *("--seed", f"{seed}", "--set", "train.epochs=30", "--set", "train.threads=1"),
    )
    assert "killed 3 times; the same bits: yes" in said


@pytest.mark.slow
def test_memory_stays_where_it_is() -> None:
    """A worker over cells, and a training over epochs: at most a tenth more than early on."""
    assert "cells: " in endured("memory", "--cells", "20", "--epochs", "40")
