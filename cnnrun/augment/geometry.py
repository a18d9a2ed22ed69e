"""Where the pixels of an augmented image come from, as Keras and SciPy reckon it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.draws import Draws

Coordinates = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sources:
    """Where pixels are read: for each of two coordinates, a term a row, one a column, and one more.

    Attributes:
        of_rows: `(2, images, height)`; the first of the 2 is for the row that is read.
        of_columns: `(2, images, width)`.
        offsets: `(2, images)`.
    """

    of_rows: Coordinates
    of_columns: Coordinates
    offsets: Coordinates

    def of_images(self, some: slice) -> "Sources":
        """The sources of some of the images."""
        return Sources(self.of_rows[:, some], self.of_columns[:, some], self.offsets[:, some])

    def of_tile(self, down: slice, across: slice) -> "Sources":
        """The sources of some rows and columns of every image."""
        return Sources(self.of_rows[..., down], self.of_columns[..., across], self.offsets)

    def write(self, out: Coordinates, axis: int) -> None:
        """Write one coordinate, `(images, height, width)`: axis 0 is the row that is read.

        The order of the sums is SciPy's, whose result decides which pixels are outside.
        """
        np.add(self.of_rows[axis, :, :, None], self.of_columns[axis, :, None, :], out=out)
        out += self.offsets[axis, :, None, None]


def sources(draws: Draws, *, image_size: tuple[int, int]) -> Sources:
    """Where the pixels of images of a size (height, width) are read, mirroring included."""
    matrices = source_matrices(draws, image_size=image_size)
    by_row, by_column, offsets = np.moveaxis(matrices, 0, 2).swapaxes(0, 1)
    rows, columns = (np.arange(side, dtype=np.float64) for side in image_size)
    rows = np.where(draws.vertical_flip[:, None], rows[::-1], rows)
    columns = np.where(draws.horizontal_flip[:, None], columns[::-1], columns)
    return Sources(by_row[..., None] * rows, by_column[..., None] * columns, offsets)


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
    matrices = matrices @ _zooms(draws.column_zoom, draws.row_zoom)
    height, width = image_size
    centre = np.array([[height / 2 - 0.5], [width / 2 - 0.5]])
    to_centre, from_centre = np.eye(3), np.eye(3)
    to_centre[:2, 2:], from_centre[:2, 2:] = centre, -centre
    matrices = to_centre @ matrices @ from_centre
    return matrices[:, [1, 0]][:, :, [1, 0, 2]]


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


def _zooms(first: Coordinates, second: Coordinates) -> Coordinates:
    matrices = _identities(len(first))
    matrices[:, 0, 0], matrices[:, 1, 1] = first, second
    return matrices


def _identities(images: int) -> Coordinates:
    return np.tile(np.eye(3), (images, 1, 1))
