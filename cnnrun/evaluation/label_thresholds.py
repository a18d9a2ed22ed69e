"""From which probability on an image is said to have a label: chosen on validation images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.config.train_section import ThresholdsSpec
from cnnrun.wording import listed

FloatArray = NDArray[np.float64]

UNDECIDED: Final = 0.5
"""The threshold of a label about which the validation images say nothing."""


@dataclass(frozen=True, eq=False)
class ChosenThresholds:
    """Thresholds, and what a person should know about how they came about.

    Attributes:
        values: `(labels,)`.
        images: how many images they were chosen on.
        notes: a sentence each.
    """

    values: FloatArray
    images: int
    notes: tuple[str, ...]


def choose_thresholds(
    probabilities: NDArray[np.floating[Any]],
    labels: NDArray[np.int32],
    *,
    spec: ThresholdsSpec,
    names: Sequence[str],
) -> ChosenThresholds:
    """Thresholds of labels, each halfway between two probabilities of the images.

    Args:
        probabilities: `(images, labels)`, of validation images, perhaps none.
        labels: `(images, labels)` of 1, 0, and -1 for unknown.
        spec: how they are chosen.
        names: the labels' names.
    """
    given = probabilities.astype(np.float64)
    if not len(given):
        note = f"no validation images to choose thresholds on: all are {UNDECIDED:g}"
        return ChosenThresholds(np.full(len(names), UNDECIDED), 0, (note,))
    if not spec.each:
        value, reaches = _best(given.ravel(), labels.ravel(), spec)
        return ChosenThresholds(
            np.full(len(names), UNDECIDED if value is None else value),
            len(given),
            () if reaches else (_unreached(spec, "one threshold for all labels"),),
        )
    found = [_best(given[:, label], labels[:, label], spec) for label in range(len(names))]
    undecided = [name for name, (value, _) in zip(names, found, strict=True) if value is None]
    short = [
        name
        for name, (value, reaches) in zip(names, found, strict=True)
        if value is not None and not reaches
    ]
    notes = []
    if undecided:
        notes.append(
            f"no validation image has {listed(undecided)}: the threshold there is {UNDECIDED:g}"
        )
    if short:
        notes.append(_unreached(spec, listed(short)))
    values = [UNDECIDED if value is None else value for value, _ in found]
    return ChosenThresholds(np.array(values), len(given), tuple(notes))


def _unreached(spec: ThresholdsSpec, whose: str) -> str:
    return (
        f"no threshold has a precision of {spec.at_least:g} on the validation images for {whose}:"
        " the one of the highest precision is taken"
    )


def _best(
    probabilities: FloatArray, labels: NDArray[np.int32], spec: ThresholdsSpec
) -> tuple[float | None, bool]:
    """The threshold, None without a positive; and whether it has the wanted precision."""
    known = labels >= 0
    given, truth = probabilities[known], labels[known] == 1
    if not truth.any():
        return None, True
    order = np.argsort(-given, kind="stable")
    given, truth = given[order], truth[order]
    ends = np.flatnonzero(np.diff(given, append=-np.inf))
    right = np.cumsum(truth)[ends]
    said = ends + 1
    precision = right / said
    if spec.by == "f1":
        best, reaches = int(np.argmax(2 * right / (said + truth.sum()))), True
    else:
        enough = np.flatnonzero(precision >= spec.at_least)
        reaches = bool(len(enough))
        best = int(enough[np.argmax(right[enough])]) if reaches else int(np.argmax(precision))
    below = given[ends[best] + 1] if ends[best] + 1 < len(given) else 0.0
    return float((given[ends[best]] + below) / 2), reaches
