"""What standardization needs to know of the training images, in one pass over them.

The numbers are those of Keras's `ImageDataGenerator.fit` (keras.src.legacy.preprocessing.image):
statistics of the rescaled pixels, before any preprocessing function and any samplewise step. It
needs all images in memory at once; here they stream through in batches whose sums are merged in
float64, after Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
Sample Variances" (1979).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.config.preprocess_rules import whitening_refusal
from cnnrun.data.images import ImageStore
from cnnrun.errors import ConfigError, Problem

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

# Much longer batches do not make the products faster, and this much float64 is held three times.
BATCH_BYTES = 16 * 2**20


@dataclass(frozen=True, eq=False)
class FittedStatistics:
    """Statistics of the rescaled training images.

    Attributes:
        images: how many there were.
        mean: of each channel over all images and positions, `(channels,)`.
        std: the standard deviation likewise, `(channels,)`.
        zca_matrix: `(features, features)`, features being height * width * channels, which a
            flattened image less `mean` is multiplied with from the right; None unless wanted.
    """

    images: int
    mean: Floats
    std: Floats
    zca_matrix: Floats | None


def fit_statistics(
    store: ImageStore, rows: Rows, *, rescale: float, zca_epsilon: float | None
) -> FittedStatistics:
    """Statistics of some images, read once, a batch at a time.

    Args:
        store: the decoded images.
        rows: rows of the manifest, `(images,)`, at least one: those that train.
        rescale: what pixels are multiplied with beforehand.
        zca_epsilon: what is added to each singular value in ZCA; None for no ZCA.

    Raises:
        ConfigError: the images are too large for ZCA.
        DataError: an image cannot be read any more.
    """
    if zca_epsilon is not None:
        refuse_large_whitening(store.shape)
    channels, features = store.shape[-1], int(np.prod(store.shape))
    values = Moments.of_nothing(channels, with_products=False)
    images = None if zca_epsilon is None else Moments.of_nothing(features, with_products=True)
    for batch in _batches(store, rows):
        values.add(batch.reshape(-1, channels))  # (images * height * width, channels)
        if images is not None:
            images.add(batch.reshape(-1, features))  # (images, features)
    zca_matrix = None
    if images is not None and zca_epsilon is not None:
        zca_matrix = _zca_matrix(images, center=values.mean, rescale=rescale, epsilon=zca_epsilon)
    return FittedStatistics(
        images=len(rows),
        mean=values.mean * rescale,
        std=np.sqrt(values.scatter / values.count) * abs(rescale),
        zca_matrix=zca_matrix,
    )


def refuse_large_whitening(shape: tuple[int, int, int]) -> None:
    """Raise if ZCA of images of (height, width, channels) takes more memory than it may.

    Raises:
        ConfigError: so it is.
    """
    refusal = whitening_refusal(shape)
    if refusal is not None:
        raise ConfigError([Problem(None, "preprocess.zca_whitening", *refusal)])


@dataclass
class Moments:
    """The mean and the spread of the vectors seen so far.

    Attributes:
        count: how many vectors.
        mean: `(features,)`.
        scatter: sums of squared differences from the mean, `(features,)`; or of the products of
            all pairs of them, `(features, features)`.
    """

    count: int
    mean: Floats
    scatter: Floats

    @classmethod
    def of_nothing(cls, features: int, *, with_products: bool) -> "Moments":
        """The start; with products, the scatter is a matrix."""
        shape = (features, features) if with_products else (features,)
        return cls(0, np.zeros(features), np.zeros(shape))

    def add(self, vectors: Floats) -> None:
        """Take in `(vectors, features)`."""
        mean = vectors.mean(axis=0)
        centred = vectors - mean
        difference = mean - self.mean
        total = self.count + len(vectors)
        weight = self.count * len(vectors) / total
        if self.scatter.ndim == 2:
            self.scatter += centred.T @ centred
            self.scatter += np.outer(weight * difference, difference)
        else:
            self.scatter += np.square(centred).sum(axis=0) + weight * np.square(difference)
        self.mean = self.mean + difference * (len(vectors) / total)
        self.count = total


def _batches(store: ImageStore, rows: Rows) -> Iterator[Floats]:
    """The images in order, `(images, height, width, channels)`, in batches of about one size."""
    size = max(1, BATCH_BYTES // (8 * int(np.prod(store.shape))))
    for start in range(0, len(rows), size):
        pixels: NDArray[Any] = store.read(rows[start : start + size])
        yield pixels.astype(np.float64)


def _zca_matrix(images: Moments, *, center: Floats, rescale: float, epsilon: float) -> Floats:
    """U diag(sqrt(n) / (s + epsilon)) U^T, from the singular values s of the centred images X.

    Keras decomposes X itself, `(images, features)`, less the mean of each channel. Here
    X^T X = U diag(s^2) U^T is decomposed, whose size does not depend on how many images there are.
    Directions in which the images do not differ are left out (s^2 is zero up to rounding), as Keras
    leaves them out where there are fewer images than features; it would blow up their rounding
    errors to the size of the picture.
    """
    # The scatter is about the mean of each position; X is about that of each channel.
    offset = images.mean - np.tile(center, len(images.mean) // len(center))
    images.scatter += np.outer(images.count * offset, offset)
    squares, directions = np.linalg.eigh(images.scatter)
    resolution = squares[-1] * len(squares) * np.finfo(np.float64).eps
    is_seen = squares > resolution
    singular = np.sqrt(squares[is_seen]) * abs(rescale)
    directions = directions[:, is_seen]
    scales = np.sqrt(images.count) / (singular + epsilon)
    matrix: Floats = (directions * scales) @ directions.T
    return matrix
