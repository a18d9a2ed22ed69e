"""A profile of a real run: every moment is in one phase, and nothing else changes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnrun.assembly import preparing
from cnnrun.assembly.augmenting import augment_of
from cnnrun.config.sections import Config
from cnnrun.runs.events import silent
from cnnrun.runs.files import read_json
from cnnrun.runs.metrics import read_epochs
from cnnrun.training.profiling import Profiler
from cnnrun.training.train import train

MakeConfig = Callable[..., Config]
EARLIER_S = 5.0
EPOCHS, STEPS = 3, 6  # 42 training images in batches of 8


def test_every_moment_is_in_one_phase(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(train={"epochs": EPOCHS, "batch_size": 8, "steps_per_execution": 4})
    began = time.perf_counter()
    watch = Profiler(began=began - EARLIER_S)
    run = train(
        config, experiments=tmp_path, into=tmp_path / "watched", listener=silent, watch=watch
    )
    took = time.perf_counter() - began

    document = read_json(run.profile_json)
    seconds = {name: phase["seconds"] for name, phase in document["phases"].items()}
    assert all(seconds[name] > 0 for name in seconds), seconds
    assert EARLIER_S <= seconds["start-up"] < EARLIER_S + 0.1 * took
    assert 0.9 * took < document["seconds"] - EARLIER_S <= took
    assert document["steps"] == EPOCHS * STEPS - 4  # all but the first execution
    assert document["advice"].startswith("start-up-bound")

    plain = train(config, experiments=tmp_path, into=tmp_path / "plain", listener=silent)
    assert not plain.profile_json.exists()
    values = [[row.values for row in read_epochs(one)] for one in (run, plain)]
    assert values[0] == values[1]


def test_slow_images_are_waited_for(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_augment(*arguments: Any, **keywords: Any) -> Any:
        augment = augment_of(*arguments, **keywords)

        def slow(rows: np.ndarray, epoch: int) -> np.ndarray:
            time.sleep(0.3)
            return augment(rows, epoch)

        return slow

    config = make_config(
        augment={"horizontal_flip": True}, train={"epochs": EPOCHS, "batch_size": 8}
    )
    monkeypatch.setattr(preparing, "augment_of", slow_augment)
    watch = Profiler(began=time.perf_counter())
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent, watch=watch)
    seconds = {name: one["seconds"] for name, one in read_json(run.profile_json)["phases"].items()}
    assert seconds["input"] > (EPOCHS - 1) * 0.25
    assert seconds["compute"] < seconds["input"]
