"""Which classes are taken for which."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from cnnrun.plots.figures import INK, QUIET_INK, house_style, new_figure
from cnnrun.plots.lettering import label

_COUNTED_CLASSES = 25  # up to here a cell has room for its count
_LABELLED_CLASSES = 110  # up to here every class has room for its name
_LETTERS_A_NAME = 24
_MOST_CONFUSED = 4
# A power below 1 makes a confusion of one in a hundred visible beside the diagonal.
_COLOUR_POWER = 0.4


def confusion_matrix(counts: NDArray[np.integer[Any]], *, classes: Sequence[str]) -> Figure:
    """Images by true class (rows) and predicted class (columns).

    Colours are shares of a row, so that rare classes show as well as frequent ones. Counts stand in
    the cells while there is room; beyond that the classes most often confused are named below.

    Args:
        counts: `(classes, classes)`, a row for each true class.
        classes: the names of the classes.
    """
    with house_style():
        number = len(classes)
        side = float(np.clip(0.45 * number + 1.5, 3.2, 14.0))
        figure = new_figure(width_inches=side + 1.6, height_inches=side + 0.8)
        axes = figure.add_subplot()
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(_COLOUR_POWER, 0, 1))
        _name_classes(axes, classes)
        if number <= _COUNTED_CLASSES:
            _write_counts(axes, counts, shares)
        right, images = int(np.trace(counts)), int(counts.sum())
        axes.set_title(f"{right:,} of {images:,} images right")
        bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, pad=0.02)
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        bar.set_label("share of the images of the true class")
        bar.outline.set_visible(False)
        if number > _COUNTED_CLASSES:
            figure.supxlabel(_most_confused(counts, classes), fontsize=9, color=QUIET_INK)
        return figure


def _name_classes(axes: Axes, classes: Sequence[str]) -> None:
    step = -(-len(classes) // _LABELLED_CLASSES)
    ticks = range(0, len(classes), step)
    names = [_short(classes[tick]) for tick in ticks]
    size = float(np.clip(260 / len(classes), 5.0, 9.0))
    upright = max(map(len, names)) <= 3 and len(classes) <= _COUNTED_CLASSES
    axes.set_xticks(ticks, names, fontsize=size, rotation=0 if upright else 90)
    axes.set_yticks(ticks, names, fontsize=size)
    axes.tick_params(which="both", length=0)
    if len(classes) <= _COUNTED_CLASSES:
        edges = np.arange(len(classes) - 1) + 0.5
        axes.set_xticks(edges, minor=True)
        axes.set_yticks(edges, minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.set_axisbelow(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write_counts(
    axes: Axes, counts: NDArray[np.integer[Any]], shares: NDArray[np.floating[Any]]
) -> None:
    size = 9 if counts.max() < 1000 else 7
    for row, column in zip(*np.nonzero(counts), strict=True):
        axes.text(
            column,
            row,
            f"{counts[row, column]}",
            ha="center",
            va="center",
            fontsize=size,
            color="white" if shares[row, column] > 0.35 else INK,
            in_layout=False,  # it lies in its cell
        )


def _most_confused(counts: NDArray[np.integer[Any]], classes: Sequence[str]) -> str:
    mistakes = counts * ~np.eye(len(classes), dtype=bool)
    cells = np.argsort(-mistakes, axis=None, kind="stable")[:_MOST_CONFUSED]
    pairs = [divmod(int(cell), len(classes)) for cell in cells if mistakes.flat[cell] > 0]
    if not pairs:
        return "no class is confused with another"
    texts = [
        f"{_short(classes[true])} as {_short(classes[predicted])} ({mistakes[true, predicted]})"
        for true, predicted in pairs
    ]
    return "most often confused: " + ", ".join(texts)


def _short(name: str) -> str:
    return label(name, most_letters=_LETTERS_A_NAME)
