"""Differences with their intervals, one below the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnrun.plots.figures import BLUE, INK, ORANGE, QUIET_INK, SHADE, house_style, new_figure
from cnnrun.plots.lettering import label

_LETTERS_A_NAME = 60
_COLORS = {"better": "#00775a", "worse": "#b3261e", "equivalent": BLUE}


@dataclass(frozen=True)
class ForestRow:
    """One difference.

    Attributes:
        name: of the contrast.
        differences: one a pair.
        mean: of them.
        interval: its ends, drawn as a thick bar; infinite where there is none.
        wider: those of another one, which supposes less, drawn as a thin bar; None without one.
        verdict: what is said of it.
    """

    name: str
    differences: tuple[float, ...]
    mean: float
    interval: tuple[float, float]
    wider: tuple[float, float] | None
    verdict: str


def forest(
    rows: Sequence[ForestRow],
    *,
    metric: str,
    better: str,
    margin: float | None,
    pairs: str,
    bars: str,
) -> Figure:
    """A row for each contrast: its pairs as points, their mean, its intervals, the verdict.

    Args:
        rows: at least one.
        metric: the name of what differs.
        better: "lower" or "higher".
        margin: within this distance from 0 differences are of no interest; drawn as a band.
        pairs: what a pair is of, such as "seed".
        bars: what the bars are, in words.
    """
    with house_style():
        figure = new_figure(width_inches=8.6, height_inches=1.55 + 0.52 * len(rows))
        axes = figure.add_subplot()
        if margin is not None:
            axes.axvspan(-margin, margin, color=SHADE, zorder=0)
        axes.axvline(0, color=QUIET_INK, linewidth=1, zorder=1)
        for number, row in enumerate(rows):
            _draw_row(axes, row, height=-number)
        axes.set_yticks(
            [-number for number in range(len(rows))],
            [label(row.name, most_letters=_LETTERS_A_NAME) for row in rows],
        )
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(-len(rows) + 0.45, 0.55)
        axes.margins(x=0.08)
        axes.grid(axis="x")
        sides = "left is better" if better == "lower" else "right is better"
        axes.set_xlabel(f"difference in {label(metric, most_letters=_LETTERS_A_NAME)}; {sides}")
        axes.set_title(
            f"points: pairs of one {pairs}; square: their mean\n{bars}",
            fontsize=9,
            fontweight="normal",
            color=QUIET_INK,
        )
        return figure


def _draw_row(axes: Axes, row: ForestRow, *, height: float) -> None:
    color = _COLORS.get(row.verdict, INK if row.verdict in ("larger", "smaller") else QUIET_INK)
    if row.wider is not None:
        axes.plot(row.wider, [height, height], color=color, linewidth=1.2, zorder=3)
    if all(math.isfinite(end) for end in row.interval):
        axes.plot(row.interval, [height, height], color=color, linewidth=3.6, zorder=3)
    axes.plot([row.mean], [height], "s", color=color, markersize=8, zorder=4)
    axes.plot(
        row.differences,
        [height + 0.24] * len(row.differences),
        "o",
        color=ORANGE,
        markersize=4,
        alpha=0.6,
        markeredgewidth=0,
        zorder=2,
    )
    axes.text(
        1.02,
        height,
        row.verdict,
        transform=axes.get_yaxis_transform(),
        va="center",
        color=color,
        fontweight="bold" if row.verdict in _COLORS else "normal",
    )
