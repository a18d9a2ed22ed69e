"""Pictures that are there more than once, though not with the same pixels.

A copy that was saved again, brightened, mirrored or turned has nearly the same signs of its low
frequencies (a perceptual hash of 255 bits, from a cosine transform of a thumbnail). Candidates come
from an index, so that a hundred thousand images are never all compared with all: images whose
lowest frequencies have the same signs, or the same but for the least certain ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn
from scipy.special import log_ndtr

Bits = npt.NDArray[np.uint8]
Coefficients = npt.NDArray[np.float32]

FREQUENCIES = 16
BITS = FREQUENCIES**2 - 1
# Of the bits, beyond which no pair is taken for copies whatever the data: JPEG at quality 30 and
# brightness by 1.3 change up to 0.2 of CIFAR-10's, and of two different ones 0.3 at least differ.
FURTHEST = 0.22
# Of all pairs of the data, how many are expected to be taken for copies by chance.
FALSE_PAIRS = 0.02
SAMPLED_PAIRS = 200_000
# Two keys of so many low frequencies each, of which the least certain are tried both ways.
KEY_BITS = 22
UNCERTAIN_BITS = 4
COMPARED_AT_MOST = 48  # images with one key; more alike ones than that are no copies but a kind
ROWS_AT_ONCE = 4096
FLAT = 2.0  # levels of standard deviation, below which there is no picture to compare


@dataclass(frozen=True)
class NearCopies:
    """Pairs of images that are nearly the same.

    Attributes:
        pairs: `(pairs, 2)`, numbers of images, the lower first.
        distances: `(pairs,)`, the share of the bits that differ.
        limit: the greatest share that was taken for a copy; below 0 where the images are so alike
            that the hash tells nothing.
    """

    pairs: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float64]
    limit: float


def near_copies(thumbnails: npt.NDArray[np.uint8]) -> NearCopies:
    """Pairs of images that are copies of each other, mirrored, turned or not.

    Args:
        thumbnails: `(images, side, side)` of grey.
    """
    uneven = np.flatnonzero(thumbnails.std(axis=(1, 2)) >= FLAT)
    none = NearCopies(np.empty((0, 2), np.int64), np.empty(0), FURTHEST)
    if len(uneven) < 2:
        return none
    coefficients = _transformed(thumbnails[uneven])
    hashes = _hashed(coefficients)
    limit = _limit(hashes)
    if limit <= 0:
        return NearCopies(none.pairs, none.distances, limit)
    found: dict[tuple[int, int], float] = {}
    for first, second, distances in _compared(coefficients, hashes):
        near = (distances <= limit) & (first != second)
        for one, other, distance in zip(
            uneven[first[near]].tolist(),
            uneven[second[near]].tolist(),
            distances[near].tolist(),
            strict=True,
        ):
            pair = (min(one, other), max(one, other))
            found[pair] = min(distance, found.get(pair, 1.0))
    pairs = sorted(found)
    return NearCopies(
        np.array(pairs, np.int64).reshape(-1, 2), np.array([found[pair] for pair in pairs]), limit
    )


def connected(images: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The groups of images that pairs hold together, of two images at least, in their order."""
    leader = list(range(images))

    def find(image: int) -> int:
        while leader[image] != image:
            leader[image] = leader[leader[image]]
            image = leader[image]
        return image

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        leader[high] = low
    groups: dict[int, list[int]] = {}
    for image in range(images):
        groups.setdefault(find(image), []).append(image)
    return [group for group in groups.values() if len(group) > 1]


def _transformed(thumbnails: npt.NDArray[np.uint8]) -> Coefficients:
    """The low frequencies of pictures, `(images, 16, 16)`; the mean level is left out."""
    parts = [
        dctn(thumbnails[start : start + ROWS_AT_ONCE].astype(np.float32), axes=(1, 2))
        for start in range(0, len(thumbnails), ROWS_AT_ONCE)
    ]
    low = np.concatenate([part[:, :FREQUENCIES, :FREQUENCIES] for part in parts])
    low[:, 0, 0] = 0
    return low.astype(np.float32)


def _hashed(coefficients: Coefficients) -> Bits:
    """The signs of the frequencies, eight to a byte: `(images, 32)`."""
    return np.packbits(coefficients.reshape(len(coefficients), -1) > 0, axis=1)


def _variants(coefficients: Coefficients) -> Iterator[Coefficients]:
    """The pictures as they are, mirrored and turned by quarters: all eight ways to lay them.

    In the cosine transform, a mirrored picture has its odd frequencies negated.
    """
    odd = np.where(np.arange(FREQUENCIES) % 2, -1, 1).astype(np.float32)
    for laid in (coefficients, coefficients.transpose(0, 2, 1)):
        for rows, columns in product((np.ones_like(odd), odd), repeat=2):
            yield laid * rows[:, None] * columns


def _limit(hashes: Bits) -> float:
    """The share of bits up to which two images are copies.

    The distances of pairs drawn from the data are about normal; the limit is where all its pairs,
    in all eight ways, hold FALSE_PAIRS by chance.
    """
    random = np.random.default_rng(0)
    one, other = random.integers(0, len(hashes), (2, SAMPLED_PAIRS))
    apart = _distances(hashes[one[one != other]], hashes[other[one != other]])
    comparisons = 4 * len(hashes) * (len(hashes) - 1)
    deviations = np.linspace(0, 12, 2401)
    wanted = np.log(FALSE_PAIRS / max(comparisons, 1))
    enough = deviations[np.argmax(log_ndtr(-deviations) <= wanted)]
    return float(min(FURTHEST, np.mean(apart) - enough * np.std(apart)))


def _distances(one: Bits, other: Bits) -> npt.NDArray[np.float64]:
    differing: npt.NDArray[np.int64] = np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)
    return differing / BITS


def _compared(
    coefficients: Coefficients, hashes: Bits
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    """Pairs from the index, with the share of their bits that differ; some more than once."""
    for places in _key_places():
        flat = coefficients.reshape(len(coefficients), -1)[:, places]
        middle = np.median(flat, axis=0)  # so that each bit of a key is set in half of the data
        keys = _keys(flat > middle)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        for start in range(0, len(coefficients), ROWS_AT_ONCE):
            part = np.arange(start, min(start + ROWS_AT_ONCE, len(coefficients)))
            for variant in _variants(coefficients[part]):
                wanted = _probes(variant.reshape(len(part), -1)[:, places] - middle)
                query = _hashed(variant)
                first, second = _with_key(wanted, ordered, order)
                yield part[first], second, _distances(query[first], hashes[second])


def _key_places() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The frequencies of either key, the lowest first, in turns."""
    rows, columns = np.indices((FREQUENCIES, FREQUENCIES)).reshape(2, -1)
    lowest = np.lexsort((rows, np.hypot(rows, columns)))[1 : 2 * KEY_BITS + 1]
    return lowest[::2], lowest[1::2]


def _keys(bits: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    weights = 1 << np.arange(KEY_BITS, dtype=np.int64)
    keys: npt.NDArray[np.int64] = bits @ weights
    return keys


def _probes(values: Coefficients) -> npt.NDArray[np.int64]:
    """Keys to look under, `(images, 16)`: with the least certain bits set in all ways."""
    keys = _keys(values > 0)
    uncertain = np.argsort(np.abs(values), axis=1)[:, :UNCERTAIN_BITS]
    changes = [
        sum((1 << uncertain[:, bit]) * flip for bit, flip in enumerate(flips))
        for flips in product((0, 1), repeat=UNCERTAIN_BITS)
    ]
    return np.stack([keys ^ change for change in changes], axis=1)


def _with_key(
    wanted: npt.NDArray[np.int64], ordered: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows of `wanted`, each with the images that have one of its keys."""
    begin = np.searchsorted(ordered, wanted, side="left")
    end = np.minimum(np.searchsorted(ordered, wanted, side="right"), begin + COMPARED_AT_MOST)
    counts = (end - begin).ravel()
    first = np.repeat(np.repeat(np.arange(len(wanted)), wanted.shape[1]), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return first, order[np.repeat(begin.ravel(), counts) + offsets]
