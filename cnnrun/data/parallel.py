"""A function applied to many images by threads, with a bounded number under way."""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Few, so that Ctrl-C waits for no more than these of each thread; several, so that handing over
# costs little beside decoding even the smallest image.
ITEMS_AT_ONCE = 4
BATCHES_AHEAD = 4  # of each thread
# What takes less than this is mostly Python, of which one thread runs at a time: two threads that
# take turns at decoding 8x8 PNGs, 90 us each, need twice the time of one; at 300 us they gain.
QUICK_S = 300e-6
PATIENCE_S = 0.05  # first calls take longer, and so does any on a busy machine


def map_in_threads(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    at_once: int = ITEMS_AT_ONCE,
    threads: int | None = None,
) -> Generator[Result]:
    """The function's results in the order of the items, computed ahead by a thread a processor.

    Pillow, hashing and TensorFlow release the interpreter's lock, so threads do run side by side.
    Items are taken as results are, so neither of them ever stand in memory together. As long as
    items take next to no time, each is computed when it is asked for, by the thread that asks.

    Args:
        function: what is done to each item.
        items: what it is done to.
        at_once: items that a thread takes at a time; 1 if they are large.
        threads: how many there are; None for a thread a processor.
    """
    threads = threads or _processors()
    remaining = iter(items)
    if at_once > 1 and (yield from _while_quick(function, remaining)):
        return
    pending: deque[Future[list[Result]]] = deque()
    executor = ThreadPoolExecutor(threads, thread_name_prefix="cnnrun-data")
    try:
        while batch := list(islice(remaining, at_once)):
            pending.append(executor.submit(_apply, function, batch))
            if len(pending) >= threads * BATCHES_AHEAD:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _while_quick(
    function: Callable[[Item], Result], items: Iterator[Item]
) -> Generator[Result, None, bool]:
    """Results while they take next to no time by and large; whether there are no more items."""
    late = 0.0
    for item in items:
        began = time.perf_counter()
        result = function(item)
        late = max(0.0, late + time.perf_counter() - began - QUICK_S)
        yield result
        if late > PATIENCE_S:
            return False
    return True


def _apply(function: Callable[[Item], Result], batch: list[Item]) -> list[Result]:
    return [function(item) for item in batch]


def _processors() -> int:
    """How many processors this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
