"""Colours and strokes that tell many lines apart, also for eyes that see few colours."""

from dataclasses import dataclass
from typing import Any, Final

# Okabe and Ito 2008, without yellow, which is too light for lines; then darker and lighter ones.
_COLORS: Final = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#4d4d4d",
)
_DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5)))


@dataclass(frozen=True)
class Stroke:
    """How the line of one series is drawn."""

    color: str
    linestyle: Any


def stroke(number: int) -> Stroke:
    """The stroke of the series with this number, from 0; they repeat after 28."""
    cycle, color = divmod(number, len(_COLORS))
    return Stroke(_COLORS[color], _DASHES[cycle % len(_DASHES)])
