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
        figure = new_figure(width_inches=1.9 * columns, height_inches=0.7 + 2.35 * max(lines, 0.5))
        if not shown:
            figure.text(
                0.5, 0.5, f"no mistakes: all {images:,} images are right", ha="center", va="center"
            )
            return figure
        figure.suptitle(
            f"{wrong:,} of {images:,} images wrong; the most confident mistakes first",
            fontsize=11,
            fontweight="bold",
        )
        for number, mistake in enumerate(shown, 1):
            _draw_mistake(figure.add_subplot(lines, columns, number), mistake)
        return figure


def _draw_mistake(axes: Axes, mistake: Mistake) -> None:
    frameless(axes)
    height, width = mistake.pixels.shape[:2]
    axes.imshow(
        showable(mistake.pixels),
        cmap="gray",
        vmin=0.0,
        vmax=1.0,
        interpolation="nearest" if max(height, width) <= _TINY_PIXELS else "antialiased",
    )
    axes.set_title(
        label(mistake.name, most_letters=_LETTERS_A_FILE),
        fontsize=6.5,
        fontweight="normal",
        loc="center",
        color=QUIET_INK,
    )
    truth, prediction = (
        label(name, most_letters=_LETTERS_A_CLASS) for name in (mistake.truth, mistake.prediction)
    )
    called = f"called {prediction}, {percent(mistake.probability)}"
    axes.set_xlabel(f"is {truth}\n{called}", fontsize=8, color=ORANGE)
