"""What happens to each image of an epoch: a table of draws, one row an image.

Parameters have the names, meanings and distributions of Keras's ImageDataGenerator
(`get_random_transform`). Unlike there, each column is a hash of (seed, epoch, image, column): no
option, no other image and no batch size moves what an image draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.lottery import Flags, Lottery, Numbers

ShiftRange: TypeAlias = int | float | Sequence[float]

UNCHANGED = "as it is"


@dataclass(frozen=True, eq=False)
class Draws:
    """A table of what happens to images, `(images,)` a column.

    Columns say what happens to the pixels. In Keras 3, the first axis of a transformation (`tx`,
    `zx`), which `height_shift_range` belongs to, runs along the columns of an image.

    Attributes:
        rotation_degrees: how far the image turns.
        row_shift_pixels: how many rows further down a pixel is read (Keras's `ty`).
        column_shift_pixels: how many columns further right a pixel is read (Keras's `tx`).
        shear_degrees: the angle of the shear.
        row_zoom: how many rows of the image one row of the result spans (Keras's `zy`).
        column_zoom: how many columns one column of the result spans (Keras's `zx`).
        horizontal_flip: whether left and right change places.
        vertical_flip: whether top and bottom change places.
        brightness: the factor of the levels; NaN leaves them alone, while 1 still makes them whole.
        channel_shift: what is added to every level.
    """

    rotation_degrees: Numbers
    row_shift_pixels: Numbers
    column_shift_pixels: Numbers
    shear_degrees: Numbers
    row_zoom: Numbers
    column_zoom: Numbers
    horizontal_flip: Flags
    vertical_flip: Flags
    brightness: Numbers
    channel_shift: Numbers

    def __len__(self) -> int:
        return len(self.rotation_degrees)

    def take(self, rows: Any) -> "Draws":
        """The draws of some rows, which are whatever indexes an array."""
        return Draws(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


def draw(
    ids: NDArray[np.uint64],
    *,
    seed: int,
    epoch: int,
    image_size: tuple[int, int],
    rotation_range: float,
    width_shift_range: ShiftRange,
    height_shift_range: ShiftRange,
    shear_range: float,
    zoom_range: float | Sequence[float],
    horizontal_flip: bool,
    vertical_flip: bool,
    brightness_range: Sequence[float] | None,
    channel_shift_range: float,
) -> Draws:
    """The draws of an epoch for some images.

    Args:
        ids: `(images,)`, what `image_ids` makes of their paths.
        seed: the run's seed.
        epoch: the epoch's number, from 0.
        image_size: (height, width), which shifts by a fraction are fractions of.
        rotation_range: degrees, to either side.
        width_shift_range: a float below 1 is a fraction of the width, a larger one pixels, drawn
            evenly to either side; an int draws whole pixels below it; a sequence is what to choose
            from, with either sign, fractions if all are below 1.
        height_shift_range: the same of the height.
        shear_range: degrees, to either side.
        zoom_range: the lowest and highest zoom, or how far they are from 1.
        horizontal_flip: whether half of the images are mirrored.
        vertical_flip: whether half of the images are turned upside down.
        brightness_range: the lowest and highest factor, or None.
        channel_shift_range: levels, to either side.

    Returns:
        A row for each id, which depends on nothing but that id, the seed, the epoch, the size and
        the column's own option.
    """
    lottery = Lottery(ids, seed, epoch, "augment")
    height, width = image_size
    lowest_zoom, highest_zoom = _zoom_limits(zoom_range)
    return Draws(
        rotation_degrees=lottery.uniform("rotation", -rotation_range, rotation_range),
        row_shift_pixels=_shifts(lottery, "row_shift", width_shift_range, size=width),
        column_shift_pixels=_shifts(lottery, "column_shift", height_shift_range, size=height),
        shear_degrees=lottery.uniform("shear", -shear_range, shear_range),
        row_zoom=lottery.uniform("row_zoom", lowest_zoom, highest_zoom),
        column_zoom=lottery.uniform("column_zoom", lowest_zoom, highest_zoom),
        horizontal_flip=lottery.coin("horizontal_flip", horizontal_flip),
        vertical_flip=lottery.coin("vertical_flip", vertical_flip),
        brightness=_brightness(lottery, brightness_range),
        channel_shift=lottery.uniform("channel_shift", -channel_shift_range, channel_shift_range),
    )


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


def _shifts(lottery: Lottery, column: str, shift_range: ShiftRange, *, size: int) -> Numbers:
    """Pixels of a shift; `size` is that of the axis that fractions are of."""
    if isinstance(shift_range, float):
        shifts = lottery.uniform(column, -shift_range, shift_range)
        return shifts * size if shift_range < 1 else shifts
    values = np.arange(shift_range) if isinstance(shift_range, int) else np.asarray(shift_range)
    if not values.size:
        return np.zeros(len(lottery.ids))
    signs = lottery.choice(f"{column}_sign", np.array([-1.0, 1.0]))
    drawn: Numbers = lottery.choice(column, values.astype(np.float64)) * signs
    is_fraction = np.max(shift_range) < 1
    return drawn * size if is_fraction else drawn


def _zoom_limits(zoom_range: float | Sequence[float]) -> tuple[float, float]:
    if isinstance(zoom_range, int | float):
        return 1 - zoom_range, 1 + zoom_range
    lowest, highest = zoom_range
    return lowest, highest


def _brightness(lottery: Lottery, brightness_range: Sequence[float] | None) -> Numbers:
    if brightness_range is None:
        return np.full(len(lottery.ids), np.nan)
    lowest, highest = brightness_range
    return lottery.uniform("brightness", lowest, highest)


def _pixels(shift: float) -> str:
    """Such as `0.04 px`, `1.2 px` or `20 px`."""
    return f"{round(abs(shift), 2 if abs(shift) < 1 else 1):g} px"


def _signed(number: float) -> str:
    """A number with its sign, and a minus as long as the plus is wide."""
    return f"{number:+.1f}".replace("-", "\N{MINUS SIGN}")
