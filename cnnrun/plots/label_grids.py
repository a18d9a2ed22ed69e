"""Several labels an image: what is said of those that have one, and which stand together."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from cnnrun.plots.figures import INK, house_style, new_figure
from cnnrun.plots.lettering import label

_LETTERS_A_NAME: Final = 24
_MOST_NAMED: Final = 60  # of more labels only some have room for their names
_MOST_COUNTED: Final = 25  # up to here a cell has room for its count
_COLOUR_POWER: Final = 0.5
_ANSWERS: Final = ("has it,\nsaid", "has it,\nmissed", "has it not,\nsaid", "has it not,\nnot said")


def label_confusion_grid(counts: NDArray[np.integer[Any]], *, labels: Sequence[str]) -> Figure:
    """Images by label (rows), by whether they have it, and by whether that is said (columns).

    Colours are shares of the images that have the label, or have it not.

    Args:
        counts: `(labels, 2, 2)`, by truth (no, yes) and by what is said (no, yes).
        labels: the names of the labels.
    """
    shares = counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)
    cells, shaded = (_in_columns(each) for each in (counts, shares))
    wrong = int(counts[:, 0, 1].sum() + counts[:, 1, 0].sum())
    return _grid(
        cells,
        shaded,
        rows=labels,
        columns=_ANSWERS,
        title=f"{wrong:,} of {int(counts.sum()):,} labels wrong",
        legend="share of the images that have it, or have it not",
        most_counted=_MOST_NAMED,
    )


def _in_columns(counts: NDArray[Any]) -> NDArray[Any]:
    return np.stack([counts[:, 1, 1], counts[:, 1, 0], counts[:, 0, 1], counts[:, 0, 0]], axis=1)


def co_occurrence_grid(together: NDArray[np.integer[Any]], *, labels: Sequence[str]) -> Figure:
    """How many images with a label (rows) have another one as well (columns).

    Args:
        together: `(labels, labels)`, images that have both; the diagonal has each label's own.
        labels: the names of the labels.
    """
    each = np.diag(together)
    return _grid(
        together,
        together / np.maximum(each[:, None], 1),
        rows=[f"{name} ({number:,})" for name, number in zip(labels, each, strict=True)],
        columns=labels,
        title="labels that stand together",
        legend="share of the images of the row",
        most_counted=_MOST_COUNTED,
    )


def _grid(
    counts: NDArray[Any],
    shares: NDArray[np.floating[Any]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    legend: str,
    most_counted: int,
) -> Figure:
    with house_style():
        height = float(np.clip(0.4 * len(rows) + 1.6, 3.0, 14.0))
        width = float(np.clip(0.55 * len(columns) + 3.2, 5.6, 15.0))
        figure = new_figure(width_inches=width, height_inches=height)
        axes = figure.add_subplot()
        image = axes.imshow(
            shares, cmap="Blues", norm=PowerNorm(_COLOUR_POWER, 0, 1), aspect="auto"
        )
        _name_axis(axes, rows, columns)
        if len(rows) <= most_counted:
            _write_counts(axes, counts, shares)
        axes.set_title(title)
        bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=30, pad=0.02)
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        bar.set_label(legend)
        bar.outline.set_visible(False)
        return figure


def _name_axis(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    for names, set_ticks in ((rows, axes.set_yticks), (columns, axes.set_xticks)):
        step = -(-len(names) // _MOST_NAMED)
        shown = range(0, len(names), step)
        are_long = names is columns and max(map(_width, names)) > 5 and len(names) > 4
        set_ticks(
            shown,
            [
                names[each]
                if "\n" in names[each]
                else label(names[each], most_letters=_LETTERS_A_NAME)
                for each in shown
            ],
            fontsize=float(np.clip(260 / len(names), 5.0, 9.0)),
            rotation=90 if are_long else 0,
        )
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _width(name: str) -> int:
    return max(map(len, name.split("\n")))


def _write_counts(axes: Axes, counts: NDArray[Any], shares: NDArray[np.floating[Any]]) -> None:
    size = 9 if counts.max() < 1000 else 7
    for row, column in np.ndindex(*counts.shape):
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            fontsize=size,
            color="white" if shares[row, column] > 0.35 else INK,
        )
