"""Pictures that are nearly the same. Oracles: all pairs compared one by one, and planted copies."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from cnnrun.data.near_copies import FURTHEST, connected, near_copies
from cnnrun.data.thumbnails import SIDE, thumbnail


def smooth_pictures(number: int, *, seed: int) -> np.ndarray:
    """Pictures of random low frequencies, `(number, 24, 24)`, as unlike as photographs are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (number, 8, 8), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((SIDE, SIDE))) for each in coarse])


def test_planted_copies_and_no_others() -> None:
    pictures = smooth_pictures(400, seed=0)
    noise = np.random.default_rng(1).normal(0, 3, (40, SIDE, SIDE))
    copies = np.clip(pictures[:40] * 0.9 + 15 + noise, 0, 255).astype(np.uint8)
    copies[10:20] = copies[10:20, :, ::-1]
    copies[20:30] = np.rot90(copies[20:30], axes=(1, 2))

    found = near_copies(np.concatenate([pictures, copies]))

    assert {tuple(pair) for pair in found.pairs.tolist()} == {(n, 400 + n) for n in range(40)}
    assert 0 < found.limit <= FURTHEST


def test_the_order_of_the_images_does_not_matter() -> None:
    pictures = smooth_pictures(60, seed=2)
    pictures = np.concatenate([pictures, pictures[:5]])
    order = np.random.default_rng(3).permutation(len(pictures))

    found = {frozenset(pair) for pair in near_copies(pictures).pairs.tolist()}
    moved = {frozenset(order[pair].tolist()) for pair in near_copies(pictures[order]).pairs}

    assert found == moved == {frozenset((n, 60 + n)) for n in range(5)}


def test_images_too_alike_are_not_guessed_about() -> None:
    digits = [thumbnail((each * 15).astype(np.uint8)[..., None]) for each in load_digits().images]

    found = near_copies(np.stack(digits))

    assert found.limit <= 0
    assert len(found.pairs) == 0


def test_blank_pictures_are_copies_of_nothing() -> None:
    assert len(near_copies(np.full((9, SIDE, SIDE), 7, np.uint8)).pairs) == 0


@pytest.mark.parametrize("images", [0, 1])
def test_no_pair_at_all(images: int) -> None:
    assert len(near_copies(smooth_pictures(2, seed=0)[:images]).pairs) == 0


def test_many_images_of_one_kind_take_no_more_comparisons_than_the_index_allows() -> None:
    one = smooth_pictures(1, seed=5)
    noise = np.random.default_rng(6).normal(0, 2, (600, SIDE, SIDE))
    pictures = np.clip(one + noise, 0, 255).astype(np.uint8)

    assert len(near_copies(pictures).pairs) < 600 * 599 / 2


def test_groups_are_what_pairs_connect() -> None:
    random = np.random.default_rng(0)
    pairs = [(int(a), int(b)) for a, b in random.integers(0, 40, (25, 2)) if a != b]

    groups = connected(40, pairs)

    # By Warshall's transitive closure.
    reached = np.eye(40, dtype=bool)
    for one, other in pairs:
        reached[one, other] = reached[other, one] = True
    for middle in range(40):
        reached |= np.outer(reached[:, middle], reached[middle])
    together = {pair for group in groups for pair in combinations(group, 2)}
    assert together == {pair for pair in combinations(range(40), 2) if reached[pair]}
