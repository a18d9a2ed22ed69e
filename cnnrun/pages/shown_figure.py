"""A figure as a page holds it: its SVG in a `data:` address."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cnnrun.runs.files import read_content

_WIDTH: Final = re.compile(rb'<svg[^>]*?\swidth="([\d.]+)pt"')
_HEIGHT: Final = re.compile(rb'<svg[^>]*?\sheight="([\d.]+)pt"')
_PIXELS_A_POINT: Final = 96 / 72
_LARGEST_PNG: Final = 800_000
_NO_SIZE: Final = (640, 480)


@dataclass(frozen=True)
class ShownFigure:
    """A figure of a page.

    Attributes:
        source: the `data:` address of its SVG.
        alt: what it shows, for those who cannot see it.
        caption: what stands below it.
        width: in CSS pixels.
        height: in CSS pixels.
    """

    source: str
    alt: str
    caption: str
    width: int
    height: int


def shown_figure(svg: bytes, *, alt: str, caption: str) -> ShownFigure:
    """An SVG file of matplotlib's as a figure of a page."""
    width, height = _NO_SIZE
    found = _WIDTH.search(svg), _HEIGHT.search(svg)
    if found[0] and found[1]:
        width, height = (round(_PIXELS_A_POINT * float(each[1])) for each in found if each)
    content = base64.b64encode(svg).decode("ascii")
    return ShownFigure(f"data:image/svg+xml;base64,{content}", alt, caption, width, height)


def shown_png(path: Path, *, caption: str) -> ShownFigure | None:
    """A PNG file as a figure of a page; None where it is none, or too large for a page."""
    try:
        content = read_content(path)
    except OSError:
        return None
    if len(content) > _LARGEST_PNG or not content.startswith(b"\x89PNG"):
        return None
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    source = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
    return ShownFigure(source, caption, caption, width, height)
