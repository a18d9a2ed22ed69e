"""Agreement of two networks. Oracles: counting by hand, and a simulation of the interval."""

import numpy as np
import pytest

from cnnrun.export.gate import agreement


def answers(*classes: int) -> np.ndarray:
    return np.eye(3)[list(classes)] * 0.8 + 0.05


def test_answers_are_counted_image_by_image() -> None:
    found = agreement(
        answers(0, 1, 2, 2), answers(0, 1, 1, 0), np.array([0, 1, 2, 0]), split="test"
    )
    assert found.top1 == 0.5
    assert (found.accuracy, found.keras_accuracy) == (0.75, 0.75)
    assert found.difference == 0
    assert found.largest_difference == pytest.approx(0.8)
    low, high = found.difference_interval
    assert low < 0 < high


def test_without_any_difference_the_interval_is_what_so_few_images_can_tell() -> None:
    """Oracle: Wilson's bound for none of 100."""
    same = answers(*[0] * 100)
    found = agreement(same, same, np.zeros(100, int), split="test")
    assert found.difference_interval == pytest.approx((-0.037, 0.037), abs=1e-3)
    assert found.largest_difference == 0


def test_a_network_that_gives_no_numbers_agrees_with_nothing() -> None:
    broken = answers(0, 1)
    broken[0] = np.nan
    found = agreement(broken, answers(0, 1), np.array([0, 1]), split="test")
    assert found.top1 == 0
    assert found.largest_difference == np.inf


def test_the_interval_covers_the_true_difference() -> None:
    """Oracle: 300 draws of 400 images, of which 5 % are lost by the export and 2 % won."""
    random = np.random.default_rng(0)
    labels = np.zeros(400, int)
    covered = 0
    for _ in range(300):
        lost, won = random.random(400) < 0.05, random.random(400) < 0.02
        won &= ~lost
        exported, keras = np.where(lost, 1, 0), np.where(won, 1, 0)
        low, high = agreement(
            answers(*exported), answers(*keras), labels, split="test"
        ).difference_interval
        covered += low <= -(0.05 - 0.95 * 0.02) <= high
    assert covered / 300 > 0.92
