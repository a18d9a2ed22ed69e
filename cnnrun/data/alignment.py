"""How alike two pictures are once one is moved, zoomed, turned a little or mirrored onto the other.

Features of a network say which images may be copies; this says whether they are.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import map_coordinates

from cnnrun.data.thumbnails import SIDE, Thumbnail

Vectors = npt.NDArray[np.float32]

PATCH = 16  # the side of the middle that is laid over the other picture
ZOOMS = (0.8, 0.87, 0.94, 1.0, 1.07, 1.15, 1.25)
TURNS_DEGREES = (-6.0, -3.0, 0.0, 3.0, 6.0)
TEMPLATES_KEPT = 4096


def likenesses(
    thumbnails: npt.NDArray[np.uint8], pairs: Iterable[tuple[int, int]]
) -> npt.NDArray[np.float64]:
    """For each pair of pictures, the correlation of their pixels where they lie best.

    Args:
        thumbnails: `(images, side, side)` of grey.
        pairs: of places among them.
    """

    @lru_cache(TEMPLATES_KEPT)
    def laid(image: int) -> Vectors:
        return _templates(thumbnails[image])

    return np.array(
        [
            max(float((_windows(seen) @ laid(one).T).max()) for seen in _seen(thumbnails[other]))
            for one, other in pairs
        ]
    )


def _seen(picture: Thumbnail) -> tuple[Thumbnail, Thumbnail]:
    return picture, picture[:, ::-1]


def _coordinates() -> npt.NDArray[np.float64]:
    """Where the middle's pixels come from in each position: `(2, positions x pixels)`."""
    places = np.arange(PATCH) - (PATCH - 1) / 2
    rows, columns = np.meshgrid(places, places, indexing="ij")
    middle = (SIDE - 1) / 2
    laid = []
    for zoom in ZOOMS:
        for turn in np.deg2rad(TURNS_DEGREES):
            cosine, sine = np.cos(turn) * zoom, np.sin(turn) * zoom
            laid.append(
                [cosine * rows - sine * columns + middle, sine * rows + cosine * columns + middle]
            )
    return np.stack(laid, axis=1).reshape(2, -1)


_COORDINATES = _coordinates()


def _templates(picture: Thumbnail) -> Vectors:
    """The picture's middle in all positions: `(positions, pixels)`."""
    values = map_coordinates(picture.astype(np.float32), _COORDINATES, order=1, mode="nearest")
    return _standardized(values.reshape(-1, PATCH * PATCH))


def _windows(picture: Thumbnail) -> Vectors:
    """All parts of a picture that are as large as a middle: `(places, pixels)`."""
    parts = sliding_window_view(picture.astype(np.float32), (PATCH, PATCH))
    return _standardized(parts.reshape(-1, PATCH * PATCH))


def _standardized(vectors: npt.NDArray[Any]) -> Vectors:
    """Vectors of mean 0 and length 1, whose products are correlations; 0 where is no picture."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    standardized: Vectors = np.divide(
        centred, lengths, out=np.zeros_like(centred), where=lengths > PATCH
    )
    return standardized
