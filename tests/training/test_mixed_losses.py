"""The loss of mixed images with weights and smoothing; the oracle is a sum over their parts."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from cnnrun.assembly.preparing import prepare
from cnnrun.augment.layers.chain import links_of
from cnnrun.config.sections import Config
from cnnrun.data.order import epoch_order
from cnnrun.runs.events import silent
from cnnrun.training.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

SMOOTHING = 0.2


def test_the_loss_of_an_epoch_is_the_sum_over_the_parts_of_its_images(
    make_config: Callable[..., Config], image_folder: Path, tmp_path: Path
) -> None:
    """Cross-entropy is linear in labels, so each part may be compared, and weighed, by itself."""
    layers = [{"CutMix": {"factor": [1, 1]}}, {"MixUp": {"alpha": 0.4}}]
    classes = sorted(each.name for each in image_folder.iterdir())
    weights = {name: 0.5 + number for number, name in enumerate(classes)}
    config = make_config(
        augment={"layers": layers},
        train={
            "epochs": 1,
            "batch_size": 5,
            "best": "last",
            "class_weight": weights,
            "loss": {"CategoricalCrossentropy": {"label_smoothing": SMOOTHING}},
            # The weights stay, so that the network of the end is that of each step.
            "optimizer": {"SGD": {"learning_rate": 0.0}},
        },
    )
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
    manifest, rows = prepared.images.manifest, prepared.splits.train
    order = rows[epoch_order(manifest.ids[rows], seed=0, epoch=0)]
    pixels = [np.asarray(Image.open(image_folder / manifest.paths[row])) for row in order]
    images = np.stack(pixels).astype(np.float32)[..., None]
    cut, mixed = (
        link.draw(manifest.ids[order], seed=0, epoch=0)
        for link in links_of(config.augment.layers or (), (6, 6, 1))
    )
    following = np.arange(1, len(order) + 1) % len(order)
    pasted = images.copy()
    y, x = np.mgrid[:6, :6]
    for place, (top, bottom, left, right) in enumerate(cut["box"]):
        inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
        pasted[place][inside] = images[following[place]][inside]
    own = mixed["share"][:, None, None, None]
    blended = own * pasted + (1 - own) * pasted[following[following]]
    predictions = keras.models.load_model(run.model_keras).predict(blended, verbose=0)

    def parts(place: int) -> list[tuple[int, float]]:
        share = float(cut["share"][place])
        return [(place, share), (int(following[place]), 1 - share)]

    total = 0.0
    for place, prediction in enumerate(predictions):
        share, partner = float(mixed["share"][place]), int(following[following[place]])
        for of, times in ((place, share), (partner, 1 - share)):
            for part, area in parts(of):
                label = manifest.labels[order[part]]
                wanted = np.full(len(classes), SMOOTHING / len(classes))
                wanted[label] += 1 - SMOOTHING
                loss = -(wanted * np.log(prediction)).sum()
                total += times * area * weights[classes[label]] * loss
    written = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert written["loss"] == pytest.approx(total / len(order), rel=1e-5)
