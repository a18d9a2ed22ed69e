"""Weights of images are what Keras's `fit` makes of them. Oracle: plain Keras's `fit`."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from cnnrun.assembly.preparing import prepare
from cnnrun.config.sections import Config
from cnnrun.errors import InterruptedRunError, RunError
from cnnrun.models.penalties import plain_model
from cnnrun.runs.data_states import images_of
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.training.train import resume, train

from ..listening import Heard

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]
EPOCHS = 3


@pytest.fixture
def weighed(tmp_path: Path, make_config: MakeConfig) -> Callable[..., Config]:
    """Makes a config over a table of images in folders, whose weights depend on their names."""

    def make(images: Path, **section: Any) -> Config:
        table = tmp_path / "weights.csv"
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "label", "certainty"])
            for number, path in enumerate(sorted(images.glob("*/*.png"))):
                writer.writerow([path.as_posix(), path.parent.name, number % 4 / 2])
        data = {"csv": {"file": str(table), "weight": "certainty"}, "image_size": [8, 8]}
        return make_config(data={"directory": None, **data}, train=section)

    return make


SECTION = {
    "epochs": EPOCHS,
    "batch_size": 1000,  # one batch an epoch: the order of images does not matter
    "optimizer": {"SGD": {"learning_rate": 0.1}},
    "best": "last",
}


@pytest.mark.parametrize("by_class", [None, "balanced"])
def test_losses_are_those_of_keras(
    by_class: str | None, weighed: Callable[..., Config], image_folder: Path, tmp_path: Path
) -> None:
    """The training loss is weighted by images and classes, all else is not."""
    config = weighed(image_folder, **SECTION, class_weight=by_class)
    theirs = history_of_keras(config, tmp_path, by_class)
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    for key in ("loss", "accuracy", "val_loss", "val_accuracy"):
        found = [row.values[key] for row in read_epochs(run)]
        np.testing.assert_allclose(found, theirs[key], rtol=2e-5, err_msg=key)


def history_of_keras(config: Config, folder: Path, by_class: str | None) -> dict[str, list[float]]:
    prepared = prepare(config, earlier=None, cache_folder=folder, listener=silent)
    manifest, splits = prepared.manifest, prepared.splits
    with config.data.csv.file.open(newline="") as file:
        written = {row["path"]: float(row["certainty"]) for row in csv.DictReader(file)}
    weights = np.array([written[manifest.paths[row]] for row in splits.train])
    labels = manifest.labels
    if by_class:
        weights = weights * compute_sample_weight("balanced", labels[splits.train])
    model = plain_model(prepared.built.network.model)
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    read = prepared.images.store.read
    history = model.fit(
        read(splits.train),
        labels[splits.train],
        sample_weight=weights,
        validation_data=(read(splits.validation), labels[splits.validation]),
        epochs=EPOCHS,
        batch_size=1000,
        verbose=0,
    )
    return history.history


def test_a_run_lists_its_weights_and_does_not_go_on_with_others(
    weighed: Callable[..., Config],
    image_folder: Path,
    tmp_path: Path,
    snapshot: Any,
) -> None:
    config = weighed(image_folder, **SECTION)
    run = RunFolder(tmp_path / "run")
    with pytest.raises(InterruptedRunError):
        train(config, experiments=tmp_path, into=run.path, listener=Heard(1))
    records = images_of(run)
    assert records is not None
    assert [record.weight for record in records[:5]] == ["0.0", "0.5", "1.0", "1.5", "0.0"]
    table = config.data.csv.file
    table.write_text(table.read_text().replace(",1.5\n", ",1.25\n"))
    with pytest.raises(RunError) as refusal:
        resume(config, run=run, listener=silent)
    told = str(refusal.value).replace(str(tmp_path), "<folder>")
    assert told.replace(image_folder.as_posix(), "<images>") == snapshot
