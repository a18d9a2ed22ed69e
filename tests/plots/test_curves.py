"""Learning curves show the numbers of the epochs, whatever is missing of them."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from syrupy.assertion import SnapshotAssertion

from cnnrun.plots.curves import learning_curves
from cnnrun.runs.metrics import EpochRow


def rows(epochs: int, *, stages: tuple[int, ...] = (), **values: float) -> list[EpochRow]:
    """Epochs whose values fall as 1/epoch from those given; a new stage after each of `stages`."""
    return [
        EpochRow(
            epoch=epoch,
            stage=1 + sum(epoch > last for last in stages),
            values={name: value / epoch for name, value in values.items()},
            learning_rate=1e-3,
            seconds=1.0,
        )
        for epoch in range(1, epochs + 1)
    ]


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def lines(axes: Axes) -> dict[str, list[float]]:
    return {
        str(line.get_label()): list(line.get_ydata())
        for line in axes.lines
        if not str(line.get_label()).startswith("_")
    }


def test_training_and_validation_are_drawn() -> None:
    figure = learning_curves(
        rows(4, accuracy=0.5, loss=2.0, val_accuracy=0.25, val_loss=4.0), best_epoch=3
    )
    assert list(panels(figure)) == ["loss", "accuracy"]
    assert lines(panels(figure)["loss"]) == {
        "train": [2.0, 1.0, 2 / 3, 0.5],
        "validation": [4.0, 2.0, 4 / 3, 1.0],
    }


def test_the_best_epoch_is_marked(texts_of, snapshot: SnapshotAssertion) -> None:
    figure = learning_curves(rows(4, loss=2.0, val_loss=4.0, accuracy=0.5), best_epoch=3)
    assert texts_of(figure) == snapshot


def test_stages_are_named(texts_of) -> None:
    figure = learning_curves(rows(6, stages=(2, 4), loss=2.0), best_epoch=None)
    assert [text for text in texts_of(figure) if "stage" in text] == [
        "stage 1",
        "stage 2",
        "stage 3",
    ]
    one = learning_curves(rows(6, loss=2.0), best_epoch=None)
    assert not [text for text in texts_of(one) if "stage" in text]


def test_a_loss_over_decades_gets_a_logarithmic_axis() -> None:
    wide = learning_curves(rows(200, loss=2.0), best_epoch=None)
    narrow = learning_curves(rows(20, loss=2.0), best_epoch=None)
    assert [figure.axes[0].get_yscale() for figure in (wide, narrow)] == ["log", "linear"]


def test_epochs_are_whole_numbers() -> None:
    for epochs in (1, 2, 9, 11, 300):
        figure = learning_curves(rows(epochs, loss=1.0), best_epoch=None)
        ticks = figure.axes[0].get_xticks()
        assert len(ticks) > 0
        np.testing.assert_array_equal(ticks, np.rint(ticks))


@pytest.mark.parametrize("epochs", [1, 100])
@pytest.mark.parametrize(
    "values",
    [
        {"loss": 1.0},
        {"loss": math.nan, "val_loss": math.nan},
        {"loss": 1.0, "val_loss": math.nan, "accuracy": 0.5},
        {"loss": 0.0, "accuracy": 0.0, "val_accuracy": 0.0},
        dict.fromkeys(("loss", "accuracy", "recall", "$top_5$ 猫"), 1.0),
    ],
    ids=["one curve", "diverged", "no validation", "zeros", "many metrics"],
)
def test_every_run_can_be_drawn(values: dict[str, float], epochs: int, pixels_of) -> None:
    figure = learning_curves(rows(epochs, stages=(1,), **values), best_epoch=1)
    assert pixels_of(figure).std() > 0


def test_no_epoch_is_said(texts_of, pixels_of, snapshot: SnapshotAssertion) -> None:
    figure = learning_curves([], best_epoch=None)
    assert texts_of(figure) == snapshot
    assert pixels_of(figure).std() > 0
