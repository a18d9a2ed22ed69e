"""What was tried for each arm of a study, and the value that was taken."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from cnnrun.plots.figures import INK, house_style, new_figure
from cnnrun.plots.lettering import label
from cnnrun.plots.palette import stroke

_LETTERS_A_NAME = 40
_COLUMNS = 4  # of the legend
_HANDLE_LETTERS = 4.0
# Losses that span more than this factor are drawn on a logarithmic axis.
_LOGARITHMIC_FROM = 20.0


@dataclass(frozen=True)
class TriedValues:
    """The trials of an arm.

    Attributes:
        values: what was tried, rising.
        losses: the mean validation loss at each; infinite where a trial diverged.
        chosen: the value that was taken.
    """

    values: Sequence[float]
    losses: Sequence[float]
    chosen: float


def tuning_curves(arms: Mapping[str, TriedValues], *, what: str, is_logarithmic: bool) -> Figure:
    """A line for each arm through its trials, and a mark where the value lies that was taken.

    Args:
        arms: by name, at least one.
        what: what was tuned, in words.
        is_logarithmic: whether the values are evenly spaced in their logarithm.
    """
    with house_style():
        figure = new_figure(width_inches=7.2, height_inches=4.2 + 0.2 * -(-len(arms) // _COLUMNS))
        axes = figure.add_subplot()
        if is_logarithmic:
            axes.set_xscale("log")
        finite = [loss for arm in arms.values() for loss in arm.losses if math.isfinite(loss)]
        if min(finite) > 0 and max(finite) > _LOGARITHMIC_FROM * min(finite):
            axes.set_yscale("log")
        for number, (name, arm) in enumerate(arms.items()):
            look = stroke(number)
            losses = [loss if math.isfinite(loss) else math.nan for loss in arm.losses]
            axes.plot(
                arm.values,
                losses,
                color=look.color,
                linestyle=look.linestyle,
                marker="o",
                markersize=4,
                label=label(name, most_letters=_LETTERS_A_NAME),
            )
            axes.plot(
                [arm.chosen],
                [_height(arm, x=axes.get_xscale(), y=axes.get_yscale())],
                marker="v",
                markersize=8,
                color=look.color,
                markeredgecolor=INK,
                linestyle="none",
            )
        axes.set_xlabel(label(what, most_letters=_LETTERS_A_NAME))
        axes.set_title("mean validation loss of the trials; a triangle marks the value taken")
        axes.grid(axis="y")
        handles, names = axes.get_legend_handles_labels()
        columns = min(_COLUMNS, len(names))
        # Long enough that the marker leaves dashes to be seen.
        figure.legend(
            handles, names, loc="outside lower center", ncols=columns, handlelength=_HANDLE_LETTERS
        )
        return figure


def _height(arm: TriedValues, *, x: str, y: str) -> float:
    """Where the line through an arm's trials, which is straight on these axes, has its value."""
    there = [
        (at, loss) for at, loss in zip(arm.values, arm.losses, strict=True) if math.isfinite(loss)
    ]
    places, losses = np.array(there).T
    along = np.log if x == "log" else np.asarray
    height = np.interp(along(arm.chosen), along(places), np.log(losses) if y == "log" else losses)
    return float(np.exp(height) if y == "log" else height)
