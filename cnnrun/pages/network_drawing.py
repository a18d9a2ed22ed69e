"""The network as a drawing: a box a block, arrows along its graph, what each costs and sees."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from cnnrun.pages.page_files import DrawnLayer

# Lengths in the drawing's own units, which are pixels on a screen that is wide enough.
_ROW_HEIGHT: Final = 54
BOX_WIDTH: Final = 400
BOX_HEIGHT: Final = 40
_ROUNDING: Final = 6
_TOP: Final = 34
_ARC_STEP: Final = 12
_MOST_LANES: Final = 6
_KINDS_SHOWN: Final = 5
_LETTERS_OF_KINDS: Final = 58

# What networks of keras.applications call the blocks that their layers belong to.
_BLOCK_OF_A_NAME: Final = re.compile(
    r"(conv\d+_block\d+|block_?\d+[a-z]?|mixed\d*|stem|top|"
    r".*?_stage_\d+_block_\d+|conv_(?:dw|pw)_\d+|expanded_conv(?:_\d+)?)(?=_|$)"
)


@dataclass(frozen=True)
class Box:
    """A block, or a layer that belongs to none.

    Attributes:
        title: its name.
        kinds: the classes of its layers, in the order of their calls.
        shape: what it gives, height x width x channels.
        parameters: of all its layers.
        multiply_adds: of all its layers.
        receptive_field: what one output sees of the image; "varies" where that has no size.
        share: of the network's multiply-adds, from 0 to 1.
        top: where the box begins.
        depth: in how many other blocks it stands.
    """

    title: str
    kinds: str
    shape: str
    parameters: str
    multiply_adds: str
    receptive_field: str
    share: float
    top: int
    depth: int


Point = tuple[int, int]
"""How far to the right and how far down."""


@dataclass(frozen=True)
class Arrow:
    """A connection from one box to a later one.

    Attributes:
        corners: the points that it leads through, along one axis at a time.
        is_skip: whether it passes other boxes by.
    """

    corners: tuple[Point, ...]
    is_skip: bool

    @property
    def strokes(self) -> tuple[tuple[str, tuple[Point, ...]], ...]:
        """It with round corners, in the commands of an SVG path and the points of each."""
        strokes: list[tuple[str, tuple[Point, ...]]] = [("M", self.corners[:1])]
        for before, corner, after in zip(
            self.corners, self.corners[1:], self.corners[2:], strict=False
        ):
            strokes.append(("L", (_beside(corner, before),)))
            strokes.append(("Q", (corner, _beside(corner, after))))
        return (*strokes, ("L", self.corners[-1:]))

    @property
    def path(self) -> str:
        """It as an SVG path."""
        return "".join(
            command + " ".join(f"{x} {y}" for x, y in points) for command, points in self.strokes
        )


@dataclass(frozen=True)
class Drawing:
    """A drawing of a network.

    Attributes:
        boxes: from top to bottom.
        arrows: between them.
        left: where the boxes begin.
        width: of the whole.
        height: of the whole.
        summary: the network in a sentence.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    left: int
    width: int
    height: int
    summary: str


def draw_network(layers: Sequence[DrawnLayer]) -> Drawing:
    """The drawing of a network.

    Args:
        layers: in the order of their calls, at least one.
    """
    groups = [list(members) for _, members in groupby(layers, _block)]
    total = sum(layer.multiply_adds for layer in layers)
    boxes = tuple(
        _box(members, top=_TOP + number * _ROW_HEIGHT, total=total)
        for number, members in enumerate(groups)
    )
    place = {layer.name: number for number, members in enumerate(groups) for layer in members}
    edges = sorted(
        {
            (place[source], place[layer.name])
            for layer in layers
            for source in layer.inputs
            if source in place and place[source] != place[layer.name]
        }
    )
    skips = [edge for edge in edges if edge[1] - edge[0] != 1]
    lanes = _lanes(skips)
    left = 20 + _ARC_STEP * (1 + max(lanes.values(), default=-1))
    return Drawing(
        boxes=boxes,
        arrows=tuple(_arrow(edge, lanes.get(edge), left) for edge in edges),
        left=left,
        width=left + 880,
        height=_TOP + _ROW_HEIGHT * len(boxes),
        summary=(
            f"{len(layers):,} layers in {len(boxes):,} blocks, "
            f"{sum(layer.parameters for layer in layers):,} parameters and"
            f" {total:,} multiply-adds for an image"
        ),
    )


def _block(layer: DrawnLayer) -> str:
    """The innermost block that a layer stands in; its own name where it stands in none."""
    outer, is_inside, _ = layer.path.rpartition("/")
    if is_inside:
        return outer
    named = _BLOCK_OF_A_NAME.match(layer.name)
    return named[1] if named else layer.name


def _box(members: Sequence[DrawnLayer], *, top: int, total: int) -> Box:
    last = members[-1]
    multiply_adds = sum(layer.multiply_adds for layer in members)
    block = _block(last)
    return Box(
        title=block.rpartition("/")[2],
        kinds=_kinds([layer.kind for layer in members]),
        shape=" x ".join("?" if size is None else str(size) for size in last.output_shape),
        parameters=f"{sum(layer.parameters for layer in members):,}",
        multiply_adds=f"{multiply_adds:,}",
        receptive_field=(
            "varies" if last.receptive_field is None else " x ".join(map(str, last.receptive_field))
        ),
        share=multiply_adds / total if total else 0.0,
        top=top,
        depth=block.count("/"),
    )


def _kinds(kinds: Sequence[str]) -> str:
    """Such as "Conv2D, BatchNormalization, ReLU", or counted where there are many."""
    if len(kinds) <= _KINDS_SHOWN:
        text = ", ".join(kinds)
    else:
        counts = {kind: kinds.count(kind) for kind in kinds}
        text = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return text if len(text) <= _LETTERS_OF_KINDS else f"{text[: _LETTERS_OF_KINDS - 1]}…"


Edge = tuple[int, int]


def _lanes(skips: Sequence[Edge]) -> dict[Edge, int]:
    """A lane for each skip, so that as few as possible lie on one another."""
    lanes: dict[Edge, int] = {}
    for edge in sorted(skips, key=lambda each: (each[1] - each[0], each[0])):
        taken = {lane for other, lane in lanes.items() if other[0] < edge[1] > edge[0] < other[1]}
        free = next(lane for lane in range(len(skips) + 1) if lane not in taken)
        lanes[edge] = min(free, _MOST_LANES)
    return lanes


def _arrow(edge: Edge, lane: int | None, left: int) -> Arrow:
    begin, end = (_TOP + _ROW_HEIGHT * place for place in edge)
    if lane is None:
        x = left + 150
        return Arrow(((x, begin + BOX_HEIGHT), (x, end - 1)), is_skip=False)
    x = left - _ARC_STEP * (lane + 1)
    corners = ((left, begin + 28), (x, begin + 28), (x, end + 12), (left - 1, end + 12))
    return Arrow(corners, is_skip=True)


def _beside(corner: Point, other: Point) -> Point:
    """Where the rounding of a corner begins on the side of another point."""
    across, down = (
        here + _ROUNDING * ((there > here) - (there < here))
        for here, there in zip(corner, other, strict=True)
    )
    return across, down
