"""Pictures of why arms differ show the numbers of the looks at their runs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.plots.diagnostics import (
    input_distributions,
    layer_saturation,
    layer_signals,
    run_layers,
)
from cnnrun.runs.diagnostics import ActivationInput, DiagnosticsRow


def look(epoch: int, *, spread: float = 1.0, norm: bool = False) -> DiagnosticsRow:
    """A look whose second layer has twice the spread of its first."""
    layers = {"block_1_activation": spread, "block_2_activation": 2 * spread}
    return DiagnosticsRow(
        epoch=epoch,
        activations={
            name: ActivationInput(
                0.0, width, 0.5, 0.1, width / 10, -4 * width, 4 * width, (1, 9, 9, 1)
            )
            for name, width in layers.items()
        },
        gradient_norms={"block_1_conv": 0.1 * spread}
        | ({"block_1_norm": 0.3} if norm else {})
        | {"block_2_conv": 0.2 * spread},
    )


def run(*spreads: float, norm: bool = False) -> list[DiagnosticsRow]:
    return [look(epoch, spread=spread, norm=norm) for epoch, spread in enumerate(spreads)]


def test_layers_at_the_start_and_at_the_end() -> None:
    figure = layer_signals({"relu": [run(1.0, 3.0), run(2.0, 5.0)]})
    by_title = {axes.get_title(loc="left"): axes for axes in figure.axes}
    start = by_title["variance of activations' inputs, start"]
    end = by_title["variance of activations' inputs, end"]
    # Means over the runs of what is the square of the spread.
    assert list(start.lines[0].get_ydata()) == [2.5, 10.0]
    assert list(end.lines[0].get_ydata()) == [17.0, 68.0]
    gradients = by_title["variance of their gradients, end"].lines[0].get_ydata()
    assert list(gradients) == pytest.approx([0.17, 0.68])
    norms = by_title["norm of weights' gradients, end"].lines[0].get_ydata()
    assert list(norms) == pytest.approx([0.4, 0.8])


def test_what_passes_no_gradient_on() -> None:
    figure = layer_saturation({"relu": [run(1.0, 3.0)]})
    by_title = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert list(by_title["saturated inputs, end"].lines[0].get_ydata()) == [0.5, 0.5]
    assert list(by_title["dead channels, start"].lines[0].get_ydata()) == [0.1, 0.1]


def test_a_run_alone_has_its_start_beside_its_last_epoch() -> None:
    panels = {axes.get_title(loc="left"): axes for axes in run_layers(run(1.0, 2.0, 3.0)).axes}
    lines = panels["variance of activations' inputs"].lines
    assert {line.get_label(): list(line.get_ydata()) for line in lines} == {
        "start": [1.0, 4.0],
        "epoch 2": [9.0, 36.0],
    }
    assert len(run_layers(run(1.0)).axes[0].lines) == 1


def test_a_variance_that_stays_level_looks_level() -> None:
    low, high = layer_signals({"relu": [run(1.0, 1.1)]}).axes[2].get_ylim()
    assert high >= 10 * low


def test_what_early_studies_did_not_record_has_no_panel() -> None:
    early = [
        replace(
            each,
            activations={
                name: replace(seen, gradient_std=math.nan)
                for name, seen in each.activations.items()
            },
        )
        for each in run(1.0, 2.0)
    ]
    titles = [axes.get_title(loc="left") for axes in layer_signals({"relu": [early]}).axes]
    assert len(titles) == 4
    assert not any("their gradients" in title for title in titles)


def test_layers_that_not_all_arms_have_are_left_out(texts_of) -> None:
    figure = layer_signals({"none": [run(1.0)], "before": [run(1.0, norm=True)]})
    assert "block_1_norm" not in texts_of(figure)
    alone = layer_signals({"before": [run(1.0, norm=True)]})
    assert "block_1_norm" in texts_of(alone)


def test_distributions_are_the_quantiles_of_the_histograms() -> None:
    figure = input_distributions({"relu": [run(1.0, 2.0)], "tanh": [run(1.0, 1.0)]})
    assert len(figure.axes) == 4
    inner = figure.axes[0].collections[1].get_paths()[0].vertices
    # Half of twenty numbers lie in the middle of the two bins of nine: within 5/9 of each.
    assert inner[:, 1].max() == pytest.approx(2 * 2 * 5 / 9)
    assert list(figure.axes[0].lines[0].get_ydata()) == [0.0, 0.0]


def test_arms_without_activations_have_no_row() -> None:
    linear = [DiagnosticsRow(0, {}, {"conv": 1.0})]
    figure = input_distributions({"relu": [run(1.0)], "linear": [linear], "failed": [[]]})
    assert len(figure.axes) == 2


def test_one_arm_does_not_hide_the_others() -> None:
    arms = {name: [run(1.0, 1.0)] for name in "abc"} | {"d": [run(1.0, 1000.0)]}
    low, high = input_distributions(arms).axes[0].get_ylim()
    assert high - low < 200


def test_zero_has_a_place_inside_and_leaves_the_axis_logarithmic() -> None:
    arms = {"he": [run(1.0)], "glorot": [run(0.5)], "zeros": [run(0.0)]}
    axes = layer_signals(arms).axes[0]
    low, high = axes.get_ylim()
    assert low < 0 < 2.0 < high
    at = axes.transData.transform([(0, value) for value in (0.0, 0.1, 0.5, 1.0)])[:, 1]
    bottom, top = axes.transData.transform([(0, low), (0, high)])[:, 1]
    zero, tenth, half, one = (at - bottom) / (top - bottom)
    # Half as much is as far apart as on a logarithmic axis, and 0 is inside.
    assert (one - half) / (one - tenth) == pytest.approx(math.log10(2), rel=1e-6)
    assert 0.02 < zero < tenth
    assert list(axes.lines[2].get_ydata()) == [0.0, 0.0]


def test_what_vanishes_does_not_press_the_others_together() -> None:
    arms = {"he": [run(1.0)], "glorot": [run(0.5)], "too small": [run(1e-30)]}
    axes = layer_signals(arms).axes[0]
    half, one = axes.transAxes.inverted().transform(axes.transData.transform([(0, 0.5), (0, 1.0)]))[
        :, 1
    ]
    assert one - half > 0.03


def test_all_zero_is_drawn_inside() -> None:
    axes = layer_signals({"zeros": [run(0.0)]}).axes[1]
    low, high = axes.get_ylim()
    assert low < 0 < high


def test_what_they_say(texts_of, pixels_of, snapshot: SnapshotAssertion) -> None:
    arms = {"relu": [run(1.0, 2.0), []], "$dead$": [run(math.nan, 0.0)], "failed": []}
    for figure in (layer_signals(arms), layer_saturation(arms), input_distributions(arms)):
        assert texts_of(figure) == snapshot
        assert np.ptp(pixels_of(figure)) > 0
