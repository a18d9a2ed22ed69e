"""Pixels as small pictures that a page can hold by the hundred."""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnrun.plots.figures import showable

MOST_PICTURES: Final = 1_000
"""How many pictures a run leaves for its page."""

_PICTURE_BYTES: Final = 1_400_000
_MAP_BYTES: Final = 500_000
"""Of all pictures and all maps: in base64 and with what is around them, a page of 3 MB at most."""
_MOST_BYTES: Final = 8_000
_TINY_SIDE: Final = 48
"""Up to here a picture keeps its pixels; a browser enlarges them."""
_SIZES: Final = ((96, 75), (96, 50), (72, 50), (56, 35), (40, 25), (32, 10))
"""The longer side and WebP's quality, from which the first is taken that is small enough."""
_LEAST_ROOMS: Final = (4_000, 2_000)
"""With less room than this for each picture, the first and the second size are not tried."""


def thumbnail(pixels: NDArray[Any], *, of: int) -> bytes:
    """A WebP file of one of `of` pictures that share a page.

    Args:
        pixels: `(height, width, channels)` from 0 to 255.
        of: how many pictures there are; the more, the fewer bytes for each.
    """
    return _webp(showable(pixels), room=_PICTURE_BYTES // max(of, 1))


def map_thumbnail(colours: NDArray[np.floating[Any]], *, of: int) -> bytes:
    """A WebP file of one of `of` maps that share a page, beside the pictures that they are of.

    Args:
        colours: the map over its image, `(height, width, 3)` from 0 to 1.
        of: how many maps there are.
    """
    return _webp(colours, room=_MAP_BYTES // max(of, 1))


def _webp(colours: NDArray[np.floating[Any]], *, room: int) -> bytes:
    """Colours from 0 to 1 in as many bytes as there is room for, or the fewest that do."""
    image = Image.fromarray((255 * colours).round().astype(np.uint8))
    room = min(_MOST_BYTES, room)
    if max(image.size) <= _TINY_SIDE:
        found = _encoded(image, lossless=True, quality=80)
        if len(found) <= room:
            return found
    for side, quality in _SIZES[sum(room < least for least in _LEAST_ROOMS) :]:
        smaller = image.copy()
        smaller.thumbnail((side, side), Image.Resampling.BOX)
        found = _encoded(smaller, lossless=False, quality=quality)
        if len(found) <= room:
            break
    return found


def _encoded(image: Image.Image, *, lossless: bool, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "WEBP", lossless=lossless, quality=quality, method=0)
    return stream.getvalue()
