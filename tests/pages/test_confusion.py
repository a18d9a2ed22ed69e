"""Oracle: scikit-learn's precision and recall."""

import numpy as np
from sklearn.metrics import precision_score, recall_score

from cnnrun.pages.confusion import class_rows, matrix, most_confused
from cnnrun.pages.shares import percent

COUNTS = {(0, 0): 8, (0, 1): 2, (1, 1): 5, (2, 1): 2, (2, 0): 1}
NAMES = ("cat", "dog", "owl", "yak")


def test_precision_and_recall_are_scikit_learns() -> None:
    pairs = [pair for pair, images in COUNTS.items() for _ in range(images)]
    truth, predicted = np.array(pairs).T
    rows = class_rows(COUNTS, NAMES)
    options = {"labels": [0, 1, 2], "average": None, "zero_division": 0}
    recall = recall_score(truth, predicted, **options)
    precision = precision_score(truth, predicted, **options)
    assert [row.recall for row in rows[:3]] == [percent(each) for each in recall]
    assert [row.precision for row in rows[:2]] == [percent(each) for each in precision[:2]]
    assert [row.images for row in rows] == [10, 5, 3, 0]


def test_a_class_without_images_has_no_shares() -> None:
    assert (class_rows(COUNTS, NAMES)[3].recall, class_rows(COUNTS, NAMES)[2].precision) == ("", "")


def test_mistakes_come_by_their_number() -> None:
    assert most_confused(COUNTS) == [(0, 1, 2), (2, 1, 2), (2, 0, 1)]


def test_shades_rise_with_the_share_of_the_row() -> None:
    cells = matrix({(0, 0): 99, (0, 1): 1, (1, 1): 4}, 2)
    assert [[cell.shade for cell in row] for row in cells] == [[9, 1], [0, 9]]
