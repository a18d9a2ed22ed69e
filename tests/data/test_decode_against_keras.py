"""Resizing and colours. Oracle: keras.utils.load_img with the same arguments."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.data.resizing import RESAMPLING

keras = pytest.importorskip("keras")

PICTURE = (
    (
        np.linspace(0, 255, 37 * 53 * 3).reshape(37, 53, 3)
        + np.random.default_rng(0).normal(0, 20, (37, 53, 3))
    )
    .clip(0, 255)
    .astype(np.uint8)
)


@pytest.mark.parametrize("interpolation", RESAMPLING)
@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize("image_size", [(16, 16), (20, 61), (64, 9), (37, 53), (100, 3)])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale", "rgba"])
def test_equals_keras(
    here: Path,
    interpolation: str,
    keep_aspect: bool,
    image_size: tuple[int, int],
    color_mode: str,
) -> None:
    Image.fromarray(PICTURE).save("1.jpg")

    pixels = decode_image(
        Path("1.jpg"),
        Decoding(image_size, color_mode, interpolation, keep_aspect=keep_aspect),
    )

    image = keras.utils.load_img(
        "1.jpg",
        color_mode=color_mode,
        target_size=image_size,
        interpolation=interpolation,
        keep_aspect_ratio=keep_aspect,
    )
    assert np.array_equal(pixels, keras.utils.img_to_array(image))
