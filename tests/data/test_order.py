"""Orders that depend on names alone: what holds for every permutation and every subset."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.data.manifest import image_ids
from cnnrun.data.order import epoch_order

IDS = image_ids(f"class/{number}.png" for number in range(20_000))


def test_ids_are_left_as_they_were() -> None:
    before = IDS.copy()

    epoch_order(IDS, seed=0, epoch=0)

    assert np.array_equal(IDS, before)


def test_an_order_is_a_permutation() -> None:
    order = epoch_order(IDS, seed=5, epoch=2)

    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(len(IDS)))


def test_images_change_places_from_epoch_to_epoch() -> None:
    first, second = (epoch_order(IDS, seed=5, epoch=epoch) for epoch in (0, 1))

    # The number of fixed points of a random permutation has mean 1 and variance 1.
    assert np.sum(first == second) < 12


@given(seed=st.integers(0, 1000), kept=st.sets(st.integers(0, 99), min_size=1))
def test_images_left_out_leave_the_others_in_their_order(seed: int, kept: set[int]) -> None:
    rows = np.array(sorted(kept))

    whole = epoch_order(IDS[:100], seed=seed, epoch=0)
    part = rows[epoch_order(IDS[rows], seed=seed, epoch=0)]

    assert part.tolist() == [row for row in whole.tolist() if row in kept]


@given(st.permutations(range(30)))
def test_the_order_does_not_depend_on_how_rows_are_listed(listing: list[int]) -> None:
    rows = np.array(listing)

    visited = IDS[:30][epoch_order(IDS[:30], seed=1, epoch=1)]
    visited_elsewhere = IDS[rows][epoch_order(IDS[rows], seed=1, epoch=1)]

    assert np.array_equal(visited, visited_elsewhere)
