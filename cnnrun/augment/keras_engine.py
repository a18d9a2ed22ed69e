"""Draws applied to pixels by ImageDataGenerator's own code: the slow engine, and the oracle."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cnnrun.augment.draws import Draws


def apply(
    images: NDArray[Any],
    draws: Draws,
    *,
    fill_mode: str,
    cval: float,
    interpolation_order: int,
) -> NDArray[np.float32]:
    """Augmented images; arguments and result are those of `fast_engine.apply`, but for threads."""
    generator = ImageDataGenerator(
        fill_mode=fill_mode,
        cval=cval,
        interpolation_order=interpolation_order,
        data_format="channels_last",
        dtype="float32",
    )
    result = np.empty(images.shape, np.float32)
    for row, image in enumerate(images):
        parameters = _transform_parameters(draws, row)
        result[row] = generator.apply_transform(image.astype(np.float32), parameters)
    return result


def _transform_parameters(draws: Draws, row: int) -> dict[str, Any]:
    """A row of draws as ImageDataGenerator's `get_random_transform` would return it."""
    brightness = float(draws.brightness[row])
    channel_shift = float(draws.channel_shift[row])
    return {
        "theta": float(draws.rotation_degrees[row]),
        "tx": float(draws.column_shift_pixels[row]),
        "ty": float(draws.row_shift_pixels[row]),
        "shear": float(draws.shear_degrees[row]),
        "zx": float(draws.column_zoom[row]),
        "zy": float(draws.row_zoom[row]),
        "flip_horizontal": bool(draws.horizontal_flip[row]),
        "flip_vertical": bool(draws.vertical_flip[row]),
        "channel_shift_intensity": channel_shift or None,
        "brightness": None if np.isnan(brightness) else brightness,
    }
