"""A search's trials as a figure. The oracle: what the axes hold."""

import math

import pytest

from cnnrun.plots.search import AxisPoints, search_trials


@pytest.mark.parametrize("scores", [[0.5, 0.2, math.nan, 0.3], [0.5, 0.001, 0.4, 0.3]])
def test_each_axis_has_its_trials(scores: list[float]) -> None:
    axes = {
        "rate": AxisPoints([1e-4, 1e-3, 1e-2, 1e-1], True, ()),
        "kind $x$ \N{CAT FACE}": AxisPoints([0, 1, 1, 0], False, ["relu", "{PReLU: {}}"]),
    }
    figure = search_trials(
        axes,
        scores,
        best=[1],
        expected=[0.4, 0.3, math.inf],
        measure="val_loss",
        fewer_is_better=True,
    )
    rate, kind, so_far, expected = [panel for panel in figure.axes if panel.get_visible()]
    assert rate.get_xscale() == "log"
    assert rate.get_yscale() == ("log" if min(scores) < 0.01 else "linear")
    assert list(rate.lines[1].get_xdata()) == [1e-3]
    assert kind.get_xticklabels()[0].get_text() == "relu"
    steps = list(so_far.lines[1].get_ydata())
    assert steps == [0.5, min(scores[:2]), min(scores[:2]), min(scores[:2])]
    assert list(expected.lines[0].get_ydata()) == [0.4, 0.3]
    figure.canvas.draw()


def test_where_more_is_better_the_best_so_far_rises() -> None:
    figure = search_trials(
        {name: AxisPoints([1, 2], False, ()) for name in "abcd"},
        [0.7, 0.9],
        best=[1],
        expected=[0.8, 0.85],
        measure="val_accuracy",
        fewer_is_better=False,
    )
    assert len([panel for panel in figure.axes if panel.get_visible()]) == 6
    assert list(figure.axes[4].lines[1].get_ydata()) == [0.7, 0.9]
