"""Whom images are mixed with: those behind them in the epoch's order."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.layer import Partners, Rows
from cnnrun.data.order import epoch_order


def partners_in_order(training: Rows, ids: NDArray[np.uint64], *, seed: int) -> Partners:
    """A function to the rows that stand some places behind others in an epoch's order.

    Behind the last image comes the first one.

    Args:
        training: the rows that train.
        ids: the manifest's ids, `(images,)`.
        seed: the run's seed.
    """

    # An epoch's order, and the next one's while its first batches are read ahead.
    @lru_cache(maxsize=2)
    def order_of(epoch: int) -> tuple[Rows, Rows]:
        order = training[epoch_order(ids[training], seed=seed, epoch=epoch)]
        place_of = np.full(len(ids), -1, np.int64)
        place_of[order] = np.arange(len(order))
        return order, place_of

    def partners(rows: Rows, epoch: int, places: int) -> Rows:
        order, place_of = order_of(epoch)
        found: Rows = order[(place_of[rows] + places) % len(order)]
        return found

    return partners
