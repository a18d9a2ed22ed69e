"""Whether a map shows what the network has learnt, or only what is in the image.

The cascading randomization of Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018,
arXiv:1810.03292): from the last layer on, layer after layer loses what it has learnt, and the map
is compared with that of the trained network by its rank correlation. A map that stays as it was
does not depend on the weights. A layer loses what it has learnt by its weights being shuffled,
tensor by tensor: their sizes stay those of the trained network, so that nothing vanishes or
overflows.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.explanation.network import ExplainedNetwork

_MOST_STEPS: Final = 8
_FEWEST_PLACES: Final = 12
_LITTLE: Final = 0.3
_MUCH: Final = 0.6
DRAWS: Final = 3
"""How often all of it is done, with other shuffles."""

Maps = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Step:
    """The maps when some layers have lost what they had learnt.

    Attributes:
        until: the layer that lost it last; all after it have before.
        correlation: with the trained network's maps: the mean over images and shuffles; None where
            no image has a map that differs from place to place.
        by_shuffle: of each shuffle by itself.
        maps: with the first shuffle, `(images, rows, columns)`.
    """

    until: str
    correlation: float | None
    by_shuffle: tuple[float | None, ...]
    maps: Maps


def randomize_by_layers(
    network: ExplainedNetwork, make_maps: Callable[[], Maps]
) -> tuple[Step, ...]:
    """What becomes of maps from the last layer to the first; the weights are put back in the end.

    Args:
        network: the network.
        make_maps: makes the maps `(images, rows, columns)` with the weights that it has then.
    """
    groups = _groups(network)
    trained = make_maps()
    found: list[list[Maps]] = [[] for _ in groups]
    for draw in range(DRAWS):
        random = np.random.default_rng(draw)
        with _put_back(groups):
            for number, group in enumerate(groups):
                for variable in _weights(group):
                    values = np.asarray(variable.numpy())
                    variable.assign(random.permuted(values.ravel()).reshape(values.shape))
                found[number].append(make_maps())
    return tuple(
        _step(group[-1].name, trained, maps) for group, maps in zip(groups, found, strict=True)
    )


def _groups(network: ExplainedNetwork) -> list[list[Any]]:
    """The layers that learn, the last one first, in a few groups of as many each."""
    whole = network.until(network.scores)
    layers = [
        layer for layer in reversed(whole.layers) if layer.weights and layer.name in network.names
    ]
    steps = min(_MOST_STEPS, len(layers))
    bounds = np.linspace(0, len(layers), steps + 1).round().astype(int)
    return [layers[begin:end] for begin, end in pairwise(bounds)]


def _weights(layers: Sequence[Any]) -> Iterator[Any]:
    return (weight for layer in layers for weight in layer.weights)


@contextmanager
def _put_back(groups: Sequence[Sequence[Any]]) -> Iterator[None]:
    """Weights that change within the block are as before after it."""
    kept = [(weight, weight.numpy()) for group in groups for weight in _weights(group)]
    try:
        yield
    finally:
        for weight, values in kept:
            weight.assign(values)


def _step(until: str, trained: Maps, maps: Sequence[Maps]) -> Step:
    by_shuffle = tuple(_mean(_correlations(trained, each)) for each in maps)
    return Step(
        until=until,
        correlation=_mean([each for each in by_shuffle if each is not None]),
        by_shuffle=by_shuffle,
        maps=maps[0],
    )


def _correlations(trained: Maps, maps: Maps) -> list[float]:
    """Of the images whose maps both differ from place to place."""
    from scipy.stats import spearmanr  # loads for half a second, for what is seldom asked for

    return [
        float(spearmanr(first.ravel(), second.ravel()).statistic)
        for first, second in zip(trained, maps, strict=True)
        if np.ptp(first) > 0 and np.ptp(second) > 0
    ]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def verdict(steps: Sequence[Step], *, places: int) -> str:
    """The answer in a sentence, with its number."""
    end = steps[-1].correlation
    if end is None:
        return (
            "the check says nothing: with shuffled weights no map differs from place to place, or"
            " the trained network's do not"
        )
    number = (
        "with all weights shuffled, the maps' rank correlation with the trained network's is"
        f" {end:.2f}"
    )
    if places < _FEWEST_PLACES:
        return f"{number}; over {places} places, that says little"
    if abs(end) < _LITTLE:
        return f"{number}: they show what the network has learnt"
    if abs(end) < _MUCH:
        return f"{number}: they show in part what the network has learnt, in part the image alone"
    return f"{number}: they show the image more than what the network has learnt"
