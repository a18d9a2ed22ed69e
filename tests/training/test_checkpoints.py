"""Checkpoints keep every bit; the oracle is the state that was saved."""

from pathlib import Path

import keras
import numpy as np

from cnnrun.models.variables import (
    assign_variables,
    read_variables,
    variables_of,
)
from cnnrun.runs.folder import RunFolder
from cnnrun.training.checkpoints import (
    Best,
    Checkpoint,
    callback_state,
    newest_checkpoint,
    save_checkpoint,
)


def checkpoint(epoch: int, **changes: object) -> Checkpoint:
    values = {
        "epoch": epoch,
        "stage": 0,
        "stage_is_done": False,
        "fit_seconds": 1.5,
        "variables": (np.arange(3.0), np.array(7, dtype=np.int64)),
        "callbacks": ({"best": float("inf"), "wait": 2, "best_weights": [np.ones(2)]}, {}),
        "best": Best(1, 0.25, (np.zeros((2, 2), dtype=np.float32),)),
    }
    return Checkpoint(**(values | changes))  # type: ignore[arg-type]


def test_everything_comes_back(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    saved = checkpoint(3)
    save_checkpoint(run, saved)
    found = newest_checkpoint(run)
    assert found.damaged == ()
    read = found.checkpoint
    assert read is not None
    assert (read.epoch, read.stage, read.stage_is_done, read.fit_seconds) == (3, 0, False, 1.5)
    for one, other in zip(read.variables, saved.variables, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    assert read.callbacks[0]["best"] == float("inf")
    np.testing.assert_array_equal(read.callbacks[0]["best_weights"][0], np.ones(2))
    assert read.callbacks[1] == {}
    assert read.best is not None
    assert (read.best.epoch, read.best.score) == (1, 0.25)


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for epoch in (1, 2, 10):
        save_checkpoint(run, checkpoint(epoch, best=None))
    names = sorted(path.name for path in run.checkpoints.iterdir())
    assert names == ["epoch-00002-stage-00.npz", "epoch-00010-stage-00.npz"]
    read = newest_checkpoint(run).checkpoint
    assert read is not None
    assert (read.epoch, read.best) == (10, None)


def test_a_run_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert newest_checkpoint(RunFolder(tmp_path)).checkpoint is None


def test_bfloat16_variables_come_back(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, dtype="bfloat16")])
    model.compile("sgd", "mse")
    variables = variables_of(model, model)
    before = read_variables(variables)
    save_checkpoint(RunFolder(tmp_path), checkpoint(1, variables=before))
    assign_variables(variables, [np.zeros_like(value) for value in before])
    read = newest_checkpoint(RunFolder(tmp_path)).checkpoint
    assert read is not None
    assign_variables(variables, read.variables)
    for one, other in zip(read_variables(variables), before, strict=True):
        np.testing.assert_array_equal(one.astype(np.float32), other.astype(np.float32))


def test_a_callback_keeps_its_state_and_not_its_arguments() -> None:
    stopping = keras.callbacks.EarlyStopping(patience=3, min_delta=0.5)
    stopping.wait = 2
    state = callback_state(stopping)
    assert state["wait"] == 2
    assert not {"patience", "min_delta", "params"} & set(state)
