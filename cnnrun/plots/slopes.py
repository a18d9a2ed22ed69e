"""Pairs of runs as lines from one side of a contrast to the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from cnnrun.plots.figures import BLUE, INK, ORANGE, QUIET_INK, house_style, new_figure
from cnnrun.plots.lettering import label

_LETTERS_AN_ARM = 22
_LETTERS_A_NAME = 44
_WIDTH_A_CONTRAST = 1.9


@dataclass(frozen=True)
class Slopes:
    """The pairs of a contrast.

    Attributes:
        name: of the contrast.
        against: the arm on the left.
        of: the arm on the right.
        pairs: (left, right), one a seed.
    """

    name: str
    against: str
    of: str
    pairs: tuple[tuple[float, float], ...]


def slope_graph(contrasts: Sequence[Slopes], *, metric: str) -> Figure:
    """A line for each pair, rising or falling, and a thick one for their means.

    Args:
        contrasts: at least one.
        metric: the name of what the pairs have.
    """
    with house_style():
        width = max(4.0, _WIDTH_A_CONTRAST * len(contrasts) + 0.8)
        figure = new_figure(width_inches=width, height_inches=4.2)
        axes = figure.add_subplot()
        names, places = [], []
        for number, contrast in enumerate(contrasts):
            left, right = 2.0 * number, 2.0 * number + 1
            for low, high in contrast.pairs:
                # Rising and falling differ in their stroke as well.
                color, stroke = (ORANGE, "-") if high > low else (BLUE, (0, (4, 2)))
                axes.plot([left, right], [low, high], color=color, linestyle=stroke, linewidth=1)
            means = [sum(side) / len(contrast.pairs) for side in zip(*contrast.pairs, strict=True)]
            axes.plot([left, right], means, color=INK, linewidth=2.4, marker="s", markersize=5)
            places += [left, right]
            names += [contrast.against, contrast.of]
        axes.set_xticks(
            places,
            [label(name, most_letters=_LETTERS_AN_ARM) for name in names],
            rotation=40,
            ha="right",
            rotation_mode="anchor",
        )
        for number in range(1, len(contrasts)):
            axes.axvline(2.0 * number - 0.5, color=QUIET_INK, linewidth=0.5)
        axes.set_ylabel(label(metric, most_letters=_LETTERS_A_NAME))
        axes.grid(axis="y")
        return figure
