"""What a layer makes of an image. Oracles: plain NumPy, and the layer's own meaning in Keras."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.sections import Config
from cnnrun.errors import InputError
from cnnrun.plots.contact_sheet import Block, ContactSheet
from cnnrun.plots.figures import ORANGE
from cnnrun.preview.layer_effect import layer_sheet
from cnnrun.preview.standardized_images import standardized_block

MakeConfig = Callable[..., Config]

LAYERS: list[Any] = [
    {"Conv2D": {"filters": 12, "kernel_size": 3, "padding": "same", "name": "first"}},
    {"Conv2D": {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}},
    {"SpatialDropout2D": {"rate": 0.4, "name": "maps"}},
    {"Dropout": {"rate": 0.4, "name": "numbers"}},
    {"MaxPooling2D": {"pool_size": 2, "name": "pool"}},
    {"Conv2D": {"filters": 12, "kernel_size": 2, "strides": 2, "name": "steps"}},
    {"BatchNormalization": {"name": "norm"}},
    {"GlobalAveragePooling2D": {"name": "means"}},
    {"Dropout": {"rate": 0.5, "name": "of_vector"}},
    "classifier",
]
DROPPED = tuple(int(ORANGE[at : at + 2], 16) for at in (1, 3, 5))


@pytest.fixture
def sheet(make_config: MakeConfig) -> Callable[[str], ContactSheet]:
    config = make_config(model={"layers": LAYERS})
    return lambda name: layer_sheet(config, name)


def pixels_of(block: Block) -> list[np.ndarray]:
    (group,) = block.groups
    return [tile.pixels for tile in group.tiles]


def dropped(pixels: np.ndarray) -> np.ndarray:
    return np.all(pixels == DROPPED, axis=-1)


def named(sheet: ContactSheet, words: str) -> Block:
    (block,) = (each for each in sheet.blocks if words in each.title)
    return block


@pytest.mark.parametrize("name", ["maps", "numbers"])
def test_a_whole_map_is_dropped_beside_single_numbers(sheet, name: str) -> None:
    shown = sheet(name)
    shares = [
        [float(dropped(pixels).mean()) for pixels in pixels_of(named(shown, f": {kind}, rate 0.4"))]
        for kind in ("SpatialDropout2D", "Dropout")
    ]
    whole_maps, numbers = shares
    assert set(whole_maps) <= {0.0, 1.0}
    # Of twelve maps, of which some are dropped, some dropped ones are among those that are shown.
    assert {0.0, 1.0} <= set(whole_maps) or "0%" in named(shown, "SpatialDropout2D").remark
    assert any(0 < share < 1 for share in numbers)
    assert [block.title.partition(":")[0] for block in shown.blocks] == [
        "what goes in",
        "this layer",
        "instead of it",
    ]


def test_pooling_stands_beside_strides(sheet) -> None:
    shown = sheet("pool")
    (before, *_), (largest, *_), (mean, *_), (steps, *_) = (
        [pixels[..., 0] for pixels in pixels_of(block)] for block in shown.blocks[-4:]
    )
    windows = before.reshape(3, 2, 3, 2).swapaxes(1, 2).reshape(3, 3, 4)
    np.testing.assert_allclose(largest, windows.max(axis=-1), atol=1e-3)
    np.testing.assert_allclose(mean, windows.mean(axis=-1), atol=1e-3)
    np.testing.assert_allclose(steps, before[::2, ::2], atol=1e-3)


def test_strides_keep_some_places_of_the_same_convolution(sheet) -> None:
    shown = sheet("steps")
    every, kept = (
        pixels_of(named(shown, words)) for words in ("at every place", "strides of 2 x 2")
    )
    assert len(every) == 8
    for whole, part in zip(every, kept, strict=True):
        np.testing.assert_allclose(part, whole[::2, ::2], atol=1e-2)


def test_what_one_number_sees_stands_above(sheet) -> None:
    middle, corner, *rest = sheet("conv2d_2").blocks
    image, first, last = (tile for tile in middle.groups[0].tiles)
    assert [tile.lines for tile in (image, first, last)] == [
        ("the image",),
        ("first", "3 x 3: 9 pixels"),
        # Nine of every second row and column, and the rows and columns around each.
        ("conv2d_2", "7 x 7: 36 pixels"),
    ]
    assert "corner" in corner.title
    assert [block.title for block in rest] == ["what goes in", "what conv2d_2 makes of it"]


@pytest.mark.parametrize("name", ["stem", "preprocess_rescale", ""])
def test_what_is_no_layer_is_led_to_one(
    name: str, make_config: MakeConfig, snapshot: SnapshotAssertion
) -> None:
    block = {"conv_block": {"filters": 2, "kernel_size": 3, "name": "stem"}}
    config = make_config(model={"layers": [block, "GlobalAveragePooling2D", "classifier"]})
    with pytest.raises(InputError) as refusal:
        layer_sheet(config, name)
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize("name", ["norm", "means", "of_vector", "classifier"])
def test_any_layer_can_be_shown(sheet, name: str) -> None:
    shown = sheet(name)
    assert all(np.isfinite(tile).all() for block in shown.blocks for tile in pixels_of(block))
    assert name in shown.title


def test_the_same_config_gives_the_same_sheet(make_config: MakeConfig) -> None:
    sheets = [layer_sheet(make_config(model={"layers": LAYERS}), "maps") for _ in range(2)]
    for one, other in zip(*(sheet.blocks for sheet in sheets), strict=True):
        np.testing.assert_array_equal(pixels_of(one), pixels_of(other))


def test_standardized_images_say_their_range(make_config: MakeConfig) -> None:
    """Oracle: each image's own mean and deviation, in NumPy."""
    config = make_config(preprocess={"samplewise_std_normalization": True})
    block = standardized_block(config, images=3)
    for group in block.groups:
        original, standardized = group.tiles
        numbers = original.pixels.astype(np.float64) / 255
        expected = (numbers - numbers.mean()) / (numbers.std() + 1e-6)
        least, greatest = map(float, standardized.lines[1].split(" to "))
        assert least == pytest.approx(expected.min(), rel=2e-2, abs=1e-2)
        assert greatest == pytest.approx(expected.max(), rel=2e-2, abs=1e-2)
        assert standardized.pixels.min() == pytest.approx(0, abs=1e-3)
        assert standardized.pixels.max() == pytest.approx(255, abs=1e-3)
