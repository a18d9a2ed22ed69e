"""How often probabilities are right: the reliability diagram."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.special import betaincinv

from cnnrun.calibration.calibration_error import BINS, FloatArray, ReliabilityBins
from cnnrun.plots.figures import BLUE, GRID, INK, QUIET_INK, house_style, new_figure

_CONFIDENCE: Final = 0.95


def reliability_diagram(panels: Mapping[str, ReliabilityBins], *, images: str) -> Figure:
    """A panel for each state of the probabilities: accuracy over confidence, and where images lie.

    Probabilities that mean what they say lie on the diagonal. A bar is the 95 % interval of a bin's
    accuracy (Clopper and Pearson); below stands how many of the images each bin has.

    Args:
        panels: title -> the images in bins, such as "before" and "after".
        images: what the images are, such as "270 test images".
    """
    with house_style():
        figure = new_figure(width_inches=4.4 * len(panels), height_inches=5.2)
        grid = figure.add_gridspec(2, len(panels), height_ratios=(4, 1))
        shares: Axes | None = None
        for column, (title, bins) in enumerate(panels.items()):
            accuracies = figure.add_subplot(grid[0, column])
            _draw_accuracies(accuracies, bins, title=title)
            shares = figure.add_subplot(grid[1, column], sharex=accuracies, sharey=shares)
            _draw_shares(shares, bins, images=images)
        return figure


def share_bounds(bins: ReliabilityBins) -> tuple[FloatArray, FloatArray]:
    """The 95 % interval of each bin's accuracy, by Clopper and Pearson: `(bins,)` each."""
    right, tail = bins.accuracy * bins.images, (1 - _CONFIDENCE) / 2
    low = np.nan_to_num(betaincinv(right, bins.images - right + 1, tail), nan=0.0)
    high = np.nan_to_num(betaincinv(right + 1, bins.images - right, 1 - tail), nan=1.0)
    return low, high


def _draw_accuracies(axes: Axes, bins: ReliabilityBins, *, title: str) -> None:
    low, high = share_bounds(bins)
    axes.plot([0, 1], [0, 1], color=QUIET_INK, linestyle=(0, (4, 3)), linewidth=1)
    axes.vlines(bins.confidence, low, high, color=BLUE, linewidth=2, alpha=0.45)
    axes.plot(bins.confidence, bins.accuracy, "o", color=BLUE, markersize=5)
    axes.set_title(title)
    off = float(bins.weights @ bins.gaps)
    axes.set_title(
        f"calibration error {off:.4f}", loc="right", fontsize=8, fontweight="normal", color=INK
    )
    axes.set_ylabel("share that is right, 95 % intervals")
    axes.set_ylim(-0.02, 1.02)
    axes.grid(axis="both", color=GRID)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.tick_params(labelbottom=False)


def _draw_shares(axes: Axes, bins: ReliabilityBins, *, images: str) -> None:
    numbers = np.clip(np.ceil(bins.confidence * BINS - 1e-9) - 1, 0, BINS - 1)
    axes.bar((numbers + 0.5) / BINS, bins.weights, width=0.9 / BINS, color=BLUE, alpha=0.6)
    axes.set_xlim(0, 1.02)
    axes.set_xlabel(f"highest probability of {images}")
    axes.set_ylabel("images")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
