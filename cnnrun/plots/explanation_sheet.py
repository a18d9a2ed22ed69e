"""Images, what a network takes them for, and beside each where it looked."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnrun.plots.figures import (
    BLUE,
    DOTS_PER_INCH,
    INK,
    QUIET_INK,
    frameless,
    house_style,
    new_figure,
    showable,
)
from cnnrun.plots.heat import COLOUR_MAPS, Scale, enlarged_pixels, overlaid
from cnnrun.plots.lettering import label, percent

# Lengths in inches.
_TILE: Final = 1.9
_GAP: Final = 0.18
_WORDS: Final = 0.42  # above a tile
_BARS: Final = 1.8
_MARGIN: Final = 0.35
_BAR: Final = 1.9
_LINE: Final = 0.16  # of the caption
_LETTER: Final = 0.056
_GROUP_GAP: Final = 0.5
_WIDEST: Final = 15.0
_NARROWEST: Final = 7.4
_IN_ONE_COLUMN: Final = 4
_LETTERS: Final = 30
_LETTERS_OF_A_CLASS: Final = 26
_SMOOTH_SIDE: Final = round(_TILE * DOTS_PER_INCH)


@dataclass(frozen=True, eq=False)
class Heat:
    """A map over an image.

    Attributes:
        title: what it explains.
        remark: in small letters: where it was taken, or why there is nothing to see.
        values: `(rows, columns)`.
    """

    title: str
    remark: str
    values: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class ExplainedImage:
    """An image and its maps.

    Attributes:
        name: what it is called.
        pixels: `(height, width, channels)` from 0 to 255.
        classes: the most probable ones, with their probabilities.
        heats: the maps.
    """

    name: str
    pixels: NDArray[Any]
    classes: tuple[tuple[str, float], ...]
    heats: tuple[Heat, ...]


@dataclass(frozen=True, eq=False)
class ExplanationSheet:
    """What a sheet shows.

    Attributes:
        title: what it is.
        caption: sentences that explain it, a line each.
        scale: how values become colours; each map has a scale of its own with "share", and all
            share one with "signed".
        unit: what stands at the colour bar.
        images: the images, as many maps each.
    """

    title: str
    caption: tuple[str, ...]
    scale: Scale
    unit: str
    images: tuple[ExplainedImage, ...]


def draw_explanation_sheet(sheet: ExplanationSheet) -> Figure:
    """The sheet as a figure: a row an image, in as many columns as are looked at with ease."""
    maps = max(len(image.heats) for image in sheet.images)
    group = (1 + maps) * (_TILE + _GAP) + _BARS
    columns = 1 if len(sheet.images) <= _IN_ONE_COLUMN else max(1, int(_WIDEST / group))
    rows = math.ceil(len(sheet.images) / columns)
    width = max(_NARROWEST, 2 * _MARGIN + columns * (group + _GROUP_GAP) - _GROUP_GAP)
    letters = int((width - 2 * _MARGIN) / _LETTER)
    caption = [line for each in sheet.caption for line in textwrap.wrap(each, letters)]
    header = 0.5 + _LINE * len(caption) + 0.6
    height = header + rows * (_WORDS + _TILE + _GAP) + _MARGIN - _GAP
    with house_style():
        figure = new_figure(width_inches=width, height_inches=height)
        figure.set_layout_engine("none")
        page = _Page(figure, width, height)
        page.write(_MARGIN, 0.28, sheet.title, fontsize=12, fontweight="bold")
        for number, line in enumerate(caption):
            page.write(_MARGIN, 0.5 + _LINE * number, line, fontsize=7.5, color=QUIET_INK)
        _draw_colour_bar(page, sheet, _most(sheet.images), top=header - 0.45)
        for number, image in enumerate(sheet.images):
            left = _MARGIN + number % columns * (group + _GROUP_GAP)
            top = header + number // columns * (_WORDS + _TILE + _GAP)
            _draw_image(page, sheet, image, left=left, top=top)
        return figure


@dataclass(frozen=True, eq=False)
class _Page:
    """A figure that is measured in inches from its top left corner."""

    figure: Figure
    width: float
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        bottom = self.height - top - height
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height)
        )

    def write(self, left: float, top: float, text: str, **style: Any) -> None:
        self.figure.text(left / self.width, 1 - top / self.height, text, va="center", **style)


def _most(images: Sequence[ExplainedImage]) -> float:
    """The largest distance from 0 of any map."""
    return max(float(np.abs(heat.values).max()) for image in images for heat in image.heats)


def _draw_colour_bar(page: _Page, sheet: ExplanationSheet, most: float, *, top: float) -> None:
    norm = Normalize(0, 1) if sheet.scale == "share" else Normalize(-most or -1, most or 1)
    axes = page.axes(_MARGIN, top, _BAR, 0.1)
    colours = ScalarMappable(norm, matplotlib.colormaps[COLOUR_MAPS[sheet.scale]])
    bar = page.figure.colorbar(colours, cax=axes, orientation="horizontal")
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=6.5, length=2)
    page.write(_MARGIN + _BAR + _GAP, top + 0.05, sheet.unit, fontsize=7)


def _draw_image(
    page: _Page, sheet: ExplanationSheet, image: ExplainedImage, *, left: float, top: float
) -> None:
    name = label(image.name, most_letters=_LETTERS)
    _draw_tile(page, showable(image.pixels), name, "", left=left, top=top)
    for number, heat in enumerate(image.heats, start=1):
        most = float(heat.values.max()) if sheet.scale == "share" else _most(sheet.images)
        # So that a map is smooth over an image of few pixels as well.
        shown = overlaid(
            enlarged_pixels(image.pixels, side=_SMOOTH_SIDE),
            heat.values,
            scale=sheet.scale,
            most=most,
        )
        place = left + number * (_TILE + _GAP)
        _draw_tile(page, shown, heat.title, heat.remark, left=place, top=top)
    place = left + (1 + len(image.heats)) * (_TILE + _GAP)
    _draw_classes(page.axes(place, top + _WORDS, _BARS, _TILE), image.classes)


def _draw_tile(
    page: _Page, shown: NDArray[Any], title: str, remark: str, *, left: float, top: float
) -> None:
    axes = page.axes(left, top + _WORDS, _TILE, _TILE)
    frameless(axes)
    axes.set_anchor("NW")
    is_tiny = max(shown.shape[:2]) < _SMOOTH_SIDE
    axes.imshow(
        shown,
        cmap="gray",
        vmin=0.0,
        vmax=1.0,
        interpolation="nearest" if is_tiny else "antialiased",
    )
    weight, color = ("bold", INK) if remark else ("normal", QUIET_INK)
    page.write(left, top + 0.14, title, fontsize=7.5, fontweight=weight, color=color)
    page.write(left, top + 0.29, remark, fontsize=6.5, color=QUIET_INK)


def _draw_classes(axes: Axes, classes: Sequence[tuple[str, float]]) -> None:
    """Bars of the most probable classes, their names above them."""
    axes.set(xlim=(0, 1), ylim=(max(len(classes), 5), 0))
    axes.axis("off")
    for number, (name, probability) in enumerate(classes):
        axes.barh(number + 0.68, 1, height=0.22, color="#e5e7eb")
        axes.barh(number + 0.68, probability, height=0.22, color=BLUE)
        text = label(name, most_letters=_LETTERS_OF_A_CLASS)
        axes.text(0, number + 0.42, text, fontsize=7, va="bottom")
        axes.text(1, number + 0.42, percent(probability), fontsize=7, va="bottom", ha="right")
