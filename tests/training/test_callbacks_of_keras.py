"""Callbacks of Keras keep their meaning. Oracle: plain Keras's `fit` of the same network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cnnrun.assembly.preparing import Prepared, prepare
from cnnrun.config.keras_table import keras_table
from cnnrun.config.sections import Config
from cnnrun.models.penalties import plain_model
from cnnrun.runs.events import silent
from cnnrun.runs.metrics import read_epochs
from cnnrun.training.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

EPOCHS = 5
LAYERS = [
    {"conv_block": {"filters": 4, "kernel_size": 3, "batch_norm": "before_activation"}},
    "GlobalAveragePooling2D",
    "classifier",
]
CASES: dict[str, list[dict[str, Any]]] = {
    "EarlyStopping": [
        {"patience": 1, "monitor": "val_loss", "min_delta": 0.5},
        {"patience": 1, "min_delta": 0.5, "restore_best_weights": True, "start_from_epoch": 1},
    ],
    "ReduceLROnPlateau": [{"patience": 1, "factor": 0.1, "min_delta": 0.5, "cooldown": 1}],
    "SwapEMAWeights": [{}, {"swap_on_epoch": True}],
    "TerminateOnNaN": [{}],
}


def test_every_callback_that_a_config_can_name_has_a_case() -> None:
    assert CASES.keys() == keras_table()["callbacks"].keys()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [(name, arguments) for name, each in CASES.items() for arguments in each],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_callback_does_what_it_does_in_keras(
    name: str, arguments: dict[str, Any], make_config: Callable[..., Config], tmp_path: Path
) -> None:
    adam = {"learning_rate": 0.05}
    if name == "SwapEMAWeights":
        adam |= {"use_ema": True, "ema_momentum": 0.8}
    section = {
        "epochs": EPOCHS,
        "batch_size": 8,
        "steps_per_execution": 1,
        "optimizer": {"Adam": adam},
        "callbacks": [{name: arguments}],
    }
    config = make_config(model={"layers": LAYERS}, train=section)
    theirs = losses_of_keras(config, tmp_path, adam, name, arguments)
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    ours = read_epochs(run)
    assert len(ours) == len(theirs["loss"])
    for key in ("loss", "val_loss"):
        found = [row.values[key] for row in ours]
        np.testing.assert_allclose(found, theirs[key], rtol=1e-5, atol=1e-6)
    if name == "ReduceLROnPlateau":
        # Keras's log has the rate before the callback's change, a run's line the one after it.
        assert ours[-1].learning_rate < 0.05


def losses_of_keras(
    config: Config, folder: Path, adam: dict[str, Any], name: str, arguments: dict[str, Any]
) -> dict[str, list[float]]:
    """The history of plain Keras over the same batches, from the same weights."""
    prepared: Prepared = prepare(config, earlier=None, cache_folder=folder, listener=silent)
    model = plain_model(prepared.built.network.model)
    model.compile(optimizer=keras.optimizers.Adam(**adam), loss="sparse_categorical_crossentropy")
    splits = prepared.splits
    batches = prepared.feed.training(
        splits.train, prepared.manifest.ids[splits.train], seed=config.seed, first_epoch=0
    )
    history = model.fit(
        batches,
        validation_data=prepared.feed.evaluation(splits.validation),
        epochs=EPOCHS,
        callbacks=[getattr(keras.callbacks, name)(**arguments)],
        shuffle=False,
        verbose=0,
    )
    return history.history
