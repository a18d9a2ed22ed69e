"""Draws as people see them: in words, and as the place where an image has gone."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.draws import Draws
from cnnrun.augment.geometry import source_matrices

Corners = NDArray[np.float64]

UNCHANGED = "as it is"


def words_of(draws: Draws, row: int) -> tuple[str, ...]:
    """What happens to one image, a line for each thing, in the directions that a person sees.

    Mirroring comes after whatever has a direction. Zoom is ImageDataGenerator's, below 1 for what
    is enlarged: of the height (↕), of the width (↔).

    Args:
        draws: the draws of some images.
        row: which of them.

    Returns:
        Such as `("rotation 7.3° ↺", "shift 1.2 px right")`; what changes nothing is left out.
    """
    one = draws.take(slice(row, row + 1))
    rotation, shear = one.rotation_degrees.item(), one.shear_degrees.item()
    # A pixel that is read further down or to the right moves up or to the left.
    down, right = -one.row_shift_pixels.item(), -one.column_shift_pixels.item()
    row_zoom, column_zoom = one.row_zoom.item(), one.column_zoom.item()
    brightness, channel_shift = one.brightness.item(), one.channel_shift.item()
    lines = (
        (rotation != 0, f"rotation {abs(rotation):.1f}° {'↺' if rotation > 0 else '↻'}"),
        (down != 0, f"shift {_pixels(down)} {'down' if down > 0 else 'up'}"),
        (right != 0, f"shift {_pixels(right)} {'right' if right > 0 else 'left'}"),
        (shear != 0, f"shear {_signed(shear)}°"),
        ((row_zoom, column_zoom) != (1, 1), f"zoom ↕ {row_zoom:.2f} ↔ {column_zoom:.2f}"),
        (one.horizontal_flip.item(), "mirrored"),
        (one.vertical_flip.item(), "upside down"),
        (channel_shift != 0, f"levels {_signed(channel_shift)}"),
        (not np.isnan(brightness), f"brightness x {brightness:.2f}"),
    )
    return tuple(text for applies, text in lines if applies) or (UNCHANGED,)


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


def _pixels(shift: float) -> str:
    """Such as `0.04 px`, `1.2 px` or `20 px`."""
    return f"{round(abs(shift), 2 if abs(shift) < 1 else 1):g} px"


def _signed(number: float) -> str:
    """A number with its sign, and a minus as long as the plus is wide."""
    return f"{number:+.1f}".replace("-", "\N{MINUS SIGN}")
