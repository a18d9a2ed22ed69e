"""Fewer training images. Oracles: the splits without the key, and fewer being a part of more."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_section import DataSpec, SplitSpec
from cnnrun.data.manifest import Manifest
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits, left_out_note
from cnnrun.errors import DataError

SIZES = {"cat": 30, "dog": 12, "ship": 20}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name, number in SIZES.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(number):
            image = Image.fromarray(np.full((4, 4, 3), index, np.uint8))
            image.save(tmp_path / "photos" / name / f"{index}.png")
    return tmp_path / "photos"


def data_of(photos: Path, at_most: int | None, *, seed: int = 0) -> DataSpec:
    split = SplitSpec(validation=0.2, test=0.2, seed=seed)
    return DataSpec(
        directory=photos,
        layout=("{label}/**",),
        image_size=(4, 4),
        split=split,
        train_images_per_class=at_most,
    )


def trained(manifest: Manifest, data: DataSpec) -> Counter[str]:
    rows = cut_splits(manifest, data).train
    return Counter(manifest.classes[label] for label in manifest.labels[rows])


def test_each_class_keeps_so_many_and_the_other_splits_stay(photos: Path) -> None:
    manifest = read_manifest(data_of(photos, None))
    whole = cut_splits(manifest, data_of(photos, None))
    fewer = cut_splits(manifest, data_of(photos, 8))
    assert trained(manifest, data_of(photos, 8)) == {"cat": 8, "dog": 8, "ship": 8}
    assert trained(manifest, data_of(photos, 10)) == {"cat": 10, "dog": 8, "ship": 10}
    np.testing.assert_array_equal(fewer.test, whole.test)
    np.testing.assert_array_equal(fewer.validation, whole.validation)
    assert np.all(np.diff(fewer.train) > 0)


def test_fewer_are_a_part_of_more_and_another_seed_takes_others(photos: Path) -> None:
    manifest = read_manifest(data_of(photos, None))
    sets = [set(cut_splits(manifest, data_of(photos, n)).train.tolist()) for n in (2, 5, 7, None)]
    assert all(small < large for small, large in pairwise(sets))
    assert sets[0] != set(cut_splits(manifest, data_of(photos, 2, seed=1)).train.tolist())


def test_an_image_that_comes_later_changes_at_most_one(photos: Path) -> None:
    """Of each class by the hash of its path: one more in another class changes nothing in this."""
    before = read_manifest(data_of(photos, None))
    chosen = {before.paths[row] for row in cut_splits(before, data_of(photos, 3)).train}
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(photos / "dog" / "new.png")
    after = read_manifest(data_of(photos, None))
    now = {after.paths[row] for row in cut_splits(after, data_of(photos, 3)).train}
    assert {path for path in chosen ^ now if not path.startswith("dog")} == set()


def test_what_is_left_out_is_said(photos: Path, snapshot: SnapshotAssertion) -> None:
    manifest = read_manifest(data_of(photos, None))
    notes = {
        at_most: left_out_note(manifest, data, cut_splits(manifest, data))
        for at_most in (None, 5, 10)
        if (data := data_of(photos, at_most))
    }
    assert notes == snapshot


def test_a_share_is_of_each_class_and_smaller_ones_are_parts(photos: Path) -> None:
    whole = data_of(photos, None)
    manifest = read_manifest(whole)
    halves = trained(manifest, replace(whole, train_share=0.5))
    assert halves == {"cat": 9, "dog": 4, "ship": 6}
    both = replace(whole, train_share=0.5, train_images_per_class=5)
    assert trained(manifest, both) == {"cat": 5, "dog": 4, "ship": 5}
    rows = [cut_splits(manifest, replace(whole, train_share=each)).train for each in (0.25, 0.5, 1)]
    assert all(set(small) < set(large) for small, large in pairwise(map(np.ndarray.tolist, rows)))
    np.testing.assert_array_equal(rows[-1], cut_splits(manifest, whole).train)


def test_what_a_share_leaves_out_is_said(photos: Path, snapshot: SnapshotAssertion) -> None:
    manifest = read_manifest(data_of(photos, None))
    data = replace(data_of(photos, 5), train_share=0.5)
    alone = replace(data, train_images_per_class=None)
    notes = [left_out_note(manifest, each, cut_splits(manifest, each)) for each in (data, alone)]
    assert notes == snapshot


def test_a_share_that_leaves_nothing_of_a_class(photos: Path, snapshot: SnapshotAssertion) -> None:
    data = replace(data_of(photos, None), train_share=0.05)
    with pytest.raises(DataError) as caught:
        cut_splits(read_manifest(data), data)
    assert str(caught.value) == snapshot
