"""The confusion matrix is readable from 2 to hundreds of classes."""

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.plots.confusion import confusion_matrix


def counts_of(classes: int) -> np.ndarray:
    """Ten images a class, of which one goes to the next class."""
    same = np.eye(classes, dtype=np.int64)
    return 9 * same + np.roll(same, 1, axis=1)


def test_small_matrices_hold_their_counts(texts_of, snapshot: SnapshotAssertion) -> None:
    counts = np.array([[1024, 3], [0, 20]])
    figure = confusion_matrix(counts, classes=["cat", "dog"])
    assert texts_of(figure) == snapshot
    assert [text.get_text() for text in figure.axes[0].texts] == ["1024", "3", "20"]


def test_rows_are_true_classes_and_colours_their_shares() -> None:
    figure = confusion_matrix(np.array([[3, 1], [0, 0]]), classes=["cat", "dog"])
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["cat", "dog"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("predicted", "true")


def test_large_matrices_name_what_is_confused(texts_of, snapshot: SnapshotAssertion) -> None:
    counts = counts_of(30)
    counts[4, 7] = 99
    figure = confusion_matrix(counts, classes=[f"class {number}" for number in range(30)])
    assert texts_of(figure)[-1] == snapshot
    right = confusion_matrix(np.eye(30, dtype=int), classes=[str(n) for n in range(30)])
    assert texts_of(right)[-1] == snapshot(name="nothing")


@pytest.mark.parametrize("classes", [1, 2, 25, 26, 100, 130])
def test_any_number_of_classes_can_be_drawn(classes: int, pixels_of) -> None:
    names = [f"a very long name of class number {number}" for number in range(classes)]
    drawn = pixels_of(confusion_matrix(counts_of(classes), classes=names))
    assert max(drawn.shape) < 1000, "a figure of at most 20 inches"


def test_every_script_and_sign_can_be_drawn(pixels_of) -> None:
    names = ["猫", "собака", "🐟", "$x$", "a\nb", "\\frac{", "عربى", "\x07", "_hidden", ""]
    pixels_of(confusion_matrix(counts_of(len(names)), classes=names))


def test_no_images_at_all(pixels_of) -> None:
    pixels_of(confusion_matrix(np.zeros((2, 2), dtype=int), classes=["cat", "dog"]))
