"""Labels and sample weights of images that are mixed of several."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mixed_targets(
    targets: NDArray[np.float32], shares: NDArray[np.float32], weights: NDArray[Any] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Labels and sample weights of mixed images, each part of which weighs what its image weighs.

    For a loss that is linear in the labels, as cross-entropy is, an image's loss times its weight
    is the sum of its parts' losses, each times its share and its own image's weight.

    Args:
        targets: `(images, parts, classes)`, one-hot rows, or `(images, parts, 1)`.
        shares: `(images, parts)`, which sum to 1 for an image.
        weights: `(images, parts)`, the sample weights; None if all are 1.

    Returns:
        Labels `(images, classes)`, or `(images, 1)`, and weights `(images,)`.
    """
    weighed = shares if weights is None else shares * weights.astype(np.float32)
    totals = weighed.sum(axis=1, keepdims=True)
    # An image of no weight keeps a label, which nothing is compared with.
    parts = np.divide(weighed, totals, out=shares.copy(), where=totals > 0)
    labels: NDArray[np.float32] = np.einsum("ip,ipc->ic", parts, targets, dtype=np.float32)
    return labels, totals[:, 0]


def mixed_label_matrix(
    targets: NDArray[np.float32], shares: NDArray[np.float32], weights: NDArray[Any] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Several labels, and their sample weights, of mixed images: each label as `mixed_targets` has.

    A label is unknown of the mixed image where it is of an image that has a share in it.

    Args:
        targets: `(images, parts, labels)` of 1, 0, and -1 for unknown.
        shares: `(images, parts)`, which sum to 1 for an image.
        weights: `(images, parts, labels)`, the sample weights; None if all are 1.

    Returns:
        Labels from 0 to 1, or -1, and weights, `(images, labels)` each.
    """
    of_label = shares[:, :, None]
    is_unknown = ((targets < 0) & (of_label > 0)).any(axis=1)
    weighed = of_label if weights is None else of_label * weights.astype(np.float32)
    totals = np.broadcast_to(weighed.sum(axis=1), is_unknown.shape)
    even = np.broadcast_to(of_label, targets.shape).astype(np.float32)
    parts = np.divide(weighed, totals[:, None], out=even, where=totals[:, None] > 0)
    mixed = (parts * np.maximum(targets, 0)).sum(axis=1)
    return np.where(is_unknown, np.float32(-1), mixed), totals.astype(np.float32)
