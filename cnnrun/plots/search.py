"""The trials of a search: what each value came to, and what more trials would have found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnrun.plots.figures import BLUE, INK, ORANGE, QUIET_INK, house_style, new_figure
from cnnrun.plots.lettering import label

_COLUMNS = 3
_LETTERS_A_NAME = 34
_LETTERS_A_CHOICE = 14
# Scores that span more than this factor are drawn on a logarithmic axis.
_LOGARITHMIC_FROM = 20.0


@dataclass(frozen=True)
class AxisPoints:
    """The values of the trials along an axis.

    Attributes:
        values: a number a trial; the index of the choice where there are choices.
        is_logarithmic: whether they were drawn evenly in their logarithm.
        choices: the names of the choices; empty for a range.
    """

    values: Sequence[float]
    is_logarithmic: bool
    choices: Sequence[str]


def search_trials(
    axes: Mapping[str, AxisPoints],
    scores: Sequence[float],
    *,
    best: Sequence[int],
    expected: Sequence[float],
    measure: str,
    fewer_is_better: bool,
) -> Figure:
    """A panel for each axis, one for the best so far, one for what fewer trials would have found.

    Args:
        axes: by name; their values in the order of the trials.
        scores: of the trials; NaN where one has none.
        best: the indices of the trials that were taken further.
        expected: the best score that 1, 2, ... trials are expected to find.
        measure: what the scores are.
        fewer_is_better: whether low scores are good.
    """
    panels = len(axes) + 2
    columns = 2 if panels == 4 else _COLUMNS
    rows = -(-panels // columns)
    with house_style():
        figure = new_figure(width_inches=3.4 * columns, height_inches=0.5 + 2.7 * rows)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        every = list(grid.flat)
        for panel, (name, points) in zip(every, axes.items(), strict=False):
            _draw_axis(panel, points, scores, best)
            panel.set_xlabel(label(name, most_letters=_LETTERS_A_NAME))
        _draw_best_so_far(every[len(axes)], scores, fewer_is_better=fewer_is_better)
        _draw_expected(every[len(axes) + 1], expected)
        finite = [score for score in scores if math.isfinite(score)]
        if finite and min(finite) > 0 and max(finite) > _LOGARITHMIC_FROM * min(finite):
            every[0].set_yscale("log")
        for panel in every[len(axes) : panels]:
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        for panel in every[panels:]:
            panel.set_visible(False)
        for row in grid:
            row[0].set_ylabel(label(measure, most_letters=_LETTERS_A_NAME))
        figure.suptitle(
            "dots: trials; circles: those that were confirmed",
            fontsize=9,
            color=QUIET_INK,
            x=0.01,
            horizontalalignment="left",
        )
        return figure


def _draw_axis(
    panel: Axes, points: AxisPoints, scores: Sequence[float], best: Sequence[int]
) -> None:
    if points.is_logarithmic:
        panel.set_xscale("log")
    panel.plot(points.values, scores, "o", color=BLUE, markersize=4, alpha=0.8)
    panel.plot(
        [points.values[index] for index in best],
        [scores[index] for index in best],
        "o",
        markerfacecolor="none",
        markeredgecolor=INK,
        markersize=9,
    )
    if points.choices:
        names = [label(name, most_letters=_LETTERS_A_CHOICE) for name in points.choices]
        panel.set_xticks(range(len(names)), names)
        panel.set_xlim(-0.5, len(names) - 0.5)
    panel.grid(axis="y")


def _draw_best_so_far(panel: Axes, scores: Sequence[float], *, fewer_is_better: bool) -> None:
    take = min if fewer_is_better else max
    steps, so_far = [], math.nan
    for score in scores:
        if math.isfinite(score):
            so_far = score if math.isnan(so_far) else take(so_far, score)
        steps.append(so_far)
    numbers = range(1, len(scores) + 1)
    panel.plot(numbers, scores, "o", color=BLUE, markersize=4, alpha=0.35)
    panel.step(numbers, steps, where="post", color=ORANGE)
    panel.set_xlabel("trial; line: the best so far")
    panel.grid(axis="y")


def _draw_expected(panel: Axes, expected: Sequence[float]) -> None:
    there = [(n, score) for n, score in enumerate(expected, start=1) if math.isfinite(score)]
    panel.plot([n for n, _ in there], [score for _, score in there], color=ORANGE)
    panel.set_xlabel("trials; line: the best that is expected of so many")
    panel.grid(axis="y")
