"""Why arms differ: what reaches their activations, and what gradients their layers get."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FormatStrFormatter,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)
from numpy.typing import NDArray

from cnnrun.plots.figures import BLUE, QUIET_INK, house_style, new_figure
from cnnrun.plots.lettering import label
from cnnrun.plots.palette import stroke
from cnnrun.runs.diagnostics import DiagnosticsRow

_LETTERS_A_NAME = 40
_LETTERS_A_TICK = 14
_COLUMNS = 4  # of legends and of layers
_PANEL_INCHES = 3.5
_MOST_TICKS = 12
_FANS: Final = ((0.05, 0.95, 0.18), (0.25, 0.75, 0.32))
# What is smaller than this share of the largest is drawn between 0 and the rest.
_FARTHEST: Final = 1e-6
_HALF_A_LEVEL: Final = 10**0.6  # what stays level is shown on more than a power of ten
_MOST_POWERS: Final = 5  # with a number beside them
# Beyond so many times the middle arm's width, another arm's fan would hide it.
_WIDEST = 4.0

Runs = Sequence[Sequence[DiagnosticsRow]]
"""The looks at each run of an arm."""


@dataclass(frozen=True)
class _Measure:
    """What is drawn of each layer."""

    title: str
    of: Callable[[DiagnosticsRow], Mapping[str, float]]
    is_share: bool


_SIGNALS: Final = (
    _Measure(
        "variance of activations' inputs",
        lambda row: {name: each.std**2 for name, each in row.activations.items()},
        is_share=False,
    ),
    _Measure(
        "variance of their gradients",
        lambda row: {name: each.gradient_std**2 for name, each in row.activations.items()},
        is_share=False,
    ),
    _Measure("norm of weights' gradients", lambda row: row.gradient_norms, is_share=False),
)
_SATURATION: Final = (
    _Measure(
        "saturated inputs",
        lambda row: {name: each.saturated for name, each in row.activations.items()},
        is_share=True,
    ),
    _Measure(
        "dead channels",
        lambda row: {name: each.dead for name, each in row.activations.items()},
        is_share=True,
    ),
)


def layer_signals(arms: Mapping[str, Runs]) -> Figure:
    """Layer by layer, from input to output, what signal each arm's networks carry.

    The lines are means over runs, at the start and at the end. One that falls from left to right is
    a signal that a network loses; gradients flow the other way.

    Args:
        arms: name -> the looks at each of its runs.
    """
    return _at_both_ends(arms, _SIGNALS)


def layer_saturation(arms: Mapping[str, Runs]) -> Figure:
    """Layer by layer, how much of each arm's networks passes no gradient on.

    Args:
        arms: name -> the looks at each of its runs.
    """
    return _at_both_ends(arms, _SATURATION)


def run_layers(looks: Sequence[DiagnosticsRow]) -> Figure:
    """Layer by layer, what a single run shows at its start and at its end.

    Args:
        looks: at the run, in their order; at least one.
    """
    last = looks[-1].epoch
    ends = {"start": [looks[:1]]} | ({f"epoch {last}": [looks[-1:]]} if last else {})
    with house_style():
        figure = new_figure(width_inches=10.4, height_inches=6.4)
        panels = figure.subplots(2, 3)
        *drawn, corner = panels.flat
        for axes, measure in zip(drawn, (*_SIGNALS, *_SATURATION), strict=True):
            _draw_layers(axes, ends, measure, look=0)
            axes.set_title(measure.title)
        corner.set_axis_off()
        corner.legend(*_handles(drawn), loc="center", handlelength=4)
        return figure


def _at_both_ends(arms: Mapping[str, Runs], measures: Sequence[_Measure]) -> Figure:
    measures = [each for each in measures if _is_recorded(arms, each)] or measures
    with house_style():
        legend_lines = -(-len(arms) // _COLUMNS)
        width = _PANEL_INCHES * len(measures)
        figure = new_figure(width_inches=width, height_inches=6.4 + 0.2 * legend_lines)
        axes = figure.subplots(2, len(measures), sharey="col")
        for column, measure in enumerate(measures):
            for row, (when, look) in enumerate((("start", 0), ("end", -1))):
                _draw_layers(axes[row][column], arms, measure, look=look)
                axes[row][column].set_title(f"{measure.title}, {when}")
        handles, names = _handles(figure.axes)
        columns = min(_COLUMNS, max(1, len(names)))
        # Long enough to tell dashes apart beside the marker.
        figure.legend(handles, names, loc="outside lower center", ncols=columns, handlelength=4)
        return figure


def _is_recorded(arms: Mapping[str, Runs], measure: _Measure) -> bool:
    """Whether there is a number of it, for early studies recorded fewer."""
    return any(
        math.isfinite(value)
        for runs in arms.values()
        for rows in runs
        for row in rows
        for value in measure.of(row).values()
    )


def _handles(panels: Sequence[Axes]) -> tuple[list[Any], list[Any]]:
    """Lines with their names, of the panel that has most of them."""
    shown = [each.get_legend_handles_labels() for each in panels]
    return max(shown, key=lambda each: len(each[1]))


def input_distributions(arms: Mapping[str, Runs]) -> Figure:
    """How the distribution of what reaches an activation moves while an arm learns.

    A row for each arm that has activations, a column for each of up to four layers: the median over
    the epochs, and around it the middle half and nine tenths, as means over the runs.

    Args:
        arms: name -> the looks at each of its runs; at least one with a look.
    """
    with house_style():
        arms = {arm: runs for arm, runs in arms.items() if _has_activations(runs)}
        layers = _spread_out(_layers_of(arms, lambda row: row.activations))
        columns = max(1, len(layers))
        figure = new_figure(
            width_inches=1.2 + 3.0 * columns, height_inches=0.9 + 1.45 * max(1, len(arms))
        )
        grid = figure.subplots(max(1, len(arms)), columns, sharex=True, sharey="col", squeeze=False)
        for row, (arm, runs) in enumerate(arms.items()):
            for column, layer in enumerate(layers):
                axes = grid[row][column]
                _draw_fan(axes, _quantiles(runs, layer))
                if row == 0:
                    axes.set_title(label(layer, most_letters=_LETTERS_A_NAME), fontsize=9)
                if row == len(arms) - 1:
                    axes.set_xlabel("epoch")
            grid[row][0].set_ylabel(label(arm, most_letters=24), fontsize=8)
        for column in range(columns):
            _limit(grid[:, column])
        return figure


def _draw_layers(axes: Axes, arms: Mapping[str, Runs], measure: _Measure, *, look: int) -> None:
    layers = _layers_of(arms, measure.of)
    at = np.arange(len(layers))
    drawn = []
    for number, (arm, runs) in enumerate(arms.items()):
        rows = [measure.of(rows[look]) for rows in runs if rows]
        values = np.array([_mean([row.get(layer, math.nan) for row in rows]) for layer in layers])
        if not np.isfinite(values).any():
            continue
        look_of_line = stroke(number)
        axes.plot(
            at,
            values,
            color=look_of_line.color,
            linestyle=look_of_line.linestyle,
            marker="o",
            markersize=3.5,
            label=label(arm, most_letters=_LETTERS_A_NAME),
        )
        drawn += [value for value in values if math.isfinite(value)]
    if measure.is_share:
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    elif any(value > 0 for value in drawn):
        _scale_by_powers(axes, drawn)
    step = -(-len(layers) // _MOST_TICKS) or 1
    axes.set_xticks(
        at[::step],
        [label(_short(layer), most_letters=_LETTERS_A_TICK) for layer in layers[::step]],
        rotation=25,
        ha="right",
        fontsize=7,
    )
    axes.grid(axis="y")


def _scale_by_powers(axes: Axes, drawn: Sequence[float]) -> None:
    """A logarithmic axis, on which 0 has a place of its own: the bottom line.

    What lies far below the rest shares its last power of ten with 0, so that arms that keep their
    variance can be told apart.
    """
    drawn = [*drawn, *_drawn_beside(axes)]
    top = max(drawn)
    least = max(min(value for value in drawn if value > 0), top * _FARTHEST)
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(top)) + 1)
    if min(drawn) >= least:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        if top < 10 * least:  # or what stays level would not look so
            middle = math.sqrt(least * top)
            axes.set_ylim(middle / _HALF_A_LEVEL, middle * _HALF_A_LEVEL)
    else:
        # Linear from 0 to the smallest power alone.
        axes.set_yscale("symlog", linthresh=10.0 ** powers[0], linscale=0.6)
        axes.set_ylim(bottom=-(10.0 ** powers[0]) * 0.2)
        step = -(-len(powers) // _MOST_POWERS)
        axes.yaxis.set_major_locator(FixedLocator([0.0, *(10.0**each for each in powers[::step])]))
        axes.axhline(0, color=QUIET_INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))


def _drawn_beside(axes: Axes) -> list[float]:
    """The numbers of the panels that share its vertical axis."""
    panels = axes.get_shared_y_axes().get_siblings(axes)
    values = [value for panel in panels for line in panel.lines for value in line.get_ydata()]
    return [float(value) for value in values if math.isfinite(value)]


def _draw_fan(axes: Axes, quantiles: Mapping[float, NDArray[np.float64]]) -> None:
    epochs = np.arange(len(quantiles[0.5]))
    for low, high, strength in _FANS:
        axes.fill_between(
            epochs, quantiles[low], quantiles[high], color=BLUE, alpha=strength, linewidth=0
        )
    axes.plot(epochs, quantiles[0.5], color=BLUE, linewidth=1.4)
    axes.axhline(0, color=QUIET_INK, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.tick_params(labelsize=7)


def _quantiles(runs: Runs, layer: str) -> dict[float, NDArray[np.float64]]:
    """Share -> the mean over runs of that quantile, one a look."""
    looks = max((len(rows) for rows in runs), default=0)
    shares = [0.5, *(share for low, high, _ in _FANS for share in (low, high))]
    return {
        share: np.array(
            [
                _mean(
                    [
                        rows[look].activations[layer].quantile(share)
                        for rows in runs
                        if look < len(rows) and layer in rows[look].activations
                    ]
                )
                for look in range(looks)
            ]
        )
        for share in shares
    }


def _has_activations(runs: Runs) -> bool:
    return any(row.activations for rows in runs for row in rows)


def _limit(column: Iterable[Axes]) -> None:
    """Limits that the arms of a column share, unless one of them dwarfs the others."""
    first, *others = column
    heights = [axes.dataLim.height for axes in (first, *others)]
    finite = [height for height in heights if math.isfinite(height) and height > 0]
    middle = float(np.median(finite)) if finite else 0.0
    if middle and max(finite) > _WIDEST * middle:
        first.set_ylim(-_WIDEST / 2 * middle, _WIDEST / 2 * middle)


def _layers_of(
    arms: Mapping[str, Runs], of: Callable[[DiagnosticsRow], Mapping[str, object]]
) -> list[str]:
    """The layers that all arms have, in the order of the first; all layers where they share none.

    So batch norm's own gradients do not stand beside those of arms without it.
    """
    looks = [of(rows[0]) for runs in arms.values() for rows in runs if rows]
    every = dict.fromkeys(layer for look in looks for layer in look)
    return [layer for layer in every if all(layer in look for look in looks)] or list(every)


def _spread_out(layers: Sequence[str]) -> list[str]:
    """Up to four layers, first and last among them."""
    if len(layers) <= _COLUMNS:
        return list(layers)
    at = np.linspace(0, len(layers) - 1, _COLUMNS).round().astype(int)
    return [layers[number] for number in at]


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan


def _short(layer: str) -> str:
    return layer.removesuffix("_activation").removesuffix("_conv")
