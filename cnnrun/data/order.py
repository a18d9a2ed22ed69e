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


def hash_order(
    ids: npt.NDArray[np.uint64], *, seed: int, stream: str = "split"
) -> npt.NDArray[np.int64]:
    """The order of images by a hash of (seed, path), as positions `(images,)`.

    Args:
        ids: the hashes of their paths, `(images,)`.
        seed: of the hash.
        stream: what the order is for.
    """
    bits = random_bits(ids, seed=seed, epoch=0, stream=stream)
    return np.argsort(bits, kind="stable").astype(np.int64, copy=False)
