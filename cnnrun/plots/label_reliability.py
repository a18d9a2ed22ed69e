"""How often the probabilities of labels are right: a reliability diagram of each label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cnnrun.calibration.calibration_error import ReliabilityBins
from cnnrun.plots.figures import BLUE, GRID, INK, ORANGE, QUIET_INK, house_style, new_figure
from cnnrun.plots.lettering import label
from cnnrun.plots.reliability import share_bounds

_MOST_SHOWN: Final = 20
_ACROSS: Final = 5
_LETTERS_A_NAME: Final = 11  # beside its two errors
_SMALLEST, _LARGEST = 6, 50  # square points of a mark: of a bin of hardly any images, and of all


@dataclass(frozen=True, eq=False)
class LabelPanel:
    """A label, and its images in bins of the probability before and after it is calibrated."""

    name: str
    before: ReliabilityBins
    after: ReliabilityBins


def label_reliability_diagram(panels: Sequence[LabelPanel]) -> Figure:
    """A panel for each label: the share of images that have it over the probability that they do.

    Probabilities that mean what they say lie on the diagonal. A bar is the 95 % interval of a bin's
    share (Clopper and Pearson); a large mark stands for many images. Beside a label's name stands
    its calibration error before and after. Of more than 20 labels those with the largest are shown.

    Args:
        panels: the labels, in their order.
    """
    shown = _largest_errors(panels)
    across = min(_ACROSS, len(shown))
    down = -(-len(shown) // across)
    with house_style():
        figure = new_figure(
            width_inches=max(4.4, 2.2 * across + 0.6), height_inches=2.35 * down + 0.9
        )
        grid = figure.add_gridspec(down, across)
        for place, panel in enumerate(shown):
            axes = figure.add_subplot(grid[divmod(place, across)])
            _draw(axes, panel)
            axes.tick_params(
                labelbottom=place + across >= len(shown), labelleft=place % across == 0
            )
        which = _of_how_many(panels, shown)
        words = f"probability of the label; beside its name{which} the calibration error"
        figure.supxlabel(words, fontsize=9)
        figure.supylabel("share of test images that have it, 95 % intervals", fontsize=9)
        handles, names = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=2)
        return figure


def _of_how_many(panels: Sequence[LabelPanel], shown: Sequence[LabelPanel]) -> str:
    if len(shown) == len(panels):
        return ""
    return f" ({len(shown)} of {len(panels):,}, whose error was largest)"


def _largest_errors(panels: Sequence[LabelPanel]) -> Sequence[LabelPanel]:
    errors = [_error(panel.before) for panel in panels]
    chosen = sorted(np.argsort(np.negative(errors), kind="stable")[:_MOST_SHOWN].tolist())
    return [panels[place] for place in chosen]


def _draw(axes: Axes, panel: LabelPanel) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET_INK, linestyle=(0, (4, 3)), linewidth=1)
    for title, bins, colour, shape in (
        ("before", panel.before, ORANGE, "s"),
        ("after", panel.after, BLUE, "o"),
    ):
        low, high = share_bounds(bins)
        axes.vlines(bins.confidence, low, high, color=colour, linewidth=1.5, alpha=0.4)
        axes.scatter(
            bins.confidence,
            bins.accuracy,
            s=_SMALLEST + _LARGEST * bins.weights**0.5,
            marker=shape,
            color=colour,
            linewidths=0,
            alpha=0.85,
            label=title,
        )
    axes.set_title(label(panel.name, most_letters=_LETTERS_A_NAME), fontsize=9)
    axes.set_title(
        f"{_error(panel.before):.3f} to {_error(panel.after):.3f}",
        loc="right",
        fontsize=7,
        fontweight="normal",
        color=INK,
    )
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
    axes.grid(axis="both", color=GRID)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _error(bins: ReliabilityBins) -> float:
    return float(bins.weights @ bins.gaps)
