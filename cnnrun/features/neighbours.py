"""The images whose features are nearest to each image's, from an index of clusters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

# Up to so many images one cluster holds all. Beyond, an image is compared with those of its nearest
# clusters, so that the work grows as the square root of the images' number for each of them.
ONE_CLUSTER_UP_TO = 4000
CLUSTERS_LOOKED_AT = 8
FITTED_TO_AT_MOST = 20_000


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest images of each image, the nearest first.

    Attributes:
        places: `(images, neighbours)`; -1 where there are no more.
        distances: `(images, neighbours)`, one less the cosine; infinite where there are no more.
    """

    places: NDArray[np.int64]
    distances: NDArray[np.float32]


def nearest_images(features: NDArray[np.float32], *, neighbours: int) -> Neighbours:
    """The nearest images of each, by the cosine of their features.

    Args:
        features: `(images, numbers)`.
        neighbours: how many are wanted.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    vectors = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    images = len(vectors)
    places = np.full((images, neighbours), -1, np.int64)
    distances = np.full((images, neighbours), np.inf, np.float32)
    cluster, centres = _clusters(vectors)
    order = np.argsort(cluster, kind="stable")
    begins = np.searchsorted(cluster[order], np.arange(len(centres) + 1))
    near_centres = np.argsort(-(centres @ centres.T), axis=1)[:, :CLUSTERS_LOOKED_AT]
    for number in range(len(centres)):
        members = order[begins[number] : begins[number + 1]]
        candidates = np.concatenate(
            [order[begins[each] : begins[each + 1]] for each in near_centres[number]]
        )
        if not len(members) or len(candidates) < 2:
            continue
        apart = 1 - vectors[members] @ vectors[candidates].T
        apart[members[:, None] == candidates] = np.inf
        wanted = min(neighbours, len(candidates) - 1)
        best = np.argpartition(apart, wanted - 1, axis=1)[:, :wanted]
        best = np.take_along_axis(
            best, np.argsort(np.take_along_axis(apart, best, axis=1), axis=1), axis=1
        )
        places[members, :wanted] = candidates[best]
        distances[members, :wanted] = np.take_along_axis(apart, best, axis=1)
    return Neighbours(places, np.maximum(distances, 0))


def _clusters(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each image's cluster, and the clusters' centres."""
    if len(vectors) <= ONE_CLUSTER_UP_TO:
        centre = vectors.mean(axis=0, keepdims=True)
        return np.zeros(len(vectors), np.int64), centre
    means = MiniBatchKMeans(round(len(vectors) ** 0.5), random_state=0, n_init=1)
    random = np.random.default_rng(0)
    sample = random.permutation(len(vectors))[:FITTED_TO_AT_MOST]
    means.fit(vectors[sample])
    return means.predict(vectors).astype(np.int64), means.cluster_centers_.astype(np.float32)
