"""A drawing of a network as a picture of points; network_parts.svg is the same as SVG."""

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path as Line

from cnnrun.pages.network_drawing import BOX_HEIGHT, BOX_WIDTH, Arrow, Box, Drawing
from cnnrun.plots.figures import (
    BLUE,
    INK,
    ORANGE,
    QUIET_INK,
    frameless,
    house_style,
    new_figure,
)
from cnnrun.plots.lettering import label

_UNITS_AN_INCH: Final = 96
_POINTS: Final = 72 / _UNITS_AN_INCH
_LETTERS: Final = 13 * _POINTS
_SMALL_LETTERS: Final = 11 * _POINTS
_BOX: Final = "#e8f1fb"
_MOST_LETTERS: Final = 58
_CODES: Final = {"M": [Line.MOVETO], "L": [Line.LINETO], "Q": [Line.CURVE3, Line.CURVE3]}
# Matplotlib draws no picture of more than 65,536 dots a side.
_TALLEST_INCHES: Final = 400


def network_figure(drawing: Drawing) -> Figure:
    """A drawing as a figure."""
    scale = min(1.0, _TALLEST_INCHES * _UNITS_AN_INCH / drawing.height)
    with house_style():
        figure = new_figure(
            width_inches=scale * drawing.width / _UNITS_AN_INCH,
            height_inches=scale * drawing.height / _UNITS_AN_INCH,
        )
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, drawing.width), ylim=(drawing.height, 0))
        frameless(axes)
        _draw_heads(axes, drawing.left)
        for arrow in drawing.arrows:
            _draw_arrow(axes, arrow)
        for box in drawing.boxes:
            _draw_box(axes, box, drawing.left)
        return figure


def _draw_heads(axes: Axes, left: int) -> None:
    heads = {418: "gives", 620: "parameters", 750: "multiply-adds", 868: "sees"}
    for across, words in heads.items():
        side = "left" if across == min(heads) else "right"
        _write(axes, left + across, 18, words, ha=side, color=QUIET_INK, size=_SMALL_LETTERS)


def _draw_arrow(axes: Axes, arrow: Arrow) -> None:
    points = [point for _, each in arrow.strokes for point in each]
    codes = [code for command, _ in arrow.strokes for code in _CODES[command]]
    axes.add_patch(
        PathPatch(
            Line(points, codes),
            fill=False,
            edgecolor=ORANGE if arrow.is_skip else QUIET_INK,
            linewidth=1.5 * _POINTS,
        )
    )


def _draw_box(axes: Axes, box: Box, left: int) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (left + 6, box.top + 6),
            BOX_WIDTH - 12,
            BOX_HEIGHT - 12,
            boxstyle="round,pad=6,rounding_size=6",
            facecolor=_BOX,
            edgecolor=BLUE,
            linestyle="--" if box.depth else "-",
            linewidth=0.8,
        )
    )
    top = box.top
    title, kinds = (label(text, most_letters=_MOST_LETTERS) for text in (box.title, box.kinds))
    _write(axes, left + 10, top + 17, title, weight="bold")
    _write(axes, left + 10, top + 33, kinds, color=QUIET_INK, size=_SMALL_LETTERS)
    _write(axes, left + 418, top + 25, box.shape)
    _write(axes, left + 620, top + 25, box.parameters, ha="right")
    _write(axes, left + 750, top + 21, box.multiply_adds, ha="right")
    _write(axes, left + 868, top + 25, box.receptive_field, ha="right")
    bar = Rectangle((left + 650, top + 28), 100 * box.share, 5, facecolor=BLUE, edgecolor="none")
    axes.add_patch(bar)


def _write(axes: Axes, across: int, down: int, text: str, **look: Any) -> None:
    plain: dict[str, Any] = {"size": _LETTERS, "color": INK, "va": "baseline"}
    axes.text(across, down, text, **(plain | look))
