"""Maps of places laid over the image that they are of, in colours that most eyes tell apart."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnrun.plots.figures import showable

Scale = Literal["share", "signed"]
"""From 0 to the highest value, or from one side of 0 to the other."""

COLOUR_MAPS: Final[Mapping[Scale, str]] = {"share": "inferno", "signed": "PuOr_r"}
"""Of even lightness steps, and of two colours that red-green blindness leaves apart."""

OPACITY: Final = 0.6
_GREY: Final = (0.299, 0.587, 0.114)  # of red, green and blue, as Pillow weighs them


def overlaid(
    pixels: NDArray[Any], values: NDArray[np.floating[Any]], *, scale: Scale, most: float
) -> NDArray[np.float64]:
    """The image in grey under the colours of a map, `(height, width, 3)` from 0 to 1.

    Args:
        pixels: `(height, width, channels)` from 0 to 255.
        values: `(rows, columns)`, stretched over the whole image.
        scale: how values become colours.
        most: the value of the last colour; 0 where all values are 0.
    """
    image = showable(pixels)
    grey = image if image.ndim == 2 else image[..., :3] @ _GREY
    height, width = grey.shape
    colours = matplotlib.colormaps[COLOUR_MAPS[scale]]
    shares = enlarged(values, height, width) / most if most > 0 else np.zeros(grey.shape)
    shown = colours(shares if scale == "share" else (shares + 1) / 2)[..., :3]
    blend: NDArray[np.float64] = OPACITY * shown + (1 - OPACITY) * grey[..., None]
    return blend


def enlarged(
    values: NDArray[np.floating[Any]], height: int, width: int
) -> NDArray[np.floating[Any]]:
    """Values `(rows, columns)` as `(height, width)`: between the middles of places in between."""
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def enlarged_pixels(pixels: NDArray[Any], *, side: int) -> NDArray[Any]:
    """A tiny image with each pixel repeated, so that its longer side nears `side`; others as is."""
    factor = max(1, round(side / max(pixels.shape[:2])))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
