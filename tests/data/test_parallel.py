"""Threads that work ahead. Oracle: the built-in map."""

import threading
import time
from collections.abc import Iterator

import pytest

from cnnrun.data.parallel import BATCHES_AHEAD, ITEMS_AT_ONCE, QUICK_S, map_in_threads


def slowly(item: int) -> int:
    """As an image that is large enough for threads."""
    time.sleep(2 * QUICK_S)
    return item


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

    results = map_in_threads(slowly, items())
    next(results)
    ahead = taken
    results.close()  # type: ignore[attr-defined]

    assert ahead <= 256 * BATCHES_AHEAD * ITEMS_AT_ONCE
    assert ahead < 100_000


def test_an_error_comes_out_and_threads_end() -> None:
    def fail(item: int) -> int:
        if item == 100:
            raise ValueError("item 100")
        return slowly(item)

    before = threading.active_count()

    with pytest.raises(ValueError, match="item 100"):
        list(map_in_threads(fail, range(1000)))

    assert threading.active_count() == before


def test_only_items_that_take_time_are_left_to_threads() -> None:
    """Oracle: the threads' names. Two threads that only run Python are slower than one."""

    def thread_of(seconds: float) -> str:
        if seconds:
            time.sleep(seconds)
        return threading.current_thread().name

    names = list(map_in_threads(thread_of, [0] * 40 + [0.02] * 40, threads=3))

    assert set(names[:40]) == {threading.current_thread().name}
    assert len(set(names[44:])) == 3
    assert threading.current_thread().name not in names[44:]
