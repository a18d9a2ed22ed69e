"""What a network looked at in its mistakes. Oracle: Grad-CAM of each image's file by itself."""

import base64
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnrun.config.sections import Config
from cnnrun.errors import RunError
from cnnrun.explanation.grad_cam import grad_cam, grad_cam_layer
from cnnrun.explanation.network import ExplainedNetwork, explained_network
from cnnrun.explanation.page_maps import draw_page_maps
from cnnrun.models.saved import load_model
from cnnrun.pages.page_files import read_label_tested, read_maps, require_pictures
from cnnrun.pages.run_page import run_page
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
    network = explained_network(load_model(run.model_keras), of_labels=False)
    for (path, number), webp in maps.webps.items():
        assert_shows(webp, network, image_folder / path, number)


def assert_shows(webp: str, network: ExplainedNetwork, image: Path, number: int) -> None:
    """That a picture is Grad-CAM of the image in a file."""
    pixels = np.asarray(Image.open(image), np.float32)[None, ..., None]
    (values,) = grad_cam(network, grad_cam_layer(network, None), pixels, [number])
    expected = overlaid(
        enlarged_pixels(pixels[0], side=96), values, scale="share", most=float(values.max())
    )
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(webp)))) / 255
    assert drawn.shape == expected.shape
    assert np.abs(drawn - expected).mean() < 0.06  # WebP loses some


def test_of_several_labels_mistakes_get_the_map_of_the_label(
    make_config: Callable[..., Config], label_sections: Mapping[str, Any], tmp_path: Path
) -> None:
    """Said wrongly or missed, it is what speaks for the label that is shown."""
    model, short = {"model": {"layers": LAYERS}}, {"train": {"epochs": 1, "batch_size": 16}}
    config = make_config(**label_sections | model | short)
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    assert draw_page_maps(run) == ()
    maps, tested = read_maps(run), read_label_tested(run)
    assert maps is not None
    assert tested is not None
    assert set(maps.webps) == {(each.path, each.label) for each in tested.pictures}
    network = explained_network(load_model(run.model_keras), of_labels=True)
    folder = Path(label_sections["data"]["csv"]["file"]).parent
    for (path, number), webp in list(maps.webps.items())[:4]:
        assert_shows(webp, network, folder / path, number)
    page = run_page(run)
    assert page.count('<img class="map"') == len(tested.pictures)
    assert "where it looked for the label (Grad-CAM at <code>conv_activation</code>" in " ".join(
        page.split()
    )
    assert f'alt="{tested.pictures[0].path}: where the network looked for ' in page
    assert "looked for not " not in page


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
