"""Loss and metrics over the epochs."""

import math
from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cnnrun.plots.figures import BLUE, INK, ORANGE, QUIET_INK, SHADE, house_style, new_figure
from cnnrun.plots.lettering import label
from cnnrun.runs.metrics import EpochRow

_PANELS_A_ROW = 3
_MARKED_EPOCHS = 40
_TICKED_EPOCHS = 10
_LETTERS_A_TITLE = 36
# A loss that falls by more than this factor hides its end on a linear axis.
_LOGARITHMIC_FROM = 100.0


def learning_curves(rows: Sequence[EpochRow], *, best_epoch: int | None) -> Figure:
    """A panel for the loss and for each metric: training and validation, stages, the best epoch.

    Args:
        rows: the epochs in their order; with none the figure says so.
        best_epoch: the epoch whose weights were kept; None leaves it unmarked.
    """
    with house_style():
        names = _panel_names(rows)
        columns = max(1, min(len(names), _PANELS_A_ROW))
        lines = max(1, math.ceil(len(names) / _PANELS_A_ROW))
        figure = new_figure(width_inches=max(6.0, 4.6 * columns), height_inches=3.6 * lines)
        if not names:
            figure.text(0.5, 0.5, "no epoch was finished", ha="center", color=QUIET_INK)
            return figure
        for number, name in enumerate(names, 1):
            axes = figure.add_subplot(lines, columns, number)
            _draw_panel(axes, rows, name=name, best_epoch=best_epoch)
        return figure


def _panel_names(rows: Sequence[EpochRow]) -> list[str]:
    """The loss, then the metrics in the order in which the rows have them, all without `val_`."""
    names = dict.fromkeys(name.removeprefix("val_") for row in rows for name in row.values)
    return sorted(names, key=lambda name: name != "loss")


def _draw_panel(axes: Axes, rows: Sequence[EpochRow], *, name: str, best_epoch: int | None) -> None:
    epochs = [row.epoch for row in rows]
    training = [row.values.get(name, math.nan) for row in rows]
    validation = [row.values.get(f"val_{name}", math.nan) for row in rows]
    _shade_stages(axes, rows)
    marker = "o" if len(rows) <= _MARKED_EPOCHS else ""
    for split, values, color in (("train", training, BLUE), ("validation", validation, ORANGE)):
        if any(map(math.isfinite, values)):
            axes.plot(epochs, values, color=color, label=split, marker=marker, markersize=3)
    if _spans_decades([*training, *validation]):
        axes.set_yscale("log")
    axes.set_title(label(name.replace("_", " "), most_letters=_LETTERS_A_TITLE))
    axes.set_xlabel("epoch")
    if len(epochs) <= _TICKED_EPOCHS:
        axes.set_xticks(epochs)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.grid(axis="y")
    if best_epoch in epochs:
        _mark_best(axes, best_epoch, training, validation, row=epochs.index(best_epoch))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")


def _shade_stages(axes: Axes, rows: Sequence[EpochRow]) -> None:
    stages = [(stage, list(members)) for stage, members in groupby(rows, lambda row: row.stage)]
    if len(stages) == 1:
        return
    axes.margins(y=0.12)  # room for the stages' names
    for number, (stage, members) in enumerate(stages):
        first, last = members[0].epoch - 0.5, members[-1].epoch + 0.5
        axes.axvspan(first, last, color=SHADE if number % 2 else "white", zorder=0)
        axes.text(
            (first + last) / 2,
            0.985,
            f"stage {stage}",
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="top",
            color=QUIET_INK,
            fontsize=8,
        )


def _mark_best(
    axes: Axes, best_epoch: int, training: Sequence[float], validation: Sequence[float], *, row: int
) -> None:
    """A line at the best epoch, and a ring with its value: validation's, or else training's."""
    axes.axvline(best_epoch, color=QUIET_INK, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
    value, color = validation[row], ORANGE
    if not math.isfinite(value):
        value, color = training[row], BLUE
    best = f"best: epoch {best_epoch}"
    if math.isfinite(value):
        best += f", {value:.4g}"
        axes.plot([best_epoch], [value], "o", color=color, markeredgecolor=INK, markersize=6)
    axes.set_title(best, loc="right", fontsize=8, fontweight="normal", color=QUIET_INK)


def _spans_decades(values: Sequence[float]) -> bool:
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > _LOGARITHMIC_FROM
