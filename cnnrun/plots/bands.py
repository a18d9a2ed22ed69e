"""Learning curves of many runs: for each arm of a study its mean, and a band of its seeds."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator
from numpy.typing import NDArray

from cnnrun.plots.figures import QUIET_INK, house_style, new_figure
from cnnrun.plots.lettering import label
from cnnrun.plots.palette import stroke
from cnnrun.runs.metrics import EpochRow

_LETTERS_A_NAME = 40
# A loss that falls by more than this factor hides its end on a linear axis.
_LOGARITHMIC_FROM = 20.0
_TICKED_EPOCHS = 12
_COLUMNS = 4  # of the legend

Runs = Sequence[Sequence[EpochRow]]


def learning_bands(arms: Mapping[str, Runs], *, metrics: Sequence[str]) -> Figure:
    """A panel for each metric: a line for each arm, the mean of its runs, in a band.

    The band goes one standard deviation over the runs to either side; of a metric on a logarithmic
    axis, both are of its logarithm.

    Args:
        arms: name -> the epochs of each of its runs.
        metrics: names as in metrics.jsonl, such as "val_loss".
    """
    with house_style():
        figure = new_figure(
            width_inches=4.6 * len(metrics) + 0.4,
            height_inches=3.6 + 0.2 * -(-len(arms) // _COLUMNS),
        )
        drawn = [
            _draw_panel(figure.add_subplot(1, len(metrics), number), arms, name=name)
            for number, name in enumerate(metrics, 1)
        ]
        if not any(drawn):
            figure.clear()
            figure.text(0.5, 0.5, "no epoch was finished", ha="center", color=QUIET_INK)
            return figure
        handles, names = max(
            (axes.get_legend_handles_labels() for axes in figure.axes),
            key=lambda each: len(each[1]),
        )
        columns = min(_COLUMNS, len(names))
        figure.legend(handles, names, loc="outside lower center", ncols=columns)
        return figure


def _draw_panel(axes: Axes, arms: Mapping[str, Runs], *, name: str) -> bool:
    """Draws one metric; whether there was anything to draw."""
    tables = {arm: _table(runs, name) for arm, runs in arms.items()}
    finite = np.concatenate([each[np.isfinite(each)] for each in tables.values()] or [np.zeros(0)])
    is_logarithmic = bool(len(finite)) and _spans_decades(tables)
    if is_logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    most_epochs = 0
    for number, (arm, values) in enumerate(tables.items()):
        if not np.isfinite(values).any():
            continue
        most_epochs = max(most_epochs, values.shape[1])
        _draw_band(axes, arm, values, number=number, is_logarithmic=is_logarithmic)
    axes.set_title(label(_in_words(name), most_letters=_LETTERS_A_NAME))
    axes.set_xlabel("epoch")
    if 0 < most_epochs <= _TICKED_EPOCHS:
        axes.set_xticks(range(1, most_epochs + 1))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    return most_epochs > 0


def _draw_band(
    axes: Axes, arm: str, values: NDArray[np.float64], *, number: int, is_logarithmic: bool
) -> None:
    epochs = np.arange(1, values.shape[1] + 1)
    look = stroke(number)
    low, middle, high = _band(values, is_logarithmic=is_logarithmic)
    axes.fill_between(epochs, low, high, color=look.color, alpha=0.15, linewidth=0)
    axes.plot(
        epochs,
        middle,
        color=look.color,
        linestyle=look.linestyle,
        linewidth=1.8,
        label=label(arm, most_letters=_LETTERS_A_NAME),
    )


def _band(
    values: NDArray[np.float64], *, is_logarithmic: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The mean of each column, and one standard deviation to either side; of what is finite."""
    scaled = np.log(values) if is_logarithmic else values
    masked = np.ma.masked_invalid(scaled)
    middle = masked.mean(axis=0).filled(np.nan)
    deviation = masked.std(axis=0, ddof=1).filled(0) if len(values) > 1 else np.zeros_like(middle)
    ends = middle - deviation, middle, middle + deviation
    low, mean, high = (np.exp(each) for each in ends) if is_logarithmic else ends
    if np.nanmin(values) >= 0 and np.nanmax(values) <= 1:  # shares, such as accuracies
        low, high = np.maximum(low, 0), np.minimum(high, 1)
    return low, mean, high


def _table(runs: Runs, name: str) -> NDArray[np.float64]:
    """A metric as `(runs, epochs)`; NaN where a run has no such epoch, or no number."""
    most = max((row.epoch for rows in runs for row in rows), default=0)
    table = np.full((len(runs), most), np.nan)
    for number, rows in enumerate(runs):
        for row in rows:
            table[number, row.epoch - 1] = row.values.get(name, math.nan)
    return table


def _spans_decades(tables: Mapping[str, NDArray[np.float64]]) -> bool:
    values = np.concatenate([each[np.isfinite(each)] for each in tables.values()])
    return bool(values.min() > 0 and values.max() / values.min() > _LOGARITHMIC_FROM)


def _in_words(name: str) -> str:
    if name.startswith("val_"):
        return f"validation {name.removeprefix('val_').replace('_', ' ')}"
    return f"training {name.replace('_', ' ')}"
