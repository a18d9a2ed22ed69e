"""The check of maps by shuffled weights (Adebayo et al. 2018)."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import spearmanr

from cnnrun.explanation.grad_cam import grad_cam
from cnnrun.explanation.network import explained_network
from cnnrun.explanation.sanity_check import DRAWS, Step, randomize_by_layers, verdict

CLASSES = [0, 3, 4, 1]


def test_layers_lose_what_they_had_learnt_one_after_another(make_network, pixels) -> None:
    """Oracle: SciPy's rank correlation of the trained map with the one of the first shuffle."""
    model = make_network("pooled")
    network = explained_network(model, of_labels=False)
    maps = partial(grad_cam, network, network.layer("norm"), pixels, CLASSES)
    trained = maps()
    before = [weights.copy() for weights in model.get_weights()]
    steps = randomize_by_layers(network, maps)
    assert [step.until for step in steps] == ["end", "hidden", "norm", "right", "left", "first"]
    for step in steps:
        of_images = [
            spearmanr(first.ravel(), second.ravel()).statistic
            for first, second in zip(trained, step.maps, strict=True)
            if np.ptp(second)
        ]
        assert step.by_shuffle[0] == pytest.approx(np.mean(of_images))
        assert len(step.by_shuffle) == DRAWS
        assert step.correlation < 0.99
    np.testing.assert_array_equal(maps(), trained)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_map_that_weights_do_not_change_is_found_out(make_network, pixels) -> None:
    """Oracle: a network of equal weights, which no shuffle changes."""
    model = make_network("pooled")
    model.set_weights([np.full_like(each, 0.1) for each in model.get_weights()])
    network = explained_network(model, of_labels=False)
    maps = partial(grad_cam, network, network.layer("norm"), pixels, CLASSES)
    steps = randomize_by_layers(network, maps)
    assert [step.correlation for step in steps] == pytest.approx([1.0] * len(steps))


@pytest.mark.parametrize(
    ("end", "places"), [(0.05, 49), (-0.45, 49), (0.9, 49), (0.05, 4), (None, 49)]
)
def test_the_verdict_in_words(end, places, snapshot) -> None:
    step = Step("first", end, (end,) * DRAWS, np.zeros((1, 7, 7), np.float32))
    assert verdict([step], places=places) == snapshot
