"""A forest plot shows each contrast's pairs, mean, intervals and verdict."""

import math

import numpy as np
from syrupy.assertion import SnapshotAssertion

from cnnrun.plots.forest import ForestRow, forest

ROWS = [
    ForestRow("before against none", (-0.2, -0.1, -0.3), -0.2, (-0.3, -0.1), (-0.4, 0.0), "better"),
    ForestRow(
        "after against $before$", (0.1, -0.1), 0.0, (-math.inf, math.inf), None, "not tested"
    ),
]
BARS = "thick the 95 % interval over seeds, thin the one over seeds and images"


def test_pairs_means_and_intervals_are_drawn() -> None:
    figure = forest(ROWS, metric="test_loss", better="lower", margin=0.05, pairs="seed", bars=BARS)
    drawn = [list(map(float, line.get_xdata())) for line in figure.axes[0].lines[1:]]
    assert drawn == [[-0.4, 0.0], [-0.3, -0.1], [-0.2], [-0.2, -0.1, -0.3], [0.0], [0.1, -0.1]]


def test_what_it_says(texts_of, pixels_of, snapshot: SnapshotAssertion) -> None:
    lower = forest(ROWS, metric="test_loss", better="lower", margin=None, pairs="seed", bars=BARS)
    assert texts_of(lower) == snapshot
    assert np.ptp(pixels_of(lower)) > 0
    higher = forest(
        ROWS[:1], metric="test_accuracy", better="higher", margin=None, pairs="seed", bars=BARS
    )
    assert "difference in test_accuracy; right is better" in texts_of(higher)
