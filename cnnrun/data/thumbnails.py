"""A small grey picture of each image: what copies are told by that were saved again or changed."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cnnrun.data.decode import Numbers, Picture, in_mode
from cnnrun.data.levels import lowest_and_highest

SIDE = 24

Thumbnail = npt.NDArray[np.uint8]


def thumbnail(picture: Picture | npt.NDArray[Any]) -> Thumbnail:
    """A picture as `(24, 24)` levels of grey, squeezed to a square.

    Args:
        picture: of a file; or of an array, `(height, width, channels)`.
    """
    image = _grey(picture)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0))


def _grey(picture: Picture | npt.NDArray[Any]) -> Image.Image:
    if isinstance(picture, Image.Image):
        if picture.mode == "F" or picture.mode.startswith("I"):
            return _stretched(np.asarray(picture))
        return in_mode(picture, "grayscale", Path())
    values = picture.values if isinstance(picture, Numbers) else picture
    if values.dtype == np.uint8 and values.shape[2] in (1, 3):
        image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
        return image.convert("L")
    return _stretched(values.astype(np.float32).mean(axis=2))


def _stretched(values: npt.NDArray[Any]) -> Image.Image:
    """Numbers of any kind as grey, the lowest black and the highest white."""
    low, high = lowest_and_highest(values)
    shares = (np.nan_to_num(values.astype(np.float64)) - low) / max(high - low, 1e-12)
    return Image.fromarray((255 * np.clip(shares, 0, 1)).astype(np.uint8))
