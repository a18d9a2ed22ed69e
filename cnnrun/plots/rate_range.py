"""The loss of a learning-rate range test over the rate."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cnnrun.plots.figures import BLUE, INK, ORANGE, QUIET_INK, house_style, new_figure
from cnnrun.plots.lettering import label

_LETTERS_A_TITLE = 70
# Losses that span more than this factor are drawn on a logarithmic axis.
_LOGARITHMIC_FROM = 20.0


def rate_range_curve(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    *,
    steepest: int,
    least: int,
    suggested: float,
    title: str,
) -> Figure:
    """Each step's loss in the background, their centred mean before it, and the rate suggested.

    Args:
        rates: the learning rate of each step, rising.
        losses: the loss of each step's batch.
        smoothed: the mean of the losses around each step.
        steepest: the step at which the mean falls fastest.
        least: the step at which it is least.
        suggested: the rate to begin with.
        title: what was tried.
    """
    with house_style():
        figure = new_figure(width_inches=7.2, height_inches=4.2)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        if min(losses) > 0 and max(losses) > _LOGARITHMIC_FROM * min(losses):
            axes.set_yscale("log")
        axes.plot(rates, losses, color=QUIET_INK, linewidth=0.8, alpha=0.5, label="of a batch")
        axes.plot(rates, smoothed, color=BLUE, linewidth=2, label="mean around it")
        marks = ((steepest, "v", "falls fastest"), (least, "o", "least"))
        for step, marker, words in marks:
            axes.plot(
                [rates[step]],
                [smoothed[step]],
                marker,
                color=BLUE,
                markeredgecolor=INK,
                markersize=7,
                label=f"{words}: {rates[step]:.2g}",
            )
        axes.axvline(
            suggested, color=ORANGE, linestyle=(0, (4, 3)), label=f"suggested: {suggested:g}"
        )
        axes.set_xlabel("learning rate")
        axes.set_ylabel("training loss")
        axes.set_title(label(title, most_letters=_LETTERS_A_TITLE))
        axes.grid(axis="y")
        axes.legend(loc="best")
        return figure
