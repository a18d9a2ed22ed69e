"""Where trials lie. The oracles: SciPy's own sequence, counting, and the ends of the ranges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.qmc import Sobol

from cnnrun.config.yaml_tree import ScalarNode
from cnnrun.errors import Position
from cnnrun.search.axes import Axis
from cnnrun.search.sampling import first_trials, number_of_configs

HERE = Position("--over", 1, 1, "")


def rate(low: float = 1e-4, high: float = 1e-1) -> Axis:
    return Axis(name="rate", address="rate", position=HERE, low=low, high=high, is_logarithmic=True)


def width(low: int = 8, high: int = 64, *, is_logarithmic: bool = False) -> Axis:
    return Axis(
        name="width",
        address="width",
        position=HERE,
        low=low,
        high=high,
        is_integer=True,
        is_logarithmic=is_logarithmic,
    )


def choice(*names: str) -> Axis:
    nodes = {name: ScalarNode(HERE, name, name) for name in names}
    return Axis(name="choice", address="choice", position=HERE, choices=nodes)


@pytest.mark.parametrize("is_random", [False, True])
@given(number=st.integers(2, 40), seed=st.integers(0, 2**32 - 1))
def test_trials_differ_stay_within_and_begin_alike(is_random: bool, number: int, seed: int) -> None:
    axes = [rate(), width(is_logarithmic=True), choice("a", "b", "c")]
    found = first_trials(axes, number=number, is_random=is_random, seed=seed)
    assert len({tuple(each.values()) for each in found}) == number
    for each in found:
        assert 1e-4 <= float(each["rate"]) <= 1e-1
        assert isinstance(each["width"], int)
        assert 8 <= each["width"] <= 64
        assert each["choice"] in ("a", "b", "c")
    more = first_trials(axes, number=number + 5, is_random=is_random, seed=seed)
    assert more[:number] == found


def test_an_even_spread_is_scipys() -> None:
    found = first_trials([rate(1e-4, 1e-2)], number=8, is_random=False, seed=5)
    sequence = Sobol(1, scramble=True, rng=np.random.default_rng(5)).random(8)[:, 0]
    places = [math.log(float(each["rate"]) / 1e-4) / math.log(1e2) for each in found]
    np.testing.assert_allclose(places, sequence, atol=2e-3)
    # One in each eighth, which eight draws hardly ever have.
    assert sorted(int(8 * place) for place in sequence) == list(range(8))


@pytest.mark.parametrize("is_random", [False, True])
def test_where_there_are_fewer_configs_each_is_tried_once(is_random: bool) -> None:
    axes = [width(1, 3), choice("a", "b")]
    assert number_of_configs(axes) == 6
    found = first_trials(axes, number=50, is_random=is_random, seed=0)
    assert sorted(tuple(each.values()) for each in found) == [
        (number, name) for number in (1, 2, 3) for name in ("a", "b")
    ]


def test_each_whole_number_and_each_choice_is_as_likely() -> None:
    shares = (np.arange(6000) + 0.5) / 6000
    counts = np.bincount([int(width(1, 6).at(share)) for share in shares])[1:]
    assert counts.tolist() == [1000] * 6
    names = [choice("a", "b", "c").at(share) for share in shares]
    assert {name: names.count(name) for name in "abc"} == {"a": 2000, "b": 2000, "c": 2000}


def test_ends_are_reached_and_not_left() -> None:
    for axis in (width(8, 9), width(2, 512, is_logarithmic=True)):
        assert axis.at(0.0) == axis.low
        assert axis.at(1 - 1e-12) == axis.high
    narrow = Axis(name="m", address="m", position=HERE, low=0.99990, high=0.99999)
    assert len({narrow.at(share) for share in np.linspace(0, 0.999, 50)}) == 50
    assert narrow.low <= min(float(narrow.at(share)) for share in (0.0, 0.5, 0.999))
