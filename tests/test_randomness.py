"""Numbers that depend on names alone. Oracles: splitmix64 in Python integers; SciPy."""

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cnnrun.data.manifest import image_ids
from cnnrun.randomness import random_bits, uniform_numbers

IDS = image_ids(f"class/{number}.png" for number in range(20_000))
MASK = 2**64 - 1


def scramble(bits: int) -> int:
    """The finalizer of splitmix64 as its authors print it."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
    return bits ^ (bits >> 31)


@given(
    identity=st.integers(0, MASK),
    seed=st.integers(0, 2**63),
    epoch=st.integers(0, 10_000),
    stream=st.text(max_size=10),
)
def test_bits_equal_splitmix64_in_python_integers(
    identity: int, seed: int, epoch: int, stream: str
) -> None:
    key = blake2b(f"{stream}\0{seed}\0{epoch}".encode(), digest_size=16).digest()
    first, second = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    expected = scramble(scramble((identity + first) & MASK) ^ second)

    bits = random_bits(np.array([identity], np.uint64), seed=seed, epoch=epoch, stream=stream)

    assert bits.tolist() == [expected]


def test_bits_are_the_same_on_every_machine() -> None:
    ids = image_ids(["a.png", "b.png"])

    assert random_bits(ids, seed=0, epoch=0, stream="order").tolist() == [
        14491118257480158192,
        275157221048256741,
    ]


@pytest.mark.parametrize("bit", [0, 1, 17, 31, 32, 62, 63])
def test_every_bit_is_a_fair_coin(bit: int) -> None:
    bits = random_bits(IDS, seed=3, epoch=1, stream="flip")

    ones = int(((bits >> np.uint64(bit)) & np.uint64(1)).sum())

    assert stats.binomtest(ones, len(IDS)).pvalue > 1e-4


def test_draws_are_uniform() -> None:
    draws = random_bits(IDS, seed=3, epoch=1, stream="flip") / 2.0**64

    assert stats.kstest(draws, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1, "epoch": 0, "stream": "order"},
        {"seed": 0, "epoch": 1, "stream": "order"},
        {"seed": 0, "epoch": 0, "stream": "flip"},
        {"seed": 1, "epoch": 1, "stream": "order"},
    ],
    ids=["seed", "epoch", "stream", "seed-and-epoch"],
)
def test_another_seed_epoch_or_stream_is_independent(other: dict[str, object]) -> None:
    one = random_bits(IDS, seed=0, epoch=0, stream="order")

    two = random_bits(IDS, **other)  # type: ignore[arg-type]

    assert not np.any(one == two)
    assert stats.pearsonr(one / 2.0**64, two / 2.0**64).pvalue > 1e-3


def test_neighbouring_ids_are_independent() -> None:
    bits = random_bits(np.arange(20_000, dtype=np.uint64), seed=0, epoch=0, stream="order")

    assert stats.pearsonr(bits[:-1] / 2.0**64, bits[1:] / 2.0**64).pvalue > 1e-3


def test_numbers_are_the_first_53_bits_of_a_fraction() -> None:
    bits = random_bits(IDS, seed=0, epoch=0, stream="zoom")

    numbers = uniform_numbers(IDS, seed=0, epoch=0, stream="zoom")

    assert numbers.dtype == np.float64
    assert numbers.tolist() == [(int(each) >> 11) / 2**53 for each in bits]
    assert numbers.max() < 1
