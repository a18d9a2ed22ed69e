"""Folds: each image is tested once. Oracle: scikit-learn's StratifiedKFold for their sizes."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_section import DataSpec, SplitSpec
from cnnrun.data.manifest import Manifest, image_ids
from cnnrun.data.splits import cut_splits, fold_rows, split_rows
from cnnrun.errors import DataError
from cnnrun.randomness import random_bits

MakeManifest = Callable[..., Manifest]


def of_sizes(counts: list[int], groups: list[int] | None = None) -> Manifest:
    """A manifest of so many images a class, in groups if these are given."""
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    paths = tuple(f"{label}/{number}.png" for number, label in enumerate(labels))
    return Manifest(
        root=None,
        paths=paths,
        labels=labels,
        classes=tuple(map(str, range(len(counts)))),
        splits=None,
        groups=None if groups is None else tuple(f"g{group}" for group in groups),
        ids=image_ids(paths),
        pixels=None,
        value_range=None,
        notes=(),
    )


@given(
    counts=st.lists(st.integers(7, 40), min_size=1, max_size=4),
    folds=st.integers(2, 7),
    seed=st.integers(0, 5),
    validation=st.sampled_from([0.0, 0.2]),
)
def test_every_image_is_tested_once_in_folds_of_scikit_learns_sizes(
    counts: list[int], folds: int, seed: int, validation: float
) -> None:
    manifest = of_sizes(counts)
    tested: Counter[int] = Counter()
    for fold in range(1, folds + 1):
        splits = fold_rows(manifest, fold=fold, folds=folds, validation=validation, seed=seed)
        every = np.concatenate([splits.train, splits.validation, splits.test])
        assert sorted(every) == list(range(sum(counts)))
        assert bool(len(splits.validation)) == bool(validation)
        tested.update(splits.test.tolist())
        theirs = StratifiedKFold(folds).split(manifest.paths, manifest.labels)
        sizes = {int((manifest.labels[test] == 0).sum()) for _, test in theirs}
        assert int((manifest.labels[splits.test] == 0).sum()) in sizes
    assert set(tested.values()) == {1}
    assert len(tested) == sum(counts)


@given(groups=st.lists(st.integers(0, 8), min_size=30, max_size=30), folds=st.integers(2, 3))
def test_groups_never_straddle(groups: list[int], folds: int) -> None:
    manifest = of_sizes([30], groups)
    if len(set(groups)) < max(3, folds):
        return
    for fold in range(1, folds + 1):
        splits = fold_rows(manifest, fold=fold, folds=folds, validation=0.2, seed=0)
        where = [{groups[row] for row in rows} for rows in (splits.train, splits.test)]
        where.append({groups[row] for row in splits.validation})
        assert sum(map(len, where)) == len(set(groups))


@given(sizes=st.lists(st.integers(1, 40), min_size=3, max_size=9), folds=st.integers(2, 9))
def test_every_fold_tests_whole_groups_however_large_they_are(sizes: list[int], folds: int) -> None:
    folds = min(folds, len(sizes))
    groups = np.repeat(np.arange(len(sizes)), sizes).tolist()
    manifest = of_sizes([len(groups)], groups)
    tested = [
        {
            groups[row]
            for row in fold_rows(manifest, fold=fold, folds=folds, validation=0.0, seed=0).test
        }
        for fold in range(1, folds + 1)
    ]
    assert all(tested)
    assert sorted(group for those in tested for group in those) == list(range(len(sizes)))


@pytest.mark.parametrize(("images", "share"), [(20, 0.15), (33, 0.2), (9, 0.01), (12, 0.3)])
def test_validation_images_are_those_that_follow_the_fold(images: int, share: float) -> None:
    """Oracle: the order of the images' hashes, in which the fold stands."""
    manifest = of_sizes([images, 2 * images])
    for seed, fold in ((0, 1), (1, 2), (2, 4)):
        splits = fold_rows(manifest, fold=fold, folds=4, validation=share, seed=seed)
        bits = random_bits(manifest.ids, seed=seed, epoch=0, stream="split")
        for label, size in enumerate((images, 2 * images)):
            of_class = np.flatnonzero(manifest.labels == label)
            order = of_class[np.argsort(bits[of_class])]
            end = round(size * fold / 4)
            follow = np.roll(order, -end)[: max(1, round(share * size))]
            found = splits.validation[manifest.labels[splits.validation] == label]
            assert found.tolist() == sorted(follow)


def test_of_groups_so_many_validate_as_come_nearest_to_the_share() -> None:
    sizes = [1, 6, 2, 9, 3, 4, 5, 2, 8]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    manifest = of_sizes([len(groups)], groups.tolist())
    names = [f"g{number}" for number in range(len(sizes))]
    for seed in range(4):
        splits = fold_rows(manifest, fold=1, folds=3, validation=0.2, seed=seed)
        order = np.argsort(random_bits(image_ids(names), seed=seed, epoch=0, stream="split"))
        tested = set(groups[splits.test])
        others = [group for group in order if group not in tested]
        distances = np.abs(np.cumsum([sizes[group] for group in others[:-1]]) - 8)
        assert set(groups[splits.validation]) == set(others[: int(distances.argmin()) + 1])


def test_a_class_needs_an_image_for_each_fold_and_three_where_some_validate() -> None:
    two = of_sizes([2, 2])
    assert len(fold_rows(two, fold=1, folds=2, validation=0.0, seed=0).test) == 2
    with pytest.raises(DataError, match="at least 3 images of every class"):
        fold_rows(two, fold=1, folds=2, validation=0.2, seed=0)
    three = fold_rows(of_sizes([3, 3]), fold=1, folds=2, validation=0.2, seed=0)
    assert [len(each) for each in (three.train, three.validation)] == [2, 2]


def test_validation_images_that_the_source_gives_are_the_only_ones(
    manifest_of: MakeManifest,
) -> None:
    labels = {f"{name}/{number}": name for name in "ab" for number in range(10)}
    manifest = manifest_of(labels, splits=(["train"] * 8 + ["validation"] * 2) * 2)
    splits = fold_rows(manifest, fold=1, folds=4, validation=0.2, seed=0)
    assert splits.validation.tolist() == [8, 9, 18, 19]
    assert (len(splits.test), len(splits.train)) == (4, 12)


def test_the_config_names_a_fold_or_shares() -> None:
    manifest = of_sizes([20, 20])
    by_shares = cut_splits(manifest, DataSpec(split=SplitSpec(seed=3)))
    assert np.array_equal(
        by_shares.test, split_rows(manifest, validation=0.15, test=0.15, seed=3).test
    )
    by_fold = cut_splits(manifest, DataSpec(split=SplitSpec(seed=3, fold=(2, 4))))
    assert np.array_equal(
        by_fold.test, fold_rows(manifest, fold=2, folds=4, validation=0.15, seed=3).test
    )
    assert len(by_fold.test) == 10


def test_what_cannot_be_cut_into_folds(
    manifest_of: MakeManifest, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(DataError) as small:
        fold_rows(of_sizes([9, 4]), fold=1, folds=5, validation=0.1, seed=0)
    given_test = manifest_of(
        {"a/1.png": "a", "a/2.png": "a", "b/1.png": "b", "b/2.png": "b"},
        splits=["train", "train", "train", "test"],
    )
    with pytest.raises(DataError) as given_split:
        fold_rows(given_test, fold=1, folds=2, validation=0, seed=0)
    assert [str(small.value), str(given_split.value)] == snapshot


def test_a_refusal_names_the_folder_where_there_is_one(manifest_of: MakeManifest) -> None:
    labels = {"a/1": "a", "a/2": "a", "b/1": "b"}
    few = manifest_of(labels, root=Path("pets"))
    tested = manifest_of(labels, root=Path("pets"), splits=["train", "test", "train"])
    with pytest.raises(DataError, match=r"^pets: must have at least 2 images of every class"):
        fold_rows(few, fold=1, folds=2, validation=0, seed=0)
    with pytest.raises(DataError, match=r"^pets: must leave the test images to the folds"):
        fold_rows(tested, fold=1, folds=2, validation=0, seed=0)


def test_every_class_must_be_left_for_training(manifest_of: MakeManifest) -> None:
    labels = {f"{name}/{number}": name for name in "abc" for number in range(4)}
    manifest = manifest_of(labels, splits=["validation"] * 4 + ["train"] * 8)
    with pytest.raises(DataError, match=r"for training, received none of a;"):
        fold_rows(manifest, fold=1, folds=2, validation=0, seed=0)


def test_one_unit_is_left_for_training_however_many_validate() -> None:
    splits = fold_rows(of_sizes([10, 6]), fold=1, folds=2, validation=0.9, seed=0)
    assert [len(each) for each in (splits.train, splits.validation, splits.test)] == [2, 6, 8]
