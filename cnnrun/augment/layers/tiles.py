"""The layer that spreads levels tile by tile: adaptive equalization with a limit (CLAHE)."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.layer import (
    Arguments,
    Draws,
    ImageLayer,
    Images,
    draws_nothing,
    said,
)

_LEVELS = 256
_WHITE = np.float32(255)


def _equalize_adaptively(images: Images, draws: Draws, arguments: Arguments) -> Images:
    """Each channel by the levels of the tiles around a pixel, as Keras's `_clahe`."""
    grid_height, grid_width = arguments["tile_grid_size"]
    height, width = images.shape[1:3]
    tile_height, tile_width = -(-height // grid_height), -(-width // grid_width)
    down = _between_tiles(height, tile_height, grid_height)
    across = _between_tiles(width, tile_width, grid_width)
    for image in images:
        levels = np.clip(image, 0, _WHITE).astype(np.int32)
        bottom, right = tile_height * grid_height - height, tile_width * grid_width - width
        padded = np.pad(levels, ((0, bottom), (0, right), (0, 0)), mode="symmetric")
        # (grid height, grid width, tile height, tile width, channels)
        tiles = padded.reshape(
            grid_height, tile_height, grid_width, tile_width, image.shape[-1]
        ).swapaxes(1, 2)
        tables = _tables(tiles, float(arguments["clip_limit"]))
        image[...] = _blended(levels, tables, down, across)
    return images


def _tables(tiles: NDArray[np.int32], clip_limit: float) -> NDArray[np.float32]:
    """What each level of each tile becomes, `(grid height, grid width, channels, levels)`."""
    rows, columns, tile_height, tile_width, channels = tiles.shape
    pixels = tile_height * tile_width
    places = np.arange(rows * columns).reshape(rows, columns, 1, 1, 1) * channels
    places = (places + np.arange(channels)) * _LEVELS + tiles
    counts = np.bincount(places.ravel(), minlength=rows * columns * channels * _LEVELS)
    shares = counts.reshape(rows, columns, channels, _LEVELS).astype(np.float32)
    if clip_limit > 0:
        clipped = np.minimum(shares, np.float32(clip_limit * pixels / _LEVELS))
        # What is cut off is dealt out to all levels alike.
        shares = clipped + (shares - clipped).sum(axis=-1, keepdims=True) / np.float32(_LEVELS)
    sums = shares.cumsum(axis=-1, dtype=np.float32)
    least = sums.min(axis=-1, keepdims=True)
    whole = np.float32(pixels) - least
    tables: NDArray[np.float32] = np.clip(
        (sums - least) * _WHITE / np.where(whole == 0, np.float32(1), whole), 0, _WHITE
    )
    return tables


def _between_tiles(
    length: int, tile: int, grid: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Which two tiles each pixel of an axis lies between, by their centres, and how far it is."""
    pixels = np.arange(length, dtype=np.float32)
    place = (pixels - np.float32(tile / 2)) / np.float32(tile)
    before = np.floor(place).astype(np.int64)
    # Beyond the outermost centres there is one tile alone.
    first, second = np.clip(before, 0, grid - 1), np.clip(before + 1, 0, grid - 1)
    return first, second, (place - before).astype(np.float32)


def _blended(
    levels: NDArray[np.int32],
    tables: NDArray[np.float32],
    down: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
    across: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Each level as the four tiles around it have it, by how near they are."""
    top, bottom, downwards = (each[:, None, None] for each in down)
    left, right, rightwards = (each[None, :, None] for each in across)
    _, columns, channels, _ = tables.shape
    places = levels + np.arange(channels) * _LEVELS
    a_tile, flat = channels * _LEVELS, tables.ravel()
    above, below = (
        flat[places + (row * columns + left) * a_tile] * (np.float32(1) - rightwards)
        + flat[places + (row * columns + right) * a_tile] * rightwards
        for row in (top, bottom)
    )
    blended: NDArray[np.float32] = above * (np.float32(1) - downwards) + below * downwards
    return blended


ADAPTIVE_EQUALIZATION = ImageLayer(
    draws_nothing, _equalize_adaptively, said("equalized tile by tile")
)
