"""Where the pixels of an augmented image come from, as Keras and SciPy reckon it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.draws import Draws

Coordinates = NDArray[np.float64]


# Multiples of this, up to LARGEST_PLACE, are float32 numbers, and so are their sums up to there.
STEP = 2.0**-16
LARGEST_PLACE = 256


@dataclass(frozen=True, eq=False)
class Sources:
    """Where pixels are read: for each of two coordinates, a term a row, one a column, and one more.

    Attributes:
        of_rows: `(2, images, height)`; the first of the 2 is for the row that is read.
        of_columns: `(2, images, width)`.
        offsets: `(2, images)`, or None where they are part of `of_rows`.
    """

    of_rows: NDArray[np.floating[Any]]
    of_columns: NDArray[np.floating[Any]]
    offsets: Coordinates | None

    def of_images(self, some: slice) -> "Sources":
        """The sources of some of the images."""
        offsets = None if self.offsets is None else self.offsets[:, some]
        return Sources(self.of_rows[:, some], self.of_columns[:, some], offsets)

    def of_tile(self, down: slice, across: slice) -> "Sources":
        """The sources of some rows and columns of every image."""
        return Sources(self.of_rows[..., down], self.of_columns[..., across], self.offsets)

    def rounded(self) -> "Sources":
        """The same with each coordinate within a STEP: in float32, at twice the speed, if it fits.

        Whether it does depends on the other images; what is written does not.
        """
        if self.offsets is None:
            return self
        of_rows = _rounded(self.of_rows + self.offsets[..., None])
        of_columns = _rounded(self.of_columns)
        largest = (np.abs(terms).max(initial=0) for terms in (of_rows, of_columns))
        fits = sum(largest) <= LARGEST_PLACE
        dtype = np.float32 if fits else np.float64
        return Sources(of_rows.astype(dtype), of_columns.astype(dtype), None)

    def write(self, out: NDArray[Any], axis: int) -> None:
        """Write one coordinate, `(images, height, width)`: axis 0 is the row that is read.

        The order of the sums is SciPy's, whose result decides which pixels are outside.
        """
        np.add(self.of_rows[axis, :, :, None], self.of_columns[axis, :, None, :], out=out)
        if self.offsets is not None:
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


def _rounded(terms: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    rounded: NDArray[np.floating[Any]] = np.rint(terms / STEP) * STEP
    return rounded


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
