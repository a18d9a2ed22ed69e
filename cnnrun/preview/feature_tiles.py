"""Feature maps as the images of a contact sheet."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import InputError
from cnnrun.plots.contact_sheet import Group, Tile
from cnnrun.wording import counted

MOST_MAPS: Final = 8
_ORANGE: Final = (224, 112, 26)
_WHITE: Final = 255


def maps_of(values: NDArray[Any], channels: Sequence[int] | None) -> list[NDArray[Any]]:
    """Some maps of what a layer gives for an image, `(height, width)` each.

    A vector is laid out in lines; numbers of a sequence are one map of steps and features.

    Args:
        values: `(height, width, channels)`, `(steps, features)` or `(numbers,)`.
        channels: which of them; None for the first ones.

    Raises:
        InputError: it has more axes.
    """
    if values.ndim == 3:
        shown = range(min(values.shape[-1], MOST_MAPS)) if channels is None else channels
        return [values[..., channel] for channel in shown]
    if values.ndim == 2:
        return [values]
    if values.ndim == 1:
        return [_in_lines(values)]
    raise InputError.at(
        "--layer",
        rule="must be a layer whose numbers are maps or vectors",
        received=f"one of {' x '.join(map(str, values.shape))}",
        advice="name another layer",
    )


def map_tiles(
    maps: Sequence[NDArray[Any]],
    dropped: Sequence[NDArray[Any]] | None,
    channels: Sequence[int],
    least: float,
    greatest: float,
) -> Group:
    """Maps side by side.

    Args:
        maps: `(height, width)` each; NaN is no number, and white.
        dropped: where each was dropped, which is orange; None where nothing was.
        channels: which map of its layer each is, from 0.
        least: what is black.
        greatest: what is white.
    """
    tiles = []
    for number, values in enumerate(maps):
        grey = _WHITE * (values - least) / (greatest - least or 1.0)
        pixels = np.repeat(np.nan_to_num(grey, nan=_WHITE)[..., None], 3, axis=-1)
        if dropped is not None:
            pixels[dropped[number] == 1] = _ORANGE
        tiles.append(
            Tile(pixels, (f"map {channels[number] + 1}",) if len(maps) > 1 else (), outline=None)
        )
    return Group("", "", tuple(tiles))


def size_text(shape: Sequence[int], *, shown: int) -> str:
    """What a layer gives, in words: `8 x 8, 8 of 32 maps`."""
    if len(shape) == 1:
        return f"{counted(shape[0], 'number')} in lines"
    size = " x ".join(map(str, shape[:2]))
    if len(shape) == 2:
        return f"{size}, steps and features"
    maps = counted(shape[2], "map")
    return f"{size}, {f'{shown} of {maps}' if shown < shape[2] else maps}"


def _in_lines(numbers: NDArray[Any]) -> NDArray[np.float32]:
    """A vector as the squarest map that holds it, line by line; NaN where it has ended."""
    length = math.ceil(math.sqrt(len(numbers)))
    lines = math.ceil(len(numbers) / length)
    laid: NDArray[np.float32] = np.full(lines * length, np.nan, np.float32)
    laid[: len(numbers)] = numbers
    return laid.reshape(lines, length)
