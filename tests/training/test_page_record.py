"""What a run leaves for its page. Oracles: predictions.csv, the network's graph, plain Pillow."""

import base64
import csv
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.assembly.preparing import prepare
from cnnrun.config.sections import Config
from cnnrun.pages.page_files import CURVES, read_data, read_drawing, read_network, read_tested
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.training.train import train

BRANCHED = [
    {"residual": {"layers": [{"conv_block": {"filters": 1, "kernel_size": 3}}]}},
    "GlobalAveragePooling2D",
    "classifier",
]


@pytest.fixture
def run(make_config: Callable[..., Config], image_folder: Path, tmp_path: Path) -> RunFolder:
    data = {"directory": str(image_folder), "image_size": [6, 6], "color_mode": "grayscale"}
    (image_folder / "dark" / "torn.png").write_bytes(b"no picture")
    try:
        config = make_config(
            data={**data, "on_bad_image": "skip"},
            augment={"vertical_flip": True},
            model={"layers": BRANCHED},
        )
        return train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    finally:
        (image_folder / "dark" / "torn.png").unlink()


def test_a_run_leaves_what_its_page_shows(run: RunFolder, image_folder: Path) -> None:
    tested, data = read_tested(run), read_data(run)
    assert tested is not None
    assert data is not None
    with run.predictions_csv.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    classes = ["dark", "grey", "light"]
    names = [(each["label"], each["prediction"]) for each in rows]
    pairs = Counter((classes.index(true), classes.index(called)) for true, called in names)
    assert {(true, called): images for true, called, images in tested.confusion} == pairs
    assert {each.path: each.probability for each in tested.pictures} == {
        each["path"]: float(each["probability"]) for each in rows
    }
    for picture in tested.pictures:
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.webp))))
        np.testing.assert_array_equal(
            shown[..., 0], np.asarray(Image.open(image_folder / picture.path))
        )
    assert {split: sum(counts) for split, counts in data.counts.items()} == {
        "train": 42,
        "validation": 9,
        "test": 9,
    }
    assert [path for path, _ in data.left_out] == ["dark/torn.png"]
    assert data.augmented_by == ("vertical_flip",)
    assert (read_drawing(run, CURVES) or b"").startswith(b"<?xml")
    layers = read_network(run)
    (added,) = (each for each in layers if each.kind == "Add")
    assert len(added.inputs) == 2
    assert added.path.startswith("residual")
    assert sum(each.parameters for each in layers) > 0
    assert "dark/torn.png" in run.report_html.read_text()


def test_the_first_batch_is_the_one_that_epoch_1_is_trained_on(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config(augment={"rotation_range": 30})
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
    rows = prepared.splits.train
    batches = prepared.feed.training(
        rows, prepared.manifest.ids[rows], seed=config.seed, first_epoch=0
    )
    pixels, _ = next(iter(batches))
    data = read_data(run)
    assert data is not None
    for (webp, _), image in zip(data.first_batch, pixels.numpy(), strict=False):
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(webp))))[..., 0]
        np.testing.assert_allclose(shown, image[..., 0], atol=0.51)


@pytest.mark.parametrize("asked", [False, True])
def test_what_layers_carried_is_drawn_where_it_was_recorded(
    asked: bool, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config(train={"epochs": 1, "batch_size": 32, "diagnostics": asked})
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    drawn = {"layers", "distributions"} if asked else set()
    assert {path.stem for path in run.page.glob("*.svg")} == {"curves"} | drawn
    plots = {path.stem for path in run.plots.iterdir()}
    assert drawn == plots & {"layers", "distributions"}
    assert ("What its layers carried" in run.report_html.read_text()) == asked
