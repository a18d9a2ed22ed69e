"""The order in which an epoch visits images."""

import numpy as np
import numpy.typing as npt

from cnnrun.randomness import random_bits


def epoch_order(ids: npt.NDArray[np.uint64], *, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order in which an epoch visits images.

    Returns:
        `(images,)`, a permutation of positions in `ids`. Leaving images out leaves the others in
        their order.
    """
    bits = random_bits(ids, seed=seed, epoch=epoch, stream="order")
    # Stable, so that images with one id (names that differ in Unicode form alone) cannot change
    # places with the sorting routine that a processor offers.
    return np.argsort(bits, kind="stable").astype(np.int64, copy=False)
