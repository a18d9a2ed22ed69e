"""A preview shows the run's own draws, as its own engine draws them."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.augmenting import augment_of
from cnnrun.assembly.preparing import prepare
from cnnrun.augment import keras_engine
from cnnrun.augment.draws import draw
from cnnrun.augment.fast_engine import FastEngine
from cnnrun.augment.layers.chain import FAST
from cnnrun.augment.layers.keras_engine import KERAS
from cnnrun.config.augment_section import DRAWN, AugmentSpec
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import split_rows
from cnnrun.errors import ConfigError, DataError
from cnnrun.plots.contact_sheet import ContactSheet, Group
from cnnrun.preview.augmented_images import (
    augmentation_sheet,
    first_of_classes,
    read_training_images,
)
from cnnrun.preview.first_batch import MOST_SHOWN, first_batch_sheet
from cnnrun.runs.events import silent

MakeConfig = Callable[..., Config]

EVERYTHING: dict[str, Any] = {
    "rotation_range": 30,
    "width_shift_range": 0.2,
    "height_shift_range": [1, 2],
    "shear_range": 10.5,
    "zoom_range": [0.8, 1.25],
    "horizontal_flip": True,
    "vertical_flip": True,
    "channel_shift_range": 30,
    "brightness_range": [0.5, 1.5],
    "fill_mode": "reflect",
}


LAYERS: list[Any] = [
    {"ZeroPadding2D": {"padding": 2}},
    {"RandomCrop": {"height": 6, "width": 6}},
    {"RandomErasing": {"scale": [0.1, 0.3], "fill_value": 200}},
    {"MixUp": {"alpha": 1}},
    "CutMix",
]
EVERYTHING_AND_LAYERS = EVERYTHING | {"layers": LAYERS}


def sheet_of(config: Config, *, images: int = 3, draws: int = 2) -> ContactSheet:
    how = {
        "fill_mode": config.augment.fill_mode,
        "cval": config.augment.cval,
        "interpolation_order": config.augment.interpolation_order,
    }
    make_engine = (
        partial(FastEngine, threads=1, **how)
        if config.augment.engine == "fast"
        else lambda _: partial(keras_engine.apply, **how)
    )
    return augmentation_sheet(
        config,
        images=images,
        draws=draws,
        make_engine=make_engine,
        make_layers_engine=lambda: FAST if config.augment.engine == "fast" else KERAS,
        standardized=None,
    )


def drawn_pixels(group: Group) -> np.ndarray:
    return np.stack([tile.pixels for tile in group.tiles[1:]])


def words_of(sheet: ContactSheet) -> list[Any]:
    """Everything that a sheet says, without its pixels."""
    blocks = [
        [
            block.title,
            block.remark,
            *[[group.heading, *[tile.lines for tile in group.tiles]] for group in block.groups],
        ]
        for block in sheet.blocks
    ]
    return [sheet.title, *sheet.caption, sheet.columns, *blocks]


def test_every_parameter_that_draws_is_known() -> None:
    """Oracle: what `draw` takes, but for what does not come from the config."""
    assert set(DRAWN) == set(signature(draw).parameters) - {"ids", "seed", "epoch", "image_size"}


@pytest.mark.parametrize(
    "section",
    [EVERYTHING, EVERYTHING | {"engine": "keras"}, {"layers": LAYERS}, EVERYTHING_AND_LAYERS],
    ids=["fast", "keras", "layers", "layers behind the geometry"],
)
def test_all_together_is_what_training_gets(
    section: dict[str, Any], make_config: MakeConfig
) -> None:
    """Oracle: the function that a run's batches pass through."""
    config = make_config(augment=section, seed=5)
    manifest = read_manifest(config.data)
    images = read_training_images(config, lambda _, rows: rows)
    place_of = {row: place for place, row in enumerate(images.rows.tolist())}
    augment = augment_of(
        config.augment,
        locate=lambda rows: (images.pixels, np.array([place_of[row] for row in rows.tolist()])),
        ids=manifest.ids,
        training=images.training,
        seed=5,
        image_shape=(6, 6, 1),
        threads=1,
    )
    assert augment is not None
    shown = sheet_of(config).blocks[-1]
    assert shown.title == "all together"
    for group in shown.groups:
        row = manifest.paths.index(group.origin)
        original = images.pixels[images.rows == row]
        np.testing.assert_array_equal(group.tiles[0].pixels, original[0])
        for epoch, pixels in enumerate(drawn_pixels(group)):
            expected = augment(np.array([row]), epoch)[0]
            np.testing.assert_array_equal(pixels, expected)


def test_the_sheet_says_what_layers_do(
    make_config: MakeConfig, snapshot: SnapshotAssertion
) -> None:
    config = make_config(augment={"zoom_range": 0.1, "layers": LAYERS}, seed=5)
    assert words_of(sheet_of(config, images=2)) == snapshot


@pytest.mark.parametrize("name", DRAWN)
def test_a_parameter_alone_is_drawn_as_if_it_were_alone(name: str, make_config: MakeConfig) -> None:
    alone = {name: EVERYTHING[name], "fill_mode": "reflect"}
    single = sheet_of(make_config(augment=alone)).blocks
    assert len(single) == 1, "with one parameter, all together would be the same again"
    among_others = sheet_of(make_config(augment=EVERYTHING)).blocks[list(DRAWN).index(name)]
    assert among_others.title == single[0].title
    for group, other in zip(single[0].groups, among_others.groups, strict=True):
        np.testing.assert_array_equal(drawn_pixels(group), drawn_pixels(other))
        assert [tile.lines for tile in group.tiles] == [tile.lines for tile in other.tiles]


def test_images_are_training_images_of_different_classes(make_config: MakeConfig) -> None:
    config = make_config(augment={"horizontal_flip": True})
    manifest = read_manifest(config.data)
    training = split_rows(manifest, validation=0.15, test=0.15, seed=0).train
    names = {manifest.paths[row] for row in training}
    for images in (1, 3, 7):
        shown = [group.origin for group in sheet_of(config, images=images).blocks[0].groups]
        assert len(set(shown)) == len(shown) == images
        assert names >= set(shown)
        assert len({name.split("/")[0] for name in shown}) == min(images, 3)


def test_classes_take_turns() -> None:
    rows, labels = np.arange(10, 17), np.array([2, 2, 2, 0, 2, 0, 1], np.int32)
    chosen = {
        images: first_of_classes(rows, labels, images=images).tolist() for images in (1, 2, 4, 99)
    }
    assert chosen == {
        1: [10],
        2: [13, 10],
        4: [13, 16, 10, 11],
        99: [13, 15, 16, 10, 11, 12, 14],
    }


def test_what_a_sheet_says(make_config: MakeConfig, snapshot: SnapshotAssertion) -> None:
    everything = make_config(augment=EVERYTHING)
    assert words_of(sheet_of(everything, images=1)) == snapshot
    constant = {"zoom_range": 0.1, "fill_mode": "constant", "cval": 127.5}
    assert words_of(sheet_of(make_config(augment=constant), draws=1)) == snapshot
    unmoved = make_config(augment={"horizontal_flip": True}, seed=7)
    assert words_of(sheet_of(unmoved, images=1)) == snapshot


@pytest.mark.parametrize("augment", [{}, {"fill_mode": "wrap", "engine": "keras"}])
def test_nothing_to_preview(
    augment: dict[str, Any], make_config: MakeConfig, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(ConfigError) as refused:
        sheet_of(make_config(augment=augment))
    assert str(refused.value) == snapshot


@pytest.fixture
def damaged(make_images, tmp_path: Path) -> Callable[[str], Config]:
    """Two classes, of which one has a single readable image."""
    images = make_images("pets", {"cat": 12, "dog": 12})
    for path in sorted((images / "cat").iterdir())[1:]:
        path.write_bytes(b"no image")

    def make(on_bad_image: str) -> Config:
        data = {"directory": "pets", "image_size": [8, 8], "on_bad_image": on_bad_image}
        (tmp_path / "pets.yaml").write_text(
            yaml.safe_dump(
                {
                    "data": data | {"split": {"validation": 0.1, "test": 0.1}},
                    "augment": {"vertical_flip": True},
                    "model": {"layers": ["Flatten", "classifier"]},
                }
            )
        )
        return load_config(tmp_path / "pets.yaml")

    return make


def test_bad_images_are_named_or_passed_over(damaged: Callable[[str], Config]) -> None:
    with pytest.raises(DataError, match="cat/"):
        sheet_of(damaged("error"))
    groups = sheet_of(damaged("skip"), images=4).blocks[0].groups
    assert len(groups) == 4
    assert all(group.origin in ("cat/0000.png", *_dogs()) for group in groups)
    batch = first_batch_sheet(damaged("skip"))
    assert "Batch 1 of 1" in batch.caption[0]


def _dogs() -> list[str]:
    return [f"dog/{number:04}.png" for number in range(12)]


@pytest.mark.parametrize("augment", [{}, EVERYTHING])
@pytest.mark.parametrize(
    "preprocess",
    [{}, {"rescale": 1}, {"featurewise_std_normalization": True, "samplewise_center": True}],
)
def test_the_first_batch_is_the_one_that_the_network_gets(
    augment: dict[str, Any], preprocess: dict[str, Any], make_config: MakeConfig, tmp_path: Path
) -> None:
    """Oracle: the run's own batches, through the run's own network."""
    config = make_config(augment=augment, preprocess=preprocess)
    prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
    rows = prepared.splits.train
    batches = prepared.feed.training(rows, prepared.manifest.ids[rows], seed=0, first_epoch=0)
    pixels, _ = next(iter(batches))
    values = np.asarray(prepared.built.network.preprocessing(keras.ops.cast(pixels, "float32")))
    sheet = first_batch_sheet(config)
    tiles = [tile for group in sheet.blocks[0].groups for tile in group.tiles]
    least, greatest = values.min(), values.max()
    np.testing.assert_allclose(
        np.stack([tile.pixels for tile in tiles]),
        255 * (values - least) / (greatest - least),
        atol=0.01,
    )
    assert f"from {least:.4g} (shown black) to {greatest:.4g} (shown white)" in sheet.caption[-1]


def test_grey_images_are_shown_in_the_colours_that_a_backbone_gets(
    make_config: MakeConfig, image_folder: Path
) -> None:
    """ResNet50 subtracts another mean of each colour; its weights are not looked for."""
    data = {"directory": str(image_folder), "image_size": [32, 32], "color_mode": "grayscale"}
    head = ["GlobalAveragePooling2D", "classifier"]
    config = make_config(data=data, model={"backbone": {"name": "ResNet50"}, "layers": head})
    sheet = first_batch_sheet(config)
    assert sheet.blocks[0].groups[0].tiles[0].pixels.shape == (32, 32, 3)
    least = float(sheet.caption[-1].split()[2])
    assert -123.68 <= least < -116.779  # the mean of red, and that of green, which is the next


def test_what_a_batch_says(make_config: MakeConfig, snapshot: SnapshotAssertion) -> None:
    plain = make_config(train={"batch_size": 2})
    assert words_of(first_batch_sheet(plain)) == snapshot
    augmented = make_config(
        augment=EVERYTHING, preprocess={"featurewise_center": True}, train={"batch_size": 1}
    )
    said = words_of(first_batch_sheet(augmented))
    assert said[0] == snapshot
    assert said[2] == snapshot


def test_large_batches_are_shown_in_part(make_images, tmp_path: Path) -> None:
    make_images("pets", {"cat": 60, "dog": 60}, mode="RGBA")
    (tmp_path / "pets.yaml").write_text(
        "data: {directory: pets, image_size: [4, 4], color_mode: rgba}\n"
        "model: {layers: [Flatten, classifier]}\ntrain: {batch_size: 1000}\n"
    )
    sheet = first_batch_sheet(load_config(tmp_path / "pets.yaml"))
    tiles = [tile for group in sheet.blocks[0].groups for tile in group.tiles]
    assert len(tiles) == MOST_SHOWN
    assert {tile.pixels.shape for tile in tiles} == {(4, 4, 3)}, "no opacity"
    assert sheet.caption[0].endswith("84 images of 4 x 4 x 4; the first 60 are shown.")


def test_a_batch_of_one_value_is_black(make_images, tmp_path: Path) -> None:
    folder = make_images("flat", {"a": 8, "b": 8})
    for path in folder.rglob("*.png"):
        Image.new("L", (4, 4), 200).save(path)
    (tmp_path / "flat.yaml").write_text(
        "data: {directory: flat, image_size: [4, 4]}\nmodel: {layers: [Flatten, classifier]}\n"
    )
    tiles = first_batch_sheet(load_config(tmp_path / "flat.yaml")).blocks[0].groups[0].tiles
    assert not np.any(tiles[0].pixels)


def test_defaults_are_off() -> None:
    """A preview tells what is on by comparing with the defaults."""
    assert not any(getattr(AugmentSpec(), name) for name in DRAWN)
