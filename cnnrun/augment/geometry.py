"""Where the pixels of an augmented image come from, as Keras and SciPy reckon it."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.draws import Draws

Coordinates = NDArray[np.float64]


def source_matrices(draws: Draws, *, image_size: tuple[int, int]) -> Coordinates:
    """Matrices from a pixel's place in the result to its place in the image.

    Composed as in Keras's `apply_affine_transform`, factor by factor, so that rounding is the
    same: rotation, shift, shear and zoom about a centre, over axes whose first is the columns.
    Keras centres the columns by the height and the rows by the width; so does this.

    Args:
        draws: what happens to each image.
        image_size: (height, width).

    Returns:
        `(images, 2, 3)`: (row, column) of the image is `matrix @ (row, column, 1)` of the result,
        before that is mirrored.
    """
    matrices = _rotations(draws.rotation_degrees)
    matrices = matrices @ _shifts(draws.column_shift_pixels, draws.row_shift_pixels)
    matrices = matrices @ _shears(draws.shear_degrees)
    # Products with matrices that are all zeros but for one term a row need no more than that term.
    matrices[:, :, 0] *= draws.column_zoom[:, None]
    matrices[:, :, 1] *= draws.row_zoom[:, None]
    height, width = image_size
    centre = np.array([height / 2 - 0.5, width / 2 - 0.5])
    matrices[:, :2, 2] += centre
    from_centre = np.eye(3)
    from_centre[:2, 2] = -centre
    return (matrices @ from_centre)[:, [1, 0]][:, :, [1, 0, 2]]


def moves_pixels(draws: Draws) -> NDArray[np.bool_]:
    """Which images are turned, shifted, sheared or zoomed, `(images,)`."""
    is_moved: NDArray[np.bool_] = (
        (draws.rotation_degrees != 0)
        | (draws.row_shift_pixels != 0)
        | (draws.column_shift_pixels != 0)
        | (draws.shear_degrees != 0)
        | (draws.row_zoom != 1)
        | (draws.column_zoom != 1)
    )
    return is_moved


def _rotations(degrees: Coordinates) -> Coordinates:
    angles = np.deg2rad(degrees)
    matrices = _identities(len(degrees))
    matrices[:, 0, 0] = matrices[:, 1, 1] = np.cos(angles)
    matrices[:, 1, 0] = np.sin(angles)
    matrices[:, 0, 1] = -matrices[:, 1, 0]
    return matrices


def _shifts(first: Coordinates, second: Coordinates) -> Coordinates:
    matrices = _identities(len(first))
    matrices[:, 0, 2], matrices[:, 1, 2] = first, second
    return matrices


def _shears(degrees: Coordinates) -> Coordinates:
    angles = np.deg2rad(degrees)
    matrices = _identities(len(degrees))
    matrices[:, 0, 1], matrices[:, 1, 1] = -np.sin(angles), np.cos(angles)
    return matrices


def _identities(images: int) -> Coordinates:
    matrices = np.zeros((images, 3, 3))
    matrices[:, range(3), range(3)] = 1
    return matrices
