"""Many small images in rows, with a few words under each."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Polygon, Rectangle
from matplotlib.textpath import TextPath
from numpy.typing import NDArray

from cnnrun.plots.figures import (
    DOTS_PER_INCH,
    GRID,
    INK,
    ORANGE,
    QUIET_INK,
    frameless,
    house_style,
    new_figure,
    showable,
)
from cnnrun.plots.lettering import font_families, label

# All lengths are dots of the saved file, whole ones, so that each pixel of a tiny image comes out
# as large as the next.
_MARGIN: Final = 40
_GAP: Final = 14
_GROUP_GAP: Final = 44
_LINE_GAP: Final = 12
_BLOCK_GAP: Final = 22
_WORDS_GAP: Final = 7
_NARROWEST_SHEET: Final = 900
_NARROWEST_COLUMN: Final = 140  # room for a few words
_SIDE: Final = 144
_LARGEST_ENLARGED_SIDE: Final = 72  # from here on an image is brought to _SIDE, whatever the factor
_COLUMNS_A_LINE: Final = 12

_TITLE_POINTS: Final = 13.0
_HEADING_POINTS: Final = 9.0
_TEXT_POINTS: Final = 8.0
_SMALL_POINTS: Final = 6.5
_LINE_HEIGHT: Final = 1.45
_LETTER_WIDTH: Final = 0.58  # of DejaVu Sans, on average and with some reserve
_NARROWEST_LETTER: Final = 0.2


@dataclass(frozen=True, eq=False)
class Tile:
    """One image.

    Attributes:
        pixels: `(height, width, channels)` from 0 to 255.
        lines: what stands under it.
        outline: `(corners, 2)`, x and y in the image's pixels from its top left corner: a line
            that is drawn over it. Or None.
    """

    pixels: NDArray[Any]
    lines: tuple[str, ...]
    outline: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Group:
    """Images that belong side by side.

    Attributes:
        heading: what they have in common.
        origin: where that comes from, in smaller letters.
        tiles: the images.
    """

    heading: str
    origin: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, eq=False)
class Block:
    """Groups under one title, and what there is to remark on it."""

    title: str
    remark: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, eq=False)
class ContactSheet:
    """What a contact sheet shows.

    Attributes:
        title: what it is.
        caption: sentences that explain it, a paragraph each.
        columns: what each tile of a group is; empty where tiles need no name.
        blocks: the images, one block below the other. Groups have places for as many tiles as the
            longest has, and all images are shown in the size of the first.
    """

    title: str
    caption: tuple[str, ...]
    columns: tuple[str, ...]
    blocks: tuple[Block, ...]


def draw_contact_sheet(sheet: ContactSheet) -> Figure:
    """The sheet as a figure, as wide and as high as it takes.

    Tiny images are enlarged by a whole factor, pixel by pixel; large ones are shrunk.
    """
    with house_style():
        figure = new_figure(width_inches=1, height_inches=1)  # grown to its size at the end
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        frameless(axes)
        page = _Page(axes, _grid_of(sheet))
        bottom = page.draw_header(sheet, top=_MARGIN)
        for number, block in enumerate(sheet.blocks):
            has_headings = number == 0 or len(block.groups) > page.grid.groups_a_line
            columns = sheet.columns if has_headings else ()
            bottom = page.draw_block(block, columns, has_headings=has_headings, top=bottom)
        width, height = page.grid.sheet_width, bottom + _MARGIN - _BLOCK_GAP
        axes.set(xlim=(0, width), ylim=(height, 0))
        figure.set_size_inches(width / DOTS_PER_INCH, height / DOTS_PER_INCH)
        return figure


@dataclass(frozen=True)
class _Grid:
    """Sizes that all blocks share.

    Attributes:
        tile_width: of an image.
        tile_height: of an image.
        interpolation: how its pixels are brought to that size.
        column_width: of an image with the words under it.
        group_width: of a group.
        groups_a_line: how many stand side by side.
        sheet_width: of everything.
    """

    tile_width: int
    tile_height: int
    interpolation: str
    column_width: int
    group_width: int
    groups_a_line: int
    sheet_width: int


def _grid_of(sheet: ContactSheet) -> _Grid:
    groups = [group for block in sheet.blocks for group in block.groups]
    height, width = groups[0].tiles[0].pixels.shape[:2]
    side = max(height, width)
    is_tiny = side <= _LARGEST_ENLARGED_SIDE
    factor = round(_SIDE / side) if is_tiny else _SIDE / side
    tile_width, tile_height = (max(1, round(factor * length)) for length in (width, height))
    column_width = max(tile_width, _NARROWEST_COLUMN)
    tiles = max(len(group.tiles) for group in groups)
    group_width = tiles * (column_width + _GAP) - _GAP
    most_groups = max(len(block.groups) for block in sheet.blocks)
    # As many as fit, but no line with a lonely group where the others could be shorter.
    lines = math.ceil(most_groups / max(1, _COLUMNS_A_LINE // tiles))
    groups_a_line = math.ceil(most_groups / lines)
    content_width = groups_a_line * (group_width + _GROUP_GAP) - _GROUP_GAP
    return _Grid(
        tile_width=tile_width,
        tile_height=tile_height,
        interpolation="nearest" if is_tiny else "antialiased",
        column_width=column_width,
        group_width=group_width,
        groups_a_line=groups_a_line,
        sheet_width=max(_NARROWEST_SHEET, content_width + 2 * _MARGIN),
    )


@dataclass(frozen=True, eq=False)
class _Page:
    """Draws the parts of a sheet; each method returns how far down it came, in dots."""

    axes: Axes
    grid: _Grid

    def draw_header(self, sheet: ContactSheet, *, top: int) -> int:
        width = self.grid.sheet_width - 2 * _MARGIN
        top = self._write(_MARGIN, top, sheet.title, width, points=_TITLE_POINTS, weight="bold")
        letters = int(width / (_LETTER_WIDTH * _dots(_TEXT_POINTS)))
        for line in (line for each in sheet.caption for line in textwrap.wrap(each, letters)):
            top = self._write(_MARGIN, top, line, width, points=_TEXT_POINTS, color=QUIET_INK)
        return top + _BLOCK_GAP // 2

    def draw_block(
        self, block: Block, columns: Sequence[str], *, has_headings: bool, top: int
    ) -> int:
        if block.title:
            self._draw_title(block, top)
            top += _line_height(_HEADING_POINTS) + 6
        for groups in _parts(block.groups, self.grid.groups_a_line):
            if has_headings and any(group.heading for group in groups):
                top = self._draw_headings(groups, top)
            if columns:
                top = self._draw_columns(columns, len(groups), top)
            self._draw_line(groups, top)
            words = max(len(tile.lines) for group in groups for tile in group.tiles)
            top += self.grid.tile_height + _WORDS_GAP + words * _line_height(_SMALL_POINTS)
            top += _LINE_GAP
        return top + _BLOCK_GAP

    def _draw_title(self, block: Block, top: int) -> None:
        title = self.axes.text(
            _MARGIN,
            top,
            _fitted(block.title, self.grid.sheet_width - 2 * _MARGIN, _HEADING_POINTS, "bold"),
            va="top",
            fontsize=_HEADING_POINTS,
            fontweight="bold",
        )
        if block.remark:
            self.axes.annotate(
                block.remark,
                xy=(1, 0),
                xycoords=title,
                xytext=(8, 0),
                textcoords="offset points",
                va="bottom",
                fontsize=_TEXT_POINTS,
                color=QUIET_INK,
            )

    def _draw_headings(self, groups: Sequence[Group], top: int) -> int:
        bottom = top
        for number, group in enumerate(groups):
            left, bottom = self._left(number, 0), top
            for text, points, color in (
                (group.heading, _TEXT_POINTS, INK),
                (group.origin, _SMALL_POINTS, QUIET_INK),
            ):
                width = self.grid.group_width
                bottom = self._write(left, bottom, text, width, points=points, color=color)
        return bottom + 4

    def _draw_columns(self, columns: Sequence[str], groups: int, top: int) -> int:
        bottom = top
        for number in range(groups):
            for column, name in enumerate(columns):
                left, width = self._left(number, column), self.grid.column_width
                bottom = self._write(left, top, name, width, points=_SMALL_POINTS, color=QUIET_INK)
        return bottom + 2

    def _draw_line(self, groups: Sequence[Group], top: int) -> None:
        for number, group in enumerate(groups):
            for column, tile in enumerate(group.tiles):
                self._draw_tile(tile, left=self._left(number, column), top=top)

    def _draw_tile(self, tile: Tile, *, left: int, top: int) -> None:
        width, height = self.grid.tile_width, self.grid.tile_height
        self.axes.imshow(
            showable(tile.pixels),
            cmap="gray",
            vmin=0.0,
            vmax=1.0,
            extent=(left, left + width, top + height, top),
            interpolation=self.grid.interpolation,
            aspect="auto",
        )
        frame = Rectangle((left, top), width, height, fill=False, edgecolor=GRID, linewidth=0.6)
        self.axes.add_patch(frame)
        if tile.outline is not None:
            image_height, image_width = tile.pixels.shape[:2]
            places = tile.outline * (width / image_width, height / image_height) + (left, top)
            outline = Polygon(places, fill=False, edgecolor=ORANGE, linewidth=0.8)
            self.axes.add_patch(outline)
            outline.set_clip_path(frame)
        top += height + _WORDS_GAP
        for line in tile.lines:
            top = self._write(left, top, line, self.grid.column_width, points=_SMALL_POINTS)

    def _left(self, group: int, column: int) -> int:
        step = self.grid.column_width + _GAP
        return _MARGIN + group * (self.grid.group_width + _GROUP_GAP) + column * step

    def _write(
        self,
        left: int,
        top: int,
        text: str,
        width: int,
        *,
        points: float,
        color: str = INK,
        weight: str = "normal",
    ) -> int:
        shown = _fitted(text, width, points, weight)
        self.axes.text(left, top, shown, va="top", fontsize=points, color=color, fontweight=weight)
        return top + _line_height(points)


def _parts(groups: Sequence[Group], size: int) -> Iterator[Sequence[Group]]:
    for first in range(0, len(groups), size):
        yield groups[first : first + size]


@cache
def _fitted(text: str, width: int, points: float, weight: str) -> str:
    """`text` as any font draws it, its middle left out as far as it takes to fit a width."""
    letters = min(len(text), int(width / (_NARROWEST_LETTER * _dots(points))))
    shown = label(text, most_letters=max(letters, 1))
    while letters > 1 and _width_of(shown, points, weight) > width:
        letters -= 1
        shown = label(text, most_letters=letters)
    return shown


def _width_of(text: str, points: float, weight: str) -> float:
    """The width of a text, in dots."""
    font = FontProperties(family=list(font_families()), weight=weight)
    path = TextPath((0, 0), text, size=_dots(points), prop=font)
    return float(path.get_extents().width) if len(path.vertices) else 0.0


def _line_height(points: float) -> int:
    return round(_LINE_HEIGHT * _dots(points))


def _dots(points: float) -> float:
    return points * DOTS_PER_INCH / 72
