"""What becomes of maps while a network loses what it has learnt, layer after layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnrun.plots.figures import (
    BLUE,
    GRID,
    QUIET_INK,
    frameless,
    house_style,
    new_figure,
    showable,
)
from cnnrun.plots.heat import enlarged_pixels, overlaid
from cnnrun.plots.lettering import label

_COLUMN_INCHES: Final = 1.35
_ROW_INCHES: Final = 1.4
_CURVE_INCHES: Final = 3.0
_LETTERS: Final = 18
_SMOOTH_SIDE: Final = 150


@dataclass(frozen=True, eq=False)
class CheckedStep:
    """The maps when all layers from the last to one have lost what they had learnt.

    Attributes:
        layer: that one.
        correlation: rank correlation with the trained network's maps; None where there is none.
        by_shuffle: of each shuffle.
        maps: of the images that are drawn, `(rows, columns)` each.
    """

    layer: str
    correlation: float | None
    by_shuffle: tuple[float | None, ...]
    maps: Sequence[NDArray[np.floating[Any]]]


def draw_sanity_check(
    steps: Sequence[CheckedStep],
    *,
    images: Sequence[NDArray[Any]],
    trained: Sequence[NDArray[np.floating[Any]]],
    sentence: str,
) -> Figure:
    """The correlation from layer to layer, and below it the maps of some images.

    Args:
        steps: from the last layer to the first.
        images: some of them, `(height, width, channels)` from 0 to 255.
        trained: their maps by the trained network.
        sentence: what came of it.
    """
    columns = 2 + len(steps)
    with house_style():
        figure = new_figure(
            width_inches=max(8.0, _COLUMN_INCHES * columns),
            height_inches=_CURVE_INCHES + _ROW_INCHES * len(images),
        )
        figure.suptitle(sentence, fontsize=9, fontweight="bold")
        grid = figure.add_gridspec(
            1 + len(images),
            columns,
            height_ratios=[_CURVE_INCHES, *[_ROW_INCHES] * len(images)],
        )
        _draw_curve(figure.add_subplot(grid[0, :]), steps)
        for row, (pixels, before) in enumerate(zip(images, trained, strict=True), start=1):
            shown = [showable(pixels), _map(pixels, before)]
            shown += [_map(pixels, step.maps[row - 1]) for step in steps]
            titles = ["the image", "trained", *(f"to {step.layer}" for step in steps)]
            for column, (picture, title) in enumerate(zip(shown, titles, strict=True)):
                axes = figure.add_subplot(grid[row, column])
                frameless(axes)
                axes.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0)
                if row == 1:
                    words = label(title, most_letters=_LETTERS)
                    axes.set_title(words, fontsize=6.5, fontweight="normal", color=QUIET_INK)
        return figure


def _draw_curve(axes: Axes, steps: Sequence[CheckedStep]) -> None:
    names = ["trained", *(f"to {label(step.layer, most_letters=_LETTERS)}" for step in steps)]
    mean = [1.0, *(np.nan if each.correlation is None else each.correlation for each in steps)]
    axes.axhline(0, color=QUIET_INK, linewidth=0.8)
    axes.grid(axis="y", color=GRID)
    axes.plot(range(len(names)), mean, color=BLUE, marker="o", label="mean")
    for place, step in enumerate(steps, start=1):
        known = [each for each in step.by_shuffle if each is not None]
        axes.plot([place] * len(known), known, color=BLUE, marker="_", linestyle="", alpha=0.6)
    axes.set_xticks(range(len(names)), names, fontsize=6.5)
    axes.set(xlim=(-0.3, len(names) - 0.7), ylim=(-1.05, 1.05))
    axes.set_ylabel("rank correlation")
    axes.set_xlabel("weights shuffled, from the last layer on (a dash each shuffle)")


def _map(pixels: NDArray[Any], values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    larger = enlarged_pixels(pixels, side=_SMOOTH_SIDE)
    return overlaid(larger, values, scale="share", most=float(values.max()))
