"""Images of arrays in other sizes and colours. Oracles: Pillow, and arithmetic."""

import numpy as np
import pytest
from PIL import Image

from cnnrun.data.array_images import array_image
from cnnrun.data.resizing import RESAMPLING

RGBA = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)
RGB, GREY = RGBA[..., :3], RGBA[..., :1]


def convert(pixels: np.ndarray, **arguments: object) -> np.ndarray:
    defaults = {
        "value_range": None,
        "color_mode": None,
        "image_size": pixels.shape[:2],
        "interpolation": "bilinear",
        "keep_aspect": False,
    }
    return array_image(pixels, **{**defaults, **arguments})  # type: ignore[arg-type]


def test_nothing_to_do() -> None:
    assert convert(RGB) is RGB


@pytest.mark.parametrize("interpolation", RESAMPLING)
def test_resizing_is_pillows(interpolation: str) -> None:
    expected = Image.fromarray(RGB).resize((9, 4), RESAMPLING[interpolation])

    resized = convert(RGB, image_size=(4, 9), interpolation=interpolation)

    assert np.array_equal(resized, np.asarray(expected))


def test_any_number_of_channels_can_be_resized() -> None:
    channels = np.repeat(GREY, 7, axis=2)

    resized = convert(channels, image_size=(4, 9))

    assert resized.shape == (4, 9, 7)
    assert np.array_equal(resized[..., 6:], convert(GREY, image_size=(4, 9)))


def test_values_are_mapped_to_pixels() -> None:
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.0, 65535.0)):
        values = low + (high - low) * (GREY / 255)
        mapped = convert(values, value_range=(low, high))
        assert mapped.dtype == np.float32
        assert np.abs(mapped - GREY).max() < 1e-3


def test_floats_are_resized_without_rounding() -> None:
    mapped = convert(GREY / 255, value_range=(0, 1), image_size=(20, 20))

    expected = Image.fromarray(GREY[..., 0].astype(np.float32)).resize(
        (20, 20), Image.Resampling.BILINEAR
    )
    assert mapped.dtype == np.float32
    assert np.abs(mapped[..., 0] - np.asarray(expected)).max() < 1e-3


def test_grey_of_colours_is_pillows_up_to_rounding() -> None:
    expected = np.asarray(Image.fromarray(RGB).convert("L")).astype(int)

    grey = convert(RGB, color_mode="grayscale")

    assert grey.shape == (7, 5, 1)
    assert grey.dtype == np.uint8
    assert np.abs(grey[..., 0] - expected).max() <= 1


def test_colours_of_grey() -> None:
    assert np.array_equal(convert(GREY, color_mode="rgb"), np.repeat(GREY, 3, axis=2))


def test_opacity_is_added() -> None:
    rgba = convert(RGB, color_mode="rgba")

    assert np.array_equal(rgba[..., :3], RGB)
    assert (rgba[..., 3] == 255).all()


def test_transparent_pixels_are_laid_on_white() -> None:
    share = RGBA[..., 3:] / 255
    expected = RGB * share + 255 * (1 - share)

    assert np.abs(convert(RGBA, color_mode="rgb") - expected).max() <= 0.51
