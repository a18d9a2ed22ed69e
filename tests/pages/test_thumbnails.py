"""Oracle: Pillow, which reads the pictures back."""

import io

import numpy as np
import pytest
from PIL import Image

from cnnrun.pages.thumbnails import MOST_PICTURES, thumbnail


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_a_tiny_picture_keeps_its_pixels(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, channels), np.uint8)
    if channels == 4:
        pixels[..., 3] = 255
    shown = np.asarray(Image.open(io.BytesIO(thumbnail(pixels, of=10))))
    taken = pixels[..., [0, 0, 0]] if channels < 3 else pixels[..., :3]
    np.testing.assert_array_equal(shown[..., :3], taken)


def test_floats_are_rounded_and_nan_is_black() -> None:
    pixels = np.array([[[12.4], [np.nan], [300.0], [-5.0]]], np.float32)
    shown = np.asarray(Image.open(io.BytesIO(thumbnail(pixels, of=1))))
    assert shown[0, :, 0].tolist() == [12, 0, 255, 0]


@pytest.mark.parametrize("shape", [(224, 224, 3), (40, 900, 3), (48, 48, 3), (1, 500, 1)])
def test_a_thousand_pictures_of_noise_fit_into_three_megabytes(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    small = thumbnail(pixels, of=MOST_PICTURES)
    assert len(small) * MOST_PICTURES * 4 / 3 < 2_000_000
    assert max(Image.open(io.BytesIO(small)).size) <= 96
