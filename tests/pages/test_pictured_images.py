"""Which images get a picture. Oracle: plain Python over sorted lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.pages.pictured_images import least_certain, shown_mistakes

seeds = st.integers(0, 10_000)


@given(seed=seeds, images=st.integers(1, 60), classes=st.integers(2, 5), most=st.integers(0, 40))
def test_mistakes_are_the_most_confident_of_every_pair(
    seed: int, images: int, classes: int, most: int
) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([0.5] * classes, images)
    labels = generator.integers(0, classes, images)
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    found = shown_mistakes(probabilities, labels, most=most).tolist()
    by_confidence = sorted(
        (row for row in range(images) if predicted[row] != labels[row]),
        key=lambda row: -confidence[row],
    )
    rounds: dict[int, int] = {}
    seen: dict[tuple[int, int], int] = {}
    for row in by_confidence:
        pair = int(labels[row]), int(predicted[row])
        rounds[row] = seen[pair] = seen.get(pair, -1) + 1
    wanted = set(sorted(by_confidence, key=lambda row: rounds[row])[:most])
    assert found == [row for row in by_confidence if row in wanted]


@given(seed=seeds, images=st.integers(1, 60), most=st.integers(0, 40))
def test_the_least_certain_are_right_ones(seed: int, images: int, most: int) -> None:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([0.5] * 3, images)
    labels = generator.integers(0, 3, images)
    right = [row for row in range(images) if probabilities[row].argmax() == labels[row]]
    ordered = sorted(right, key=lambda row: probabilities[row].max())
    assert least_certain(probabilities, labels, most=most).tolist() == ordered[:most]
