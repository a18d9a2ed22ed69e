"""Copies that were cropped or turned a little: near by their features, and laid over each other."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.data.alignment import likenesses
from cnnrun.features.neighbours import Neighbours

CANDIDATES = 3  # of each image, its nearest
# A copy is nearer than other neighbours are: by this much than the median of those after the third.
NEARER = 0.8
# The correlation from which two pictures are one, laid over each other at 24 x 24. On CIFAR-10, of
# 600 pairs near by features all above it were one picture indeed.
ALIKE = 0.97
COMPARED = 300  # images whose last neighbours tell how alike different pictures are


def copies_by_features(
    near: Neighbours, thumbnails: NDArray[np.uint8]
) -> tuple[tuple[int, int], ...]:
    """Pairs of images that are copies, the lower place first.

    Args:
        near: the nearest images of each, more than CANDIDATES.
        thumbnails: `(images, side, side)` of grey.
    """
    around = np.median(near.distances[:, CANDIDATES:], axis=1)
    pairs: set[tuple[int, int]] = set()
    for rank in range(CANDIDATES):
        others, apart = near.places[:, rank], near.distances[:, rank]
        close = (others >= 0) & (apart < NEARER * np.minimum(around, around[others]))
        for one in np.flatnonzero(close).tolist():
            other = int(others[one])
            pairs.add((min(one, other), max(one, other)))
    ordered = sorted(pairs)
    alike = likenesses(thumbnails, ordered) >= max(ALIKE, _of_different(near, thumbnails))
    return tuple(pair for pair, is_copy in zip(ordered, alike, strict=True) if is_copy)


def _of_different(near: Neighbours, thumbnails: NDArray[np.uint8]) -> float:
    """How alike different pictures of this data are at most: those near each other, not nearest."""
    drawn = np.random.default_rng(0).permutation(len(thumbnails))[:COMPARED].tolist()
    pairs = [(one, int(near.places[one, -1])) for one in drawn if near.places[one, -1] >= 0]
    return float(likenesses(thumbnails, pairs).max()) if pairs else 1.0
