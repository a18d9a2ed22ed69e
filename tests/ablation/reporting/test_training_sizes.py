"""What is said of the number of training images, of mistakes that are chosen for each answer."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.training_sizes import (
    SizeArm,
    SizeCurve,
    extrapolate,
    size_curve_json,
)
from cnnrun.ablation.reporting.training_sizes import size_section, size_sentences
from cnnrun.pages.study_figures import sizes_figure

IMAGES = np.array([100.0, 200.0, 400.0, 800.0])
NAMES = ("images 1/8", "images 1/4", "half", "all")
MEANS = {
    "more images": [0.32, 0.2, 0.13, 0.08],
    "another network": [0.21, 0.205, 0.203, 0.202],
    "open": [0.3, 0.27, 0.24, 0.22],
    "bends": [0.3, 0.15, 0.08, 0.2],
    "no mistake": [0.1, 0.05, 0.01, 0.0],
}


def curve_of(means: list[float]) -> SizeCurve:
    """A curve of five seeds whose mistakes differ by a twentieth."""
    noise = np.random.default_rng(1).normal(0, 0.05, (len(means), 5))
    errors = np.array(means)[:, None] * (1 + noise)
    arms = tuple(
        SizeArm(name, float(images), dict(enumerate((1 - of).tolist())))
        for name, images, of in zip(NAMES, IMAGES, errors, strict=True)
    )
    return SizeCurve(arms, extrapolate(IMAGES, errors, resamples=49))


def figure_of(curve: SizeCurve) -> Figure:
    """The figure, of the results as they are read from their file."""
    arms = [
        {"name": arm.name, "measures": {"test_accuracy": {"seeds": arm.accuracies}}}
        for arm in curve.arms
    ]
    results = json.loads(json.dumps({"training_sizes": size_curve_json(curve), "arms": arms}))
    figure = sizes_figure(results)
    assert figure is not None
    return figure


@pytest.mark.parametrize("case", MEANS)
def test_what_is_said(case: str, snapshot: SnapshotAssertion) -> None:
    assert list(size_sentences(curve_of(MEANS[case]), over="seeds")) == snapshot


def test_the_section_and_the_figure(snapshot: SnapshotAssertion) -> None:
    curve = curve_of(MEANS["more images"])
    assert list(size_section(curve)) == snapshot
    (axes,) = figure_of(curve).axes
    assert axes.get_xticks().tolist() == [100, 200, 400, 800, 1600, 3200]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    for dot, arm in zip(dots, curve.arms, strict=True):
        assert dot.get_ydata() == pytest.approx(list(arm.accuracies.values()))


def test_without_a_law(snapshot: SnapshotAssertion) -> None:
    curve = SizeCurve(curve_of(MEANS["open"]).arms, None, "no arm made a mistake")
    assert list(size_sentences(curve, over="seeds")) == snapshot
    assert "".join(size_section(curve)).count("|") > 0
    assert len(figure_of(curve).axes) == 1
    assert sizes_figure({"arms": []}) is None
