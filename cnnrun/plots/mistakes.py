"""The images that a network gets wrong with the most confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnrun.plots.figures import (
    ORANGE,
    QUIET_INK,
    frameless,
    house_style,
    new_figure,
    showable,
)
from cnnrun.plots.lettering import label, percent

_IMAGES_A_ROW = 6
# Inches: an image in the place that it has, with its name above and two lines below it, and the
# headline over all of them.
_PLACE_WIDE, _PLACE_HIGH = 1.9, 2.35
_IMAGE_WIDE, _IMAGE_HIGH = 1.66, 1.72
_BELOW_IMAGE = 0.42
_HEADLINE = 0.7
_LETTERS_A_FILE = 32
_LETTERS_A_CLASS = 18
_TINY_PIXELS = 64


@dataclass(frozen=True, eq=False)
class Mistake:
    """One wrongly classified image.

    Attributes:
        pixels: `(height, width, channels)` from 0 to 255.
        name: the image's file name or row.
        truth: the true class.
        prediction: the predicted class.
        probability: what the network gives to the predicted class.
    """

    pixels: NDArray[Any]
    name: str
    truth: str
    prediction: str
    probability: float


def mistakes(shown: Sequence[Mistake], *, wrong: int, images: int) -> Figure:
    """Mistakes as images, each with its file name, its true class and what it was called.

    Args:
        shown: those to show, in the order in which to show them; with none the figure says so.
        wrong: how many images are wrong in all.
        images: how many images were tested.
    """
    with house_style():
        columns = min(max(len(shown), 3), _IMAGES_A_ROW)
        lines = math.ceil(len(shown) / columns)
        width, height = columns * _PLACE_WIDE, _HEADLINE + _PLACE_HIGH * max(lines, 0.5)
        figure = new_figure(width_inches=width, height_inches=height)
        if not shown:
            figure.text(
                0.5, 0.5, f"no mistakes: all {images:,} images are right", ha="center", va="center"
            )
            return figure
        # Axes of their own for each image, and a search for their places, would take most of the
        # time that the figure takes.
        figure.set_layout_engine(None)
        axes = figure.add_axes((0, 0, 1, 1))
        frameless(axes)
        for number, mistake in enumerate(shown):
            line, column = divmod(number, columns)
            middle = (column + 0.5) * _PLACE_WIDE
            bottom = (lines - 1 - line) * _PLACE_HIGH + _BELOW_IMAGE
            _draw_mistake(axes, mistake, middle=middle, bottom=bottom)
        axes.set(xlim=(0, width), ylim=(0, height))
        axes.text(
            width / 2,
            height - _HEADLINE / 2,
            f"{wrong:,} of {images:,} images wrong; the most confident mistakes first",
            fontsize=11,
            fontweight="bold",
            ha="center",
        )
        return figure


def _draw_mistake(axes: Axes, mistake: Mistake, *, middle: float, bottom: float) -> None:
    """Draw an image above `bottom`, on both sides of `middle`, in inches."""
    height, width = mistake.pixels.shape[:2]
    inches = min(_IMAGE_WIDE / width, _IMAGE_HIGH / height)
    top = bottom + height * inches
    axes.imshow(
        showable(mistake.pixels),
        cmap="gray",
        vmin=0.0,
        vmax=1.0,
        interpolation="nearest" if max(height, width) <= _TINY_PIXELS else "antialiased",
        extent=(middle - width * inches / 2, middle + width * inches / 2, bottom, top),
    )
    name = label(mistake.name, most_letters=_LETTERS_A_FILE)
    axes.text(middle, top + 0.07, name, fontsize=6.5, ha="center", color=QUIET_INK)
    truth, prediction = (
        label(name, most_letters=_LETTERS_A_CLASS) for name in (mistake.truth, mistake.prediction)
    )
    called = f"called {prediction}, {percent(mistake.probability)}"
    said = f"is {truth}\n{called}"
    axes.text(middle, bottom - 0.06, said, fontsize=8, ha="center", va="top", color=ORANGE)
