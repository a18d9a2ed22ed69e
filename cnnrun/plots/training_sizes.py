"""Accuracy over the number of training images, measured and as a fitted law goes on."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from cnnrun.plots.figures import BLUE, INK, ORANGE, QUIET_INK, house_style, new_figure


@dataclass(frozen=True)
class MeasuredSize:
    """The accuracies of the seeds with so many training images."""

    images: float
    accuracies: Sequence[float]


@dataclass(frozen=True)
class FittedPoint:
    """The accuracy that is expected of so many training images, and its 95 % interval."""

    images: float
    accuracy: float
    low: float
    high: float


def training_sizes(
    sizes: Sequence[MeasuredSize],
    curve: Sequence[FittedPoint],
    *,
    extrapolated: Sequence[FittedPoint],
) -> Figure:
    """A dot for each seed and a square for their mean; a line with its band, broken beyond them.

    Args:
        sizes: by their images, rising, at least one.
        curve: of the fitted law, rising; empty where there is none.
        extrapolated: points to be marked beyond what was measured.
    """
    with house_style():
        figure = new_figure(width_inches=7.2, height_inches=4.4)
        axes = figure.add_subplot()
        axes.set_xscale("log")
        for size in sizes:
            every = [size.images] * len(size.accuracies)
            axes.plot(every, size.accuracies, "o", color=QUIET_INK, markersize=3, alpha=0.6)
        means = [sum(size.accuracies) / len(size.accuracies) for size in sizes]
        axes.plot([size.images for size in sizes], means, "s", color=INK, label="measured, mean")
        last = sizes[-1].images
        if curve:
            within = [point for point in curve if point.images <= last]
            beyond = [point for point in curve if point.images >= within[-1].images]
            for part, stroke in ((within, "-"), (beyond, (0, (4, 2)))):
                axes.plot([p.images for p in part], [p.accuracy for p in part], BLUE, ls=stroke)
            axes.fill_between(
                [point.images for point in curve],
                [point.low for point in curve],
                [point.high for point in curve],
                color=BLUE,
                alpha=0.15,
                linewidth=0,
                label="inverse power law, 95 %",
            )
        if extrapolated:
            axes.errorbar(
                [point.images for point in extrapolated],
                [point.accuracy for point in extrapolated],
                yerr=[
                    [point.accuracy - point.low for point in extrapolated],
                    [point.high - point.accuracy for point in extrapolated],
                ],
                fmt="D",
                color=ORANGE,
                capsize=3,
                label="extrapolated",
            )
            axes.axvline(last, color=QUIET_INK, linewidth=0.8, linestyle=(0, (1, 2)))
        marked = [*(size.images for size in sizes), *(point.images for point in extrapolated)]
        axes.set_xticks(marked)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda images, _: f"{images:,.0f}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("training images")
        axes.set_ylabel("test accuracy")
        axes.grid(axis="y")
        axes.legend(loc="lower right")
        return figure
