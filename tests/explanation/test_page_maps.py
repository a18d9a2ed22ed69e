"""What a network looked at in its mistakes. Oracle: Grad-CAM of each image's file by itself."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.config.sections import Config
from cnnrun.errors import RunError
from cnnrun.explanation.grad_cam import grad_cam, grad_cam_layer
from cnnrun.explanation.network import explained_network
from cnnrun.explanation.page_maps import draw_page_maps
from cnnrun.models.saved import load_model
from cnnrun.pages.page_files import read_maps, require_pictures
from cnnrun.plots.heat import enlarged_pixels, overlaid
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.training.train import train

LAYERS = [
    {"conv_block": {"filters": 4, "kernel_size": 3, "name": "conv"}},
    "Flatten",
    "classifier",
]


@pytest.fixture
def run(make_config: Callable[..., Config], tmp_path: Path) -> RunFolder:
    """A run that is trained so little that it is often wrong."""
    config = make_config(model={"layers": LAYERS}, train={"epochs": 1, "batch_size": 8})
    return train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)


def test_mistakes_get_the_map_of_the_class_that_they_were_called(
    run: RunFolder, image_folder: Path
) -> None:
    assert draw_page_maps(run) == ()
    maps = read_maps(run)
    mistakes = [each for each in require_pictures(run).pictures if each.is_mistake]
    assert maps is not None
    assert (maps.layer, maps.height, maps.width) == ("conv_activation", 6, 6)
    assert set(maps.webps) == {(each.path, each.prediction) for each in mistakes}
    network = explained_network(load_model(run.model_keras))
    layer = grad_cam_layer(network, None)
    for (path, number), webp in maps.webps.items():
        pixels = np.asarray(Image.open(image_folder / path), np.float32)[None, ..., None]
        (values,) = grad_cam(network, layer, pixels, [number])
        expected = overlaid(
            enlarged_pixels(pixels[0], side=96), values, scale="share", most=float(values.max())
        )
        drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(webp)))) / 255
        assert drawn.shape == expected.shape
        assert np.abs(drawn - expected).mean() < 0.06  # WebP loses some


def test_the_same_run_gets_the_same_bytes(run: RunFolder) -> None:
    draw_page_maps(run)
    first = (run.page / "maps.json").read_bytes()
    draw_page_maps(run)
    assert (run.page / "maps.json").read_bytes() == first


def test_images_that_have_changed_since_get_none(run: RunFolder, image_folder: Path) -> None:
    changed = next(each for each in require_pictures(run).pictures if each.is_mistake).path
    kept = (image_folder / changed).read_bytes()
    try:
        Image.new("L", (6, 6), 77).save(image_folder / changed)
        notes = draw_page_maps(run)
    finally:
        (image_folder / changed).write_bytes(kept)
    assert notes == (
        "changed or gone since the training: 1 test image",
        "without a map: 1 mistake, as the image is not what it was",
    )
    maps = read_maps(run)
    assert maps is not None
    assert changed not in {path for path, _ in maps.webps}


def test_a_run_without_pictures_is_refused(run: RunFolder, snapshot) -> None:
    (run.page / "tested.json").unlink()
    with pytest.raises(RunError) as refused:
        draw_page_maps(run)
    assert str(refused.value).removeprefix(str(run.path)) == snapshot


def test_a_run_with_several_labels_an_image_is_refused(run: RunFolder, snapshot) -> None:
    empty = {"rows": [], "pictures": [], "confusion": "", "together": ""}
    (run.page / "labels.json").write_text(json.dumps(empty))
    try:
        with pytest.raises(RunError) as refused:
            draw_page_maps(run)
    finally:
        (run.page / "labels.json").unlink()
    assert str(refused.value).removeprefix(str(run.path)) == snapshot
