"""Splits of images with several labels: as even as can be, whole groups, and steady."""

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.data.label_splits import stratified
from cnnrun.data.manifest import Manifest, image_ids
from cnnrun.data.splits import fold_rows, split_rows
from cnnrun.errors import DataError


def made(images: int, *, seed: int = 0, groups: int | None = None) -> Manifest:
    """Images with four labels of 40, 20, 10 and 3 per cent that like to stand together."""
    generator = np.random.default_rng(seed)
    ease = generator.normal(size=(images, 1))
    noise = generator.normal(size=(images, 4))
    limits = np.array([0.25, 0.84, 1.28, 1.88])
    paths = tuple(f"{number}.png" for number in range(images))
    return Manifest(
        root=None,
        paths=paths,
        labels=((ease + noise) / 2**0.5 > limits).astype(np.int32),
        classes=("often", "at times", "seldom", "rare"),
        splits=None,
        groups=None if groups is None else tuple(f"g{row % groups}" for row in range(images)),
        ids=image_ids(paths),
        pixels=None,
        value_range=None,
        notes=(),
    )


@pytest.mark.parametrize("seed", range(3))
def test_each_split_has_its_share_of_each_label(seed: int) -> None:
    """Sechidis et al. 2011 measure how far shares are off: less than a random cut leaves them."""
    manifest = made(400, seed=seed)

    splits = split_rows(manifest, validation=0.15, test=0.15, seed=seed)

    wanted = {"train": 0.7, "validation": 0.15, "test": 0.15}
    totals = manifest.counts(np.arange(400))
    for name, rows in splits.by_name.items():
        assert abs(len(rows) - wanted[name] * 400) <= 2
        assert (np.abs(manifest.counts(rows) - wanted[name] * totals) <= 2).all()


def test_splits_hold_still_whatever_the_order_of_rows() -> None:
    manifest = made(120)
    order = np.random.default_rng(1).permutation(120)
    other = Manifest(
        **{
            **vars(manifest),
            "paths": tuple(manifest.paths[row] for row in order),
            "labels": manifest.labels[order],
            "ids": manifest.ids[order],
        }
    )

    first, second = (
        split_rows(each, validation=0.2, test=0.2, seed=7) for each in (manifest, other)
    )

    assert {manifest.paths[row] for row in first.test} == {other.paths[row] for row in second.test}


def test_no_split_divides_a_group() -> None:
    manifest = made(300, groups=60)
    assert manifest.groups is not None

    splits = split_rows(manifest, validation=0.2, test=0.2, seed=0)

    seen = [{manifest.groups[row] for row in rows} for rows in splits.by_name.values()]
    assert sum(map(len, seen)) == 60
    totals = manifest.counts(np.arange(300))
    assert (np.abs(manifest.counts(splits.test) - 0.2 * totals) <= 0.1 * totals + 3).all()


def test_each_image_is_tested_in_one_fold() -> None:
    manifest = made(100)

    folds = [fold_rows(manifest, fold=fold, folds=3, validation=0.1, seed=0) for fold in (1, 2, 3)]

    tested = np.sort(np.concatenate([each.test for each in folds]))
    assert tested.tolist() == list(range(100))
    assert all(len(each.validation) == 10 for each in folds)


def test_a_label_of_three_images_is_in_every_split() -> None:
    counts = np.zeros((60, 1), np.int64)
    counts[:3] = 1

    places = stratified(counts, np.ones(60, np.int64), (0.7, 0.15, 0.15))

    assert sorted(places[:3].tolist()) == [0, 1, 2]


def test_a_label_that_no_split_can_hold_is_named(snapshot: SnapshotAssertion) -> None:
    manifest = made(100)
    manifest.labels[:, 3] = 0
    manifest.labels[:2, 3] = 1

    with pytest.raises(DataError) as error:
        split_rows(manifest, validation=0.15, test=0.15, seed=0)

    assert str(error.value) == snapshot
