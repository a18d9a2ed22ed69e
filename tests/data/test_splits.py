"""Splits that hold still. Oracle for sizes: the exact shares; for stability: the bound itself."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cnnrun.data.manifest import Manifest, image_ids
from cnnrun.data.splits import Splits, split_rows
from cnnrun.errors import DataError
from cnnrun.randomness import random_bits

MakeManifest = Callable[..., Manifest]

shares = st.sampled_from(
    [(0.15, 0.15), (0.1, 0.3), (0.25, 0.0), (0.0, 0.2), (0.4, 0.5), (0.0, 0.0)]
)
sizes = st.lists(st.integers(3, 60), min_size=1, max_size=4)
seeds = st.integers(0, 2**32)


def build(
    labels: list[int], paths: list[str] | None = None, groups: list[str] | None = None
) -> Manifest:
    paths = paths or [f"{label}/{number}.png" for number, label in enumerate(labels)]
    classes = tuple(str(label) for label in range(max(labels) + 1))
    return Manifest(
        root=None,
        paths=tuple(paths),
        labels=np.array(labels, np.int32),
        classes=classes,
        splits=None,
        groups=None if groups is None else tuple(groups),
        ids=image_ids(paths),
        pixels=None,
        value_range=None,
        notes=(),
    )


def of_sizes(counts: list[int]) -> Manifest:
    return build([label for label, count in enumerate(counts) for _ in range(count)])


def split_of_path(manifest: Manifest, splits: Splits) -> dict[str, str]:
    return {
        manifest.paths[row]: name
        for name in ("train", "validation", "test")
        for row in getattr(splits, name)
    }


@given(sizes, shares, seeds)
def test_every_row_is_in_one_split(
    counts: list[int], share: tuple[float, float], seed: int
) -> None:
    manifest = of_sizes(counts)

    splits = split_rows(manifest, validation=share[0], test=share[1], seed=seed)

    rows = np.concatenate([splits.train, splits.validation, splits.test])
    assert np.array_equal(np.sort(rows), np.arange(len(manifest)))
    for part in (splits.train, splits.validation, splits.test):
        assert part.dtype == np.int64
        assert np.array_equal(part, np.sort(part))


@given(sizes, shares, seeds)
def test_shares_are_exact_within_every_class(
    counts: list[int], share: tuple[float, float], seed: int
) -> None:
    manifest = of_sizes(counts)

    splits = split_rows(manifest, validation=share[0], test=share[1], seed=seed)

    for label, count in enumerate(counts):
        for rows, wanted in ((splits.validation, share[0]), (splits.test, share[1])):
            got = int(np.sum(manifest.labels[rows] == label))
            assert abs(got - wanted * count) < 1
            assert (got > 0) == (wanted > 0)
        assert np.any(manifest.labels[splits.train] == label)


@given(sizes, shares, seeds, st.randoms(use_true_random=False))
def test_the_listing_order_does_not_matter(
    counts: list[int],
    share: tuple[float, float],
    seed: int,
    random,  # type: ignore[no-untyped-def]
) -> None:
    manifest = of_sizes(counts)
    listing = list(range(len(manifest)))
    random.shuffle(listing)
    shuffled = build(manifest.labels[listing].tolist(), [manifest.paths[row] for row in listing])

    one, two = (
        split_of_path(each, split_rows(each, validation=share[0], test=share[1], seed=seed))
        for each in (manifest, shuffled)
    )

    assert one == two


@given(st.integers(3, 200), st.integers(1, 40), shares, seeds)
def test_adding_images_moves_few(
    before: int, added: int, share: tuple[float, float], seed: int
) -> None:
    small, large = of_sizes([before]), of_sizes([before + added])

    old, new = (
        split_rows(each, validation=share[0], test=share[1], seed=seed) for each in (small, large)
    )

    was, became = split_of_path(small, old), split_of_path(large, new)
    moved = sum(was[path] != became[path] for path in was)
    growth = max(
        len(getattr(new, name)) - len(getattr(old, name)) for name in ("validation", "test")
    )
    assert moved <= added + growth


def test_one_more_image_moves_one_at_most_nearly_always() -> None:
    moves = []
    for count in range(20, 320):
        one, two = (
            split_of_path(
                of_sizes([size]), split_rows(of_sizes([size]), validation=0.15, test=0.15, seed=0)
            )
            for size in (count, count + 1)
        )
        moves.append(sum(one[path] != two[path] for path in one))

    # Two move only if the new image falls into one of two small splits as the other grows.
    assert max(moves) <= 2
    assert np.mean(np.array(moves) > 1) < 0.08
    assert np.mean(moves) < 0.7


@given(st.integers(3, 60), shares, seeds)
def test_growing_a_class_leaves_the_others_alone(
    size: int, share: tuple[float, float], seed: int
) -> None:
    labels = [0] * 20 + [1] * size
    paths = [f"a/{number}" for number in range(20)] + [f"b/{number}" for number in range(size)]
    alone, together = build(labels[:20] + [1] * 3, paths[:23]), build(labels, paths)

    one, two = (
        split_of_path(each, split_rows(each, validation=share[0], test=share[1], seed=seed))
        for each in (alone, together)
    )

    assert all(one[path] == two[path] for path in paths[:20])


def test_another_seed_cuts_elsewhere() -> None:
    manifest = of_sizes([200])

    one, two = (split_rows(manifest, validation=0.2, test=0.2, seed=seed) for seed in (0, 1))

    common = len(np.intersect1d(one.test, two.test))
    assert common < 20, "two independent draws of 40 out of 200 share about 8"


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 25)),
        min_size=30,
        max_size=120,
    ),
    seeds,
)
def test_groups_never_straddle(images: list[tuple[int, int]], seed: int) -> None:
    labels = [0, 1, 2] * 3 + [label for label, _ in images]
    groups = [f"alone {number}" for number in range(9)] + [f"group {group}" for _, group in images]
    manifest = build(labels, groups=groups)

    try:
        splits = split_rows(manifest, validation=0.2, test=0.2, seed=seed)
    except DataError as error:
        assert "at least 3 groups" in str(error) or "for training" in str(error)  # noqa: PT017
        return

    found = split_of_path(manifest, splits)
    for group in set(groups):
        where = {
            found[path] for path, name in zip(manifest.paths, groups, strict=True) if name == group
        }
        assert len(where) == 1


@given(
    st.lists(st.integers(1, 40), min_size=3, max_size=8),
    st.sampled_from([(0.15, 0.15), (0.1, 0.3), (0.25, 0.0), (0.0, 0.2)]),
    seeds,
)
@example([1, 6, 24], (0.15, 0.15), 0)
@example([1, 2, 7], (0.1, 0.3), 0)
@example([3, 1], (0.0, 0.2), 0)
def test_groups_are_cut_off_both_ends_nearest_to_the_shares_and_leave_every_split_one(
    sizes_of_groups: list[int], share: tuple[float, float], seed: int
) -> None:
    names = [f"patient {number}" for number in range(len(sizes_of_groups))]
    groups = np.repeat(names, sizes_of_groups)
    manifest = build([0] * len(groups), groups=groups.tolist())
    for cut in range(seed, seed + 6):  # an order of the groups each
        order = np.argsort(random_bits(image_ids(names), seed=cut, epoch=0, stream="split"))

        splits = split_rows(manifest, validation=share[0], test=share[1], seed=cut)

        left = len(names) - 1 - (share[0] > 0)
        low = len(set(groups[splits.test]))
        high = len(set(groups[splits.validation]))
        assert set(groups[splits.test]) == {names[each] for each in order[:low]}
        assert set(groups[splits.validation]) == {names[each] for each in order[::-1][:high]}
        counts = np.array(sizes_of_groups)[order]
        assert_nearest(counts, low, wanted=share[1], at_most=left)
        assert_nearest(counts[::-1], high, wanted=share[0], at_most=len(names) - 1 - low)


def assert_nearest(counts: np.ndarray, taken: int, *, wanted: float, at_most: int) -> None:
    """No other number of groups has images that are nearer to the share, which counts to one."""
    if not wanted:
        assert taken == 0
        return
    distances = np.abs(np.cumsum(counts) - wanted * counts.sum())
    assert 1 <= taken <= at_most
    assert distances[taken - 1] <= min(distances[:at_most]) + 2


def test_groups_of_an_image_each_are_cut_as_images_are() -> None:
    for count in range(3, 60):
        alone = of_sizes([count])
        grouped = build([0] * count, groups=list(alone.paths))

        one, two = (
            split_of_path(each, split_rows(each, validation=0.15, test=0.2, seed=count))
            for each in (alone, grouped)
        )

        assert one == two


@given(
    st.integers(3, 80),
    st.sampled_from([(1, 1), (2, 2), (3, 3), (1, 3), (2, 5), (0, 2), (3, 0)]),
)
def test_sizes_are_those_that_websters_method_hands_out_one_by_one(
    images: int, eighths: tuple[int, int]
) -> None:
    """Balinski and Young's rule in whole numbers; of equal claims train, test, validation."""
    validation, test = eighths
    claims = {"train": 8 - validation - test, "test": test, "validation": validation}
    seats = {name: int(claim > 0) for name, claim in claims.items()}
    while sum(seats.values()) < images:
        claim_of = {name: Fraction(claims[name], 2 * seats[name] + 1) for name in claims}
        seats[max(claims, key=claim_of.__getitem__)] += 1

    splits = split_rows(of_sizes([images]), validation=validation / 8, test=test / 8, seed=0)

    assert {name: len(getattr(splits, name)) for name in claims} == seats


def test_splits_are_the_same_on_every_machine() -> None:
    splits = split_rows(of_sizes([12, 8]), validation=0.2, test=0.2, seed=3)

    assert splits.test.tolist() == [6, 8, 12, 17]
    assert splits.validation.tolist() == [2, 3, 13]


def test_groups_come_close_to_the_shares() -> None:
    labels = [number % 2 for number in range(1000)]
    groups = [f"patient {number // 10 * 2 + number % 2}" for number in range(1000)]

    splits = split_rows(build(labels, groups=groups), validation=0.15, test=0.15, seed=0)

    assert abs(len(splits.test) - 150) <= 10
    assert abs(len(splits.validation) - 150) <= 10


def test_given_splits_are_kept(manifest_of: MakeManifest) -> None:
    labels = {f"{name}/{number}": name for name in "ab" for number in range(6)}
    given_splits = ["train", "train", "test", "validation", "train", "test"] * 2
    manifest = manifest_of(labels, splits=given_splits)

    splits = split_rows(manifest, validation=0.5, test=0.3, seed=0)

    for name in ("train", "validation", "test"):
        rows = [row for row, split in enumerate(given_splits) if split == name]
        assert getattr(splits, name).tolist() == rows


def test_missing_splits_are_cut_from_training(manifest_of: MakeManifest) -> None:
    labels = {f"{name}/{number}": name for name in "ab" for number in range(20)}
    manifest = manifest_of(labels, splits=(["train"] * 15 + ["test"] * 5) * 2)

    splits = split_rows(manifest, validation=0.2, test=0.2, seed=0)

    assert len(splits.test) == 10
    assert len(splits.validation) == 6
    assert len(splits.train) == 24
    assert Counter(manifest.labels[splits.validation].tolist()) == {0: 3, 1: 3}


def test_given_validation_images_are_the_only_ones(manifest_of: MakeManifest) -> None:
    labels = {f"{name}/{number}": name for name in "ab" for number in range(20)}
    manifest = manifest_of(labels, splits=(["train"] * 15 + ["validation"] * 5) * 2)

    splits = split_rows(manifest, validation=0.2, test=0.2, seed=0)

    assert splits.validation.tolist() == [*range(15, 20), *range(35, 40)]
    assert Counter(manifest.labels[splits.test].tolist()) == {0: 3, 1: 3}
    assert len(splits.train) == 24


def test_a_group_in_two_given_splits(manifest_of: MakeManifest, snapshot: object) -> None:
    labels = {f"{name}/{number}": name for name in "ab" for number in range(3)}
    manifest = manifest_of(
        labels,
        splits=["train", "validation", "test"] * 2,
        groups=["p1", "p2", "p3", "p4", "p4", "p3"],
    )

    with pytest.raises(DataError) as error:
        split_rows(manifest, validation=0.2, test=0.2, seed=0)

    assert str(error.value) == snapshot


@pytest.mark.parametrize(
    ("validation", "test", "sizes"),
    [(0.15, 0.15, [9, 1, 2]), (0.2, 0.0, [9, 1, 2]), (0.0, 0.2, [1, 9])],
    ids=["three-splits", "no-test", "no-validation"],
)
def test_classes_too_small_to_cut(
    validation: float, test: float, sizes: list[int], snapshot: object
) -> None:
    with pytest.raises(DataError) as error:
        split_rows(of_sizes(sizes), validation=validation, test=test, seed=0)

    assert str(error.value) == snapshot


def test_a_class_of_few_groups(snapshot: object) -> None:
    manifest = build([0] * 9 + [1] * 9, groups=[str(number) for number in range(9)] + ["one"] * 9)

    with pytest.raises(DataError) as error:
        split_rows(manifest, validation=0.15, test=0.15, seed=0)

    assert str(error.value) == snapshot


def test_a_refusal_names_the_folder_where_there_is_one(manifest_of: MakeManifest) -> None:
    few = manifest_of({"a/1": "a", "b/1": "b"}, root=Path("pets"))
    untrained = manifest_of({"a/1": "a", "b/1": "b"}, root=Path("pets"), splits=["train", "test"])

    with pytest.raises(DataError, match=r"^pets: must have at least 2 images of every class"):
        split_rows(few, validation=0.2, test=0.0, seed=0)
    with pytest.raises(DataError, match=r"^pets: must leave images of every class for training"):
        split_rows(untrained, validation=0.0, test=0.0, seed=0)


def test_a_class_with_one_image_trains_where_nothing_is_cut() -> None:
    splits = split_rows(of_sizes([1, 5]), validation=0.0, test=0.0, seed=0)

    assert splits.train.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_class_whose_images_are_all_in_test(manifest_of: MakeManifest, snapshot: object) -> None:
    labels = {f"{name}/{number}": name for name in "ab" for number in range(4)}
    manifest = manifest_of(labels, splits=["train"] * 4 + ["test"] * 4)

    with pytest.raises(DataError) as error:
        split_rows(manifest, validation=0.25, test=0.2, seed=0)

    assert str(error.value) == snapshot
