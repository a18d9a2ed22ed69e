"""Bands show the mean of an arm's runs and their spread, whatever is missing of them."""

import math

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.plots.bands import learning_bands
from cnnrun.plots.palette import stroke
from cnnrun.runs.metrics import EpochRow


def run(*losses: float) -> list[EpochRow]:
    return [
        EpochRow(number, 1, {"val_loss": loss, "val_accuracy": 1 / (1 + loss)}, 1e-3, 1.0)
        for number, loss in enumerate(losses, 1)
    ]


def test_the_line_is_the_mean_and_the_band_a_deviation_wide() -> None:
    figure = learning_bands({"relu": [run(2.0, 1.0), run(4.0, 2.0)]}, metrics=["val_loss"])
    axes = figure.axes[0]
    assert list(axes.lines[0].get_ydata()) == [3.0, 1.5]
    corners = axes.collections[0].get_paths()[0].vertices
    deviation = math.sqrt(2)
    assert corners[:, 1].min() == pytest.approx(1.5 - deviation / 2)
    assert corners[:, 1].max() == pytest.approx(3.0 + deviation)


def test_runs_of_unequal_length_and_without_numbers(pixels_of) -> None:
    arms = {"one": [run(3.0), run(1.0, 1.0)], "nothing": [run(math.nan), []], "none": []}
    figure = learning_bands(arms, metrics=["val_loss", "val_accuracy"])
    assert list(figure.axes[0].lines[0].get_ydata()) == [2.0, 1.0]
    assert len(figure.axes[0].lines) == 1
    assert np.ptp(pixels_of(figure)) > 0


def test_a_loss_that_falls_far_is_drawn_by_its_logarithm() -> None:
    figure = learning_bands({"relu": [run(100.0, 0.01), run(1.0, 1.0)]}, metrics=["val_loss"])
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert list(axes.lines[0].get_ydata()) == pytest.approx([10.0, 0.1])


def test_shares_stay_between_0_and_1() -> None:
    figure = learning_bands({"relu": [run(0.0), run(99.0)]}, metrics=["val_accuracy"])
    corners = figure.axes[0].collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() >= 0
    assert corners[:, 1].max() <= 1


def test_what_it_says(texts_of, snapshot: SnapshotAssertion) -> None:
    arms = {"before": [run(2.0, 1.0)], "after": [run(3.0, 1.5)]}
    assert texts_of(learning_bands(arms, metrics=["val_loss", "val_accuracy"])) == snapshot
    assert texts_of(learning_bands({"before": []}, metrics=["val_loss"])) == snapshot


def test_strokes_differ() -> None:
    assert len({str(stroke(number)) for number in range(28)}) == 28
