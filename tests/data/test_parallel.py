"""Threads that work ahead. Oracle: the built-in map."""

import threading
from collections.abc import Iterator

import pytest

from cnnrun.data.parallel import BATCHES_AHEAD, ITEMS_AT_ONCE, map_in_threads


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 1000])
def test_results_in_the_order_of_items(count: int) -> None:
    assert list(map_in_threads(str, range(count))) == list(map(str, range(count)))


def test_items_are_taken_as_results_are() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100_000):
            taken += 1
            yield item

    results = map_in_threads(str, items())
    next(results)
    ahead = taken
    results.close()  # type: ignore[attr-defined]

    assert ahead <= 256 * BATCHES_AHEAD * ITEMS_AT_ONCE
    assert ahead < 100_000


def test_an_error_comes_out_and_threads_end() -> None:
    def fail(item: int) -> int:
        if item == 500:
            raise ValueError("item 500")
        return item

    before = threading.active_count()

    with pytest.raises(ValueError, match="item 500"):
        list(map_in_threads(fail, range(1000)))

    assert threading.active_count() == before
