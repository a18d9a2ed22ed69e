"""Trials that are known before the first of them has ended: random ones, and ones spread evenly."""

import math
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from scipy.stats.qmc import Sobol

from cnnrun.search.axes import Axis, Value, Values

_MOST_DOUBLINGS = 6
"""So often a longer sequence is drawn where values come twice."""


def number_of_configs(axes: Sequence[Axis]) -> float:
    """How many different configs there are; infinite where a number need not be whole."""
    return math.prod(axis.number_of_values for axis in axes)


def first_trials(
    axes: Sequence[Axis], *, number: int, is_random: bool, seed: int
) -> tuple[Values, ...]:
    """So many different trials, or all that there are where these are fewer.

    The first ones are the same however many are asked for.

    Args:
        axes: what is searched.
        number: how many trials are wanted.
        is_random: whether they are drawn, or else spread evenly: a scrambled Sobol sequence (Owen
            1998, Scrambling Sobol' and Niederreiter-Xing points).
        seed: of the scrambling, or of the draws.
    """
    found: dict[tuple[object, ...], Values] = {}
    start = max(1, math.ceil(math.log2(number)))
    for doublings in range(start, start + _MOST_DOUBLINGS):
        for shares in _shares(len(axes), doublings=doublings, is_random=is_random, seed=seed):
            drawn = {axis.name: axis.at(share) for axis, share in zip(axes, shares, strict=True)}
            found.setdefault(tuple(drawn.values()), drawn)
            if len(found) == number:
                return tuple(found.values())
    if math.isfinite(number_of_configs(axes)):
        for each in every_config(axes):
            found.setdefault(tuple(each.values()), each)
    return tuple(found.values())[:number]


def every_config(axes: Sequence[Axis]) -> Iterator[Values]:
    """All values of countable axes, the last one varying fastest."""
    values: list[list[Value]] = [
        [*axis.choices] if axis.choices else [*range(int(axis.low), int(axis.high) + 1)]
        for axis in axes
    ]
    for each in product(*values):
        yield dict(zip((axis.name for axis in axes), each, strict=True))


def _shares(axes: int, *, doublings: int, is_random: bool, seed: int) -> np.ndarray:
    """Points between 0 and 1, `(2 ** doublings, axes)`."""
    random = np.random.default_rng(seed)
    if is_random:
        return random.random((2**doublings, axes))
    return np.asarray(Sobol(axes, scramble=True, rng=random).random_base2(doublings))
