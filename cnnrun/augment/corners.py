"""Draws as the place where an image has gone."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.draws import Draws
from cnnrun.augment.geometry import source_matrices

Corners = NDArray[np.float64]


def corners_of(draws: Draws, *, image_size: tuple[int, int]) -> Corners:
    """Where the corners of images are after their draws.

    Args:
        draws: what happens to each image.
        image_size: (height, width).

    Returns:
        `(images, 4, 2)`: x and y in pixels from the top left corner of the result, in turn for the
        image's top left, top right, bottom right and bottom left corner.
    """
    height, width = image_size
    # In the matrices' coordinates, whole numbers are the centres of pixels.
    top, left, bottom, right = -0.5, -0.5, height - 0.5, width - 0.5
    rows_and_columns = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    matrices = source_matrices(draws, image_size=image_size)
    from_centre = rows_and_columns - matrices[:, None, :, 2]
    places = np.linalg.solve(matrices[:, :, :2], from_centre.swapaxes(1, 2))
    y, x = np.moveaxis(places, 1, 0) + 0.5
    x = np.where(draws.horizontal_flip[:, None], width - x, x)
    y = np.where(draws.vertical_flip[:, None], height - y, y)
    return np.stack([x, y], axis=-1)
