"""A callback of Keras that raises ends the run as failed, names itself, and loses nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.sections import Config
from cnnrun.errors import WorkError
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.state import read_state
from cnnrun.training import callbacks
from cnnrun.training.train import resume, train

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]
WATCHFUL = {"epochs": 3, "batch_size": 8, "callbacks": [{"EarlyStopping": {"patience": 9}}]}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """EarlyStopping that cannot go on after the second epoch, and checkpoints at every epoch."""
    monkeypatch.setattr(callbacks, "CHECKPOINT_INTERVAL_S", 0.0)
    own = keras.callbacks.EarlyStopping.on_epoch_end

    def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            raise TypeError("'LearningRateSchedule' cannot be set")
        own(self, epoch, logs)

    monkeypatch.setattr(keras.callbacks.EarlyStopping, "on_epoch_end", on_epoch_end)


@pytest.mark.usefixtures("failing")
def test_it_is_named_and_the_run_has_failed(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    run = RunFolder(tmp_path / "run")
    with pytest.raises(WorkError) as raised:
        train(make_config(train=WATCHFUL), experiments=tmp_path, into=run.path, listener=silent)
    told = str(raised.value).replace(str(tmp_path), "TMP")
    assert told == snapshot
    state = read_state(run)
    assert state.state == "failed"
    assert state.why == str(raised.value)
    assert [row.epoch for row in read_epochs(run)] == [1]


def test_the_run_goes_on_once_the_callback_can(
    make_config: MakeConfig, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Oracle: the epochs of a run that never failed."""
    config = make_config(train=WATCHFUL)
    whole = train(config, experiments=tmp_path, into=tmp_path / "whole", listener=silent)
    cut = RunFolder(tmp_path / "cut")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(callbacks, "CHECKPOINT_INTERVAL_S", 0.0)

        def fail(self: Any, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise TypeError("not now")

        patched.setattr(keras.callbacks.EarlyStopping, "on_epoch_end", fail)
        with pytest.raises(WorkError):
            train(config, experiments=tmp_path, into=cut.path, listener=silent)
    resume(config, run=cut, listener=silent)
    assert read_state(cut).state == "finished"
    assert [row.values for row in read_epochs(cut)] == [row.values for row in read_epochs(whole)]
