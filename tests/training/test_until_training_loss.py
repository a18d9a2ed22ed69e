"""Training until the images are fitted. Oracle: stock Keras's `evaluate` of model.keras."""

from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from cnnrun.assembly.preparing import prepare
from cnnrun.config.sections import Config
from cnnrun.models.penalties import plain_model
from cnnrun.runs.events import silent
from cnnrun.runs.metrics import TRAINING_LOSS, read_epochs
from cnnrun.training.train import train

LAYERS = [
    {
        "conv_block": {
            "filters": 4,
            "kernel_size": 3,
            "batch_norm": {"position": "before_activation", "momentum": 0.5},
            "kernel_regularizer": {"L2": {"l2": 0.01}},
            "dropout": 0.5,
        }
    },
    "GlobalAveragePooling2D",
    "classifier",
]
SECTION = {
    "epochs": 30,
    "batch_size": 8,
    "best": "last",
    "optimizer": {"Adam": {"learning_rate": 0.05}},
    "until_training_loss": 0.3,
}


@pytest.mark.parametrize("averaged", [False, True])
def test_training_ends_when_the_images_are_fitted_as_the_network_predicts(
    averaged: bool, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    """Without augmentation, dropout and penalties, of the weights that are kept."""
    ema = {"use_ema": True, "ema_momentum": 0.5} if averaged else {}
    adam = {"Adam": {"learning_rate": 0.05, **ema}}
    config = make_config(
        model={"layers": LAYERS},
        augment={"brightness_range": [0.5, 1.5]},
        train=SECTION | {"optimizer": adam},
    )
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    *before, last = [row.values[TRAINING_LOSS] for row in read_epochs(run)]
    assert last <= 0.3 < min(before)
    prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
    train_rows = prepared.splits.train
    model = plain_model(keras.models.load_model(run.model_keras))
    model.compile(loss="sparse_categorical_crossentropy")
    theirs = model.evaluate(prepared.feed.evaluation(train_rows), verbose=0)
    assert last == pytest.approx(theirs - float(sum(model.losses)), rel=1e-4)


def test_measuring_changes_no_weight(make_config: Callable[..., Config], tmp_path: Path) -> None:
    """Oracle: the same run without it."""
    losses = []
    for name, until in (("with", 1e-9), ("without", None)):
        section = SECTION | {"epochs": 3, "until_training_loss": until}
        config = make_config(model={"layers": LAYERS}, train=section)
        run = train(config, experiments=tmp_path, into=tmp_path / name, listener=silent)
        losses.append([row.values["val_loss"] for row in read_epochs(run)])
    assert losses[0] == losses[1]
