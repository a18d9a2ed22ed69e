"""Scores of labels. Oracles: scikit-learn on what is known, and a simulation of the interval."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss

from cnnrun.calibration.calibration_error import calibration_error, reliability_bins
from cnnrun.calibration.label_probability_scores import score_log_odds


def drawn(images: int, *, off: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds and labels that go together in an image and are there less often by `off`."""
    random = np.random.default_rng(seed)
    probabilities = np.broadcast_to(random.uniform(0.2, 0.9, (images, 1)), (images, 5))
    # The same draw for all labels of an image: they have all or none of them.
    labels = (random.random((images, 1)) < probabilities - off).astype(np.int32)
    return np.log(probabilities / (1 - probabilities)), labels


def test_numbers_are_those_of_scikit_learn_on_what_is_known() -> None:
    log_odds, labels = drawn(300, off=0.1)
    labels = np.array(labels)
    labels[np.random.default_rng(1).random(labels.shape) < 0.3] = -1
    rows = (labels >= 0).any(axis=1)
    log_odds, labels = log_odds[rows], labels[rows]
    scores = score_log_odds(log_odds, labels)
    for label, each in enumerate(scores.of_labels):
        assert each is not None
        known = labels[:, label] >= 0
        given, truth = expit(log_odds[known, label]), labels[known, label]
        assert each.log_loss == pytest.approx(log_loss(truth, given))
        assert each.brier == pytest.approx(brier_score_loss(truth, given))
        error = calibration_error(reliability_bins(given, truth == 1))
        assert each.error.value == pytest.approx(error.value)
    own = [
        log_loss(truth[truth >= 0], expit(given[truth >= 0]), labels=[0, 1])
        for given, truth in zip(log_odds, labels, strict=True)
    ]
    assert scores.log_loss == pytest.approx(np.mean(own))
    errors = [each.error for each in scores.of_labels if each is not None]
    assert scores.error.value == pytest.approx(np.mean([each.value for each in errors]))
    assert scores.error.debiased_square == pytest.approx(
        np.mean([each.debiased_square for each in errors])
    )


def test_a_label_of_which_nothing_is_known_counts_nothing() -> None:
    log_odds, labels = drawn(50, off=0.1)
    labels = np.concatenate([labels, np.full((50, 1), -1, np.int32)], axis=1)
    scores = score_log_odds(np.concatenate([log_odds, log_odds[:, :1]], axis=1), labels)
    assert scores.of_labels[5] is None
    without = score_log_odds(log_odds, labels[:, :5])
    assert scores.log_loss == pytest.approx(without.log_loss)
    assert scores.error.interval == pytest.approx(without.error.interval)


@pytest.mark.parametrize("off", [0.0, 0.1])
def test_the_interval_keeps_images_whole(off: float) -> None:
    """Oracle: a simulation, at least 94 %; five labels that stand together tell no more than one.

    The interval of independent labels would be narrower, and hold fewer.
    """
    held, widths, of_one = 0, [], []
    for seed in range(200):
        scores = score_log_odds(*drawn(300, off=off, seed=seed))
        low, high = scores.error.interval
        held += low <= off <= high
        widths.append(high - low)
        one = scores.of_labels[0]
        assert one is not None
        of_one.append(one.error.interval[1] - one.error.interval[0])
    assert held / 200 >= 0.94
    assert np.mean(widths) > 0.9 * np.mean(of_one)
