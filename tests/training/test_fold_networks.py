"""Folds of images for a config's own network. Oracle: what folds are."""

from collections.abc import Sequence

import numpy as np

from cnnrun.data.manifest import Manifest, image_ids
from cnnrun.training.fold_networks import FOLDS, fold_of_rows


def manifest_of(labels: Sequence[int], groups: Sequence[str] | None = None) -> Manifest:
    paths = tuple(f"{number}.png" for number in range(len(labels)))
    return Manifest(
        root=None,
        paths=paths,
        labels=np.array(labels, np.int32),
        classes=("a", "b", "c"),
        splits=None,
        groups=None if groups is None else tuple(groups),
        ids=image_ids(paths),
        pixels=None,
        value_range=None,
        notes=(),
    )


def test_folds_have_the_classes_in_equal_parts() -> None:
    labels = np.repeat([0, 1], [31, 62])

    folds = fold_of_rows(manifest_of(labels), np.arange(93))

    for label, images in ((0, 31), (1, 62)):
        counts = np.bincount(folds[labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
        assert counts.sum() == images


def test_a_group_is_in_one_fold() -> None:
    groups = [f"g{number // 4}" for number in range(80)]

    folds = fold_of_rows(manifest_of([n // 4 % 2 for n in range(80)], groups), np.arange(80))

    assert all(len(set(folds[start : start + 4])) == 1 for start in range(0, 80, 4))
    assert set(folds) == set(range(FOLDS))


def test_a_class_of_one_image_always_trains_and_what_cannot_be_read_is_in_no_fold() -> None:
    folds = fold_of_rows(manifest_of([0, 0, 0, 1, 1, 1, 2]), np.array([0, 1, 2, 3, 4, 6]))

    assert folds[6] == folds[5] == -1
    assert -1 not in folds[:5]
