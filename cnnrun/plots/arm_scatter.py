"""Arms against each other: what they score, over what they cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnrun.plots.figures import house_style, new_figure
from cnnrun.plots.lettering import label
from cnnrun.plots.palette import stroke

_LETTERS_A_NAME = 40
_COLUMNS = 4  # of the legend
_MARKERS = "os^Dvp*X"
_LOGARITHMIC_FROM = 20.0


@dataclass(frozen=True)
class ScoredArm:
    """An arm with its score and its costs.

    Attributes:
        name: the arm's name.
        mean: of the score over its runs.
        deviation: their standard deviation; None for a single run.
        costs: name of a cost -> what the arm has of it; NaN where it is not known.
    """

    name: str
    mean: float
    deviation: float | None
    costs: Mapping[str, float]


def arm_scatter(arms: Sequence[ScoredArm], *, metric: str) -> Figure:
    """A panel for each cost: each arm's mean, and one standard deviation to either side.

    Args:
        arms: at least one, all with the same costs.
        metric: the name of the score.
    """
    with house_style():
        costs = list(arms[0].costs)
        figure = new_figure(
            width_inches=3.9 * len(costs) + 0.4,
            height_inches=3.4 + 0.2 * -(-len(arms) // _COLUMNS),
        )
        grid = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
        for axes, cost in zip(grid, costs, strict=True):
            for number, arm in enumerate(arms):
                look = stroke(number)
                axes.errorbar(
                    arm.costs[cost],
                    arm.mean,
                    yerr=arm.deviation or None,
                    color=look.color,
                    marker=_MARKERS[number % len(_MARKERS)],
                    linestyle="none",
                    label=label(arm.name, most_letters=_LETTERS_A_NAME),
                )
            known = [arm.costs[cost] for arm in arms if math.isfinite(arm.costs[cost])]
            if known and min(known) > 0 and max(known) > _LOGARITHMIC_FROM * min(known):
                axes.set_xscale("log")
            else:
                axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.set_xlabel(cost)
            axes.grid(axis="y")
        grid[0].set_ylabel(label(metric, most_letters=_LETTERS_A_NAME))
        handles, names = grid[0].get_legend_handles_labels()
        columns = min(_COLUMNS, len(names))
        figure.legend(handles, names, loc="outside lower center", ncols=columns)
        return figure
