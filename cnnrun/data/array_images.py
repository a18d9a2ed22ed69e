"""One image of an array, in the wanted size and colours: what decode.py is for files."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnrun.config.data_section import CHANNELS
from cnnrun.data.resizing import resized

Array = npt.NDArray[Any]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601-2, as Pillow's convert("L")


def array_image(
    pixels: Array,
    *,
    value_range: tuple[float, float] | None,
    color_mode: str | None,
    image_size: tuple[int, int],
    interpolation: str,
    keep_aspect: bool,
) -> Array:
    """An image of an array, with 0 for black and 255 for white.

    Args:
        pixels: `(height, width, channels)`; 1, 3 or 4 channels where `color_mode` is given.
        value_range: the values that stand for black and white; None says 0 and 255.
        color_mode: "rgb", "grayscale", "rgba", or None for the channels as they are.
        image_size: (height, width) of the result.
        interpolation: see decode_image.
        keep_aspect: see decode_image.

    Returns:
        `(height, width, channels)`: uint8, or float32 where a value range is given.
    """
    if value_range is not None:
        low, high = value_range
        pixels = ((pixels.astype(np.float32) - low) * (255 / (high - low))).astype(np.float32)
    if color_mode is not None and pixels.shape[2] != CHANNELS[color_mode]:
        pixels = _recoloured(pixels, color_mode)
    if pixels.shape[:2] == image_size:
        return pixels
    channels = [
        np.asarray(
            resized(
                Image.fromarray(np.ascontiguousarray(pixels[..., channel])),
                image_size,
                interpolation=interpolation,
                keep_aspect=keep_aspect,
            )
        )
        for channel in range(pixels.shape[2])
    ]
    return np.stack(channels, axis=-1)


def _recoloured(pixels: Array, color_mode: str) -> Array:
    values: Array = pixels.astype(np.float32)
    if values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)
    if values.shape[2] == 4:
        opacity = values[..., 3:] / 255
        values = values[..., :3] * opacity + 255 * (1 - opacity)
    if color_mode == "grayscale":
        values = (values @ LUMA)[..., np.newaxis]
    if color_mode == "rgba":
        values = np.concatenate([values, np.full_like(values[..., :1], 255)], axis=2)
    return np.rint(values).astype(np.uint8) if pixels.dtype == np.uint8 else values
