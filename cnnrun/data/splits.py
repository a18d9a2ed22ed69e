"""Which rows train, which validate and which test."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cnnrun.config.data_section import DataSpec
from cnnrun.data.label_splits import label_fold_places, label_places
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION, Manifest, image_ids
from cnnrun.data.order import hash_order
from cnnrun.errors import DataError
from cnnrun.runs.data_states import SPLITS
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed

Rows = npt.NDArray[np.int64]
Places = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Splits:
    """The manifest's rows of each split, ascending; no row is in two of them."""

    train: Rows
    validation: Rows
    test: Rows

    @property
    def by_name(self) -> dict[str, Rows]:
        """The rows of each split, by its name."""
        return dict(zip(SPLITS, (self.train, self.validation, self.test), strict=True))

    def counts(self, manifest: Manifest) -> dict[str, tuple[int, ...]]:
        """How many images of each class a split has, by its name."""
        return {name: tuple(manifest.counts(rows).tolist()) for name, rows in self.by_name.items()}

    def names(self, *, images: int) -> list[str]:
        """The split of each of the manifest's rows, by name; empty for one that is in none."""
        names = [""] * images
        for name, rows in self.by_name.items():
            for row in rows.tolist():
                names[row] = name
        return names


def cut_splits(manifest: Manifest, data: DataSpec) -> Splits:
    """The rows of the three splits, as `data` says; see `split_rows`, `fold_rows`, `first_rows`.

    Raises:
        DataError: a class is too small to be cut, or a group has images in two given splits.
    """
    split = data.split
    validation, test = split.shares
    if split.fold is None:
        splits = split_rows(manifest, validation=validation, test=test, seed=split.seed)
    else:
        number, folds = split.fold
        splits = fold_rows(
            manifest, fold=number, folds=folds, validation=validation, seed=split.seed
        )
    if data.train_share is None and data.train_images_per_class is None:
        return splits
    sizes = manifest.counts(splits.train)
    kept = sizes
    if data.train_share is not None:
        kept = np.floor(data.train_share * kept + 0.5).astype(np.int64)
        _refuse_shares_of_nothing(manifest, data.train_share, sizes=sizes, kept=kept)
    if data.train_images_per_class is not None:
        kept = np.minimum(kept, data.train_images_per_class)
    if np.array_equal(kept, sizes):
        return splits
    return replace(splits, train=first_rows(manifest, splits.train, kept, seed=split.seed))


def first_rows(manifest: Manifest, rows: Rows, numbers: Rows, *, seed: int) -> Rows:
    """Of each class so many of the rows, ascending: the first by a hash of (seed, path).

    Fewer are a part of more, and to add or take away other images changes no order.

    Args:
        manifest: the images.
        rows: those that are chosen from.
        numbers: `(classes,)`, how many of each class.
        seed: of the hash.
    """
    order = rows[hash_order(manifest.ids[rows], seed=seed, stream="train_images_per_class")]
    labels = manifest.labels[order]
    kept = [
        order[labels == label][:number].astype(np.int64)
        for label, number in enumerate(numbers.tolist())
    ]
    return np.sort(np.concatenate(kept))


def _refuse_shares_of_nothing(manifest: Manifest, share: float, *, sizes: Rows, kept: Rows) -> None:
    """Raise where a share of a class's training images is less than half an image."""
    few = [
        f"{share:g} x {counted(int(size), 'image')} of {name}"
        for name, size, number in zip(manifest.classes, sizes, kept, strict=True)
        if size and not number
    ]
    if few:
        raise DataError.at(
            "data.train_share",
            rule="must leave a training image of every class that has some",
            received=listed(few),
            advice="take a larger share (a study tries those of `--values`), or add images of it",
        )


def left_out_note(manifest: Manifest, data: DataSpec, splits: Splits) -> str:
    """What is left out of the training images, in a sentence; empty where it is nothing.

    `data.train_images_per_class` and `data.train_share` leave some out.
    """
    at_most, share = data.train_images_per_class, data.train_share
    if at_most is None and share is None:
        return ""
    asked = [
        f"data.{key}: {value:g}"
        for key, value in (("train_images_per_class", at_most), ("train_share", share))
        if value is not None
    ]
    whole = cut_splits(manifest, replace(data, train_images_per_class=None, train_share=None)).train
    left = len(whole) - len(splits.train)
    sizes = np.bincount(manifest.labels[splits.train], minlength=len(manifest.classes))
    fewer = [
        f"{name} ({size})"
        for name, size in zip(manifest.classes, sizes.tolist(), strict=True)
        if at_most is not None and size < at_most
    ]
    only = f"; fewer are there of {listed(fewer)}" if fewer and share is None else ""
    leaves = "leaves" if len(asked) == 1 else "leave"
    return (
        f"{' and '.join(asked)} {leaves} {left:,} of {len(whole):,} training images"
        f" out, which are in no split{only}"
    )


def split_rows(manifest: Manifest, *, validation: float, test: float, seed: int) -> Splits:
    """The rows of the three splits, cut by class; splits that the source gives are kept.

    Within a class, images (or whole groups, each counted to the class that most of its images
    have) are sorted by a hash of (seed, path). Test images are cut off the low end and validation
    images off the high end, so that adding images changes little. Sizes follow Webster's method of
    apportionment (Sainte-Laguë), each split having at least one: within one of the exact share, and
    one more image enlarges exactly one split. Hence k more images of a class move at most
    k + max(growth of test, growth of validation) of the others, and almost always fewer than k.

    Args:
        manifest: the images.
        validation: the share of the images that validate; of those that the source gives to
            training, where it names splits itself but none for validation.
        test: the share that tests, likewise.
        seed: chooses the cut. It is not the run's seed: runs that differ in theirs alone train on
            the same images.

    Returns:
        Ascending rows of each split.

    Raises:
        DataError: a class is too small to be cut, or a group has images in two given splits.
    """
    given = _given_splits(manifest)
    cut_validation = 0.0 if given[VALIDATION].size else validation
    cut_test = 0.0 if given[TEST].size else test
    places_of = label_places if manifest.is_multi_label else _class_places
    row_place = places_of(
        manifest, given[TRAIN], cut_validation=cut_validation, cut_test=cut_test, seed=seed
    )
    splits = Splits(
        train=given[TRAIN][row_place == 0],
        validation=np.sort(np.concatenate([given[VALIDATION], given[TRAIN][row_place == 2]])),
        test=np.sort(np.concatenate([given[TEST], given[TRAIN][row_place == 1]])),
    )
    refuse_untrained_classes(manifest, splits)
    return splits


def _class_places(
    manifest: Manifest, rows: Rows, *, cut_validation: float, cut_test: float, seed: int
) -> Places:
    """Whether each row trains (0), tests (1) or validates (2), cut by class."""
    units = _Units.of(manifest, rows, seed=seed)
    _check_sizes(manifest, units, cut_validation=cut_validation, cut_test=cut_test)
    place = np.zeros(len(units.sizes), dtype=np.int8)
    for label in range(len(manifest.classes)):
        members = np.flatnonzero(units.labels == label)
        low, high = _cut(units.sizes[members], validation=cut_validation, test=cut_test)
        place[members[:low]] = 1
        place[members[len(members) - high :]] = 2
    return place[units.of_row]


def fold_rows(manifest: Manifest, *, fold: int, folds: int, validation: float, seed: int) -> Splits:
    """The rows of the three splits where one of several folds is the test.

    Within a class, images (or whole groups) stand in the order of `split_rows`, cut into folds of
    as equal sizes as can be; each image is tested in exactly one fold. Validation images are the
    ones that follow the fold in that order, which goes on at its beginning.

    Args:
        manifest: the images; splits that the source gives to validation are kept.
        fold: the number of the fold, from 1.
        folds: how many there are.
        validation: the share of the images that validate.
        seed: chooses the folds.

    Raises:
        DataError: a class has fewer images (or groups) than there are folds, the source gives a
            test split of its own, or a group has images in two given splits.
    """
    given = _given_splits(manifest)
    if given[TEST].size:
        raise DataError.at(
            "the images" if manifest.root is None else shown(manifest.root),
            rule="must leave the test images to the folds",
            received=f"{counted(len(given[TEST]), 'image')} that the source gives to the test",
            advice="leave folds away, or let the source say nothing of a test split",
        )
    cut_validation = 0.0 if given[VALIDATION].size else validation
    places_of = label_fold_places if manifest.is_multi_label else _class_fold_places
    row_place = places_of(
        manifest, given[TRAIN], fold=fold, folds=folds, cut_validation=cut_validation, seed=seed
    )
    splits = Splits(
        train=given[TRAIN][row_place == 0],
        validation=np.sort(np.concatenate([given[VALIDATION], given[TRAIN][row_place == 2]])),
        test=given[TRAIN][row_place == 1],
    )
    refuse_untrained_classes(manifest, splits)
    return splits


def _class_fold_places(
    manifest: Manifest, rows: Rows, *, fold: int, folds: int, cut_validation: float, seed: int
) -> Places:
    """Whether each row trains (0), tests (1) or validates (2), the fold cut by class."""
    units = _Units.of(manifest, rows, seed=seed)
    needed = max(folds, 3) if cut_validation else folds
    _refuse_small_classes(
        manifest, units, needed=needed, why=f"for {folds} folds", advice="take fewer folds"
    )
    place = np.zeros(len(units.sizes), dtype=np.int8)
    for label in np.unique(units.labels):
        members = np.flatnonzero(units.labels == label)
        ends = _fold_ends(units.sizes[members], folds)
        start, end = ends[fold - 1], ends[fold]
        place[members[start:end]] = 1
        others = np.concatenate([members[end:], members[:start]])
        wanted = round(cut_validation * int(units.sizes[members].sum()))
        images = max(1, wanted) if cut_validation else 0
        high = _nearest_prefix(units.sizes[others], images, at_most=len(others) - 1)
        place[others[:high]] = 2
    return place[units.of_row]


def _fold_ends(sizes: Rows, folds: int) -> list[int]:
    """Where each fold ends in a list of at least as many units, 0 in front."""
    images = np.concatenate([[0], np.cumsum(sizes)])
    ends = [0]
    for number in range(1, folds):
        nearest = int(np.argmin(np.abs(images - images[-1] * number / folds)))
        ends.append(min(max(nearest, ends[-1] + 1), len(sizes) - (folds - number)))
    return [*ends, len(sizes)]


@dataclass(frozen=True, eq=False)
class _Units:
    """What a cut may not divide, in the order of their hashes: single images, or groups.

    Attributes:
        labels: `(units,)`, the class that a unit counts to.
        sizes: `(units,)`, how many images it has.
        of_row: `(rows,)`, the unit of each row.
        noun: what to call one.
    """

    labels: npt.NDArray[np.int32]
    sizes: Rows
    of_row: Rows
    noun: str

    @staticmethod
    def of(manifest: Manifest, rows: Rows, *, seed: int) -> "_Units":
        labels = manifest.labels[rows]
        if manifest.groups is None:
            order = hash_order(manifest.ids[rows], seed=seed)
            return _Units(labels[order], np.ones_like(order), np.argsort(order), "image")
        names = sorted({manifest.groups[row] for row in rows})
        number = {name: index for index, name in enumerate(names)}
        order = hash_order(image_ids(names), seed=seed)
        rank = np.argsort(order)
        of_row = np.array([rank[number[manifest.groups[row]]] for row in rows], dtype=np.int64)
        counts = np.zeros((len(names), len(manifest.classes)), dtype=np.int64)
        np.add.at(counts, (of_row, labels), 1)
        return _Units(counts.argmax(axis=1).astype(np.int32), counts.sum(axis=1), of_row, "group")


def _given_splits(manifest: Manifest) -> dict[str, Rows]:
    """The rows that the source itself gives to each split; all train where it gives none."""
    rows = np.arange(len(manifest), dtype=np.int64)
    if manifest.splits is None:
        return {TRAIN: rows, VALIDATION: rows[:0], TEST: rows[:0]}
    if manifest.groups is not None:
        _check_groups(manifest.groups, manifest.splits)
    names = np.array(manifest.splits)
    return {split: rows[names == split] for split in SPLITS}


def _check_groups(groups: tuple[str, ...], splits: tuple[str, ...]) -> None:
    seen: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        seen.setdefault(group, set()).add(split)
    straddling = sorted(group for group, found in seen.items() if len(found) > 1)
    if straddling:
        raise DataError.at(
            "the images",
            rule="must have all images of a group in one split",
            received=f"{counted(len(straddling), 'group')} in two or more: {listed(straddling)}",
            advice="correct the split column, or leave it out and let groups be cut whole",
        )


def _check_sizes(
    manifest: Manifest, units: _Units, *, cut_validation: float, cut_test: float
) -> None:
    purposes = ["training", *["validation"] * (cut_validation > 0), *["test"] * (cut_test > 0)]
    _refuse_small_classes(
        manifest,
        units,
        needed=len(purposes),
        why=f"one each for {', '.join(purposes)}",
        advice="cut fewer splits (data.split)",
    )


def _refuse_small_classes(
    manifest: Manifest, units: _Units, *, needed: int, why: str, advice: str
) -> None:
    sizes = np.bincount(units.labels, minlength=len(manifest.classes))
    small = [
        f"{name} has {counted(int(size), units.noun)}"
        for name, size in zip(manifest.classes, sizes, strict=True)
        if 0 < size < needed
    ]
    if small:
        raise DataError.at(
            "the images" if manifest.root is None else shown(manifest.root),
            rule=f"must have at least {needed} {units.noun}s of every class, {why}",
            received=listed(small),
            advice=f"add images, leave the class out, or {advice}",
        )


def refuse_untrained_classes(manifest: Manifest, splits: Splits) -> None:
    """Raise unless every class has training images.

    Raises:
        DataError: a class has none.
    """
    trained = manifest.counts(splits.train)
    missing = [name for name, number in zip(manifest.classes, trained, strict=True) if not number]
    if missing:
        raise DataError.at(
            "the images" if manifest.root is None else shown(manifest.root),
            rule="must leave images of every class for training",
            received=f"none of {listed(missing)}",
            advice="add images of it, or lower data.split.validation and data.split.test",
        )


def _cut(sizes: Rows, *, validation: float, test: float) -> tuple[int, int]:
    """How many units to cut off the low end for testing and off the high end for validation."""
    if not len(sizes):
        return 0, 0
    test_images, validation_images = _apportion(int(sizes.sum()), validation=validation, test=test)
    spare = len(sizes) - 1
    low = _nearest_prefix(sizes, test_images, at_most=spare - (validation_images > 0))
    high = _nearest_prefix(sizes[::-1], validation_images, at_most=spare - low)
    return low, high


def _nearest_prefix(sizes: Rows, images: int, *, at_most: int) -> int:
    """How many units from the front have a number of images nearest to the wanted one."""
    if images == 0:
        return 0
    distances = np.abs(np.cumsum(sizes) - images)
    return min(int(np.argmin(distances)) + 1, at_most)


def _apportion(images: int, *, validation: float, test: float) -> tuple[int, int]:
    """How many images test and how many validate.

    Webster's method hands out one image after the other, to the split with the highest
    share / (2 * images so far + 1). Its first image goes to each split ahead of all that.
    """
    turns, owners = [], []
    for owner, share in enumerate((1 - validation - test, test, validation)):
        if share <= 0:
            continue
        seats = np.arange(int(share * images) + 2)
        turn = (seats + 0.5) / share
        turn[0] = -1.0
        turns.append(turn)
        owners.append(np.full(len(seats), owner))
    first = np.argsort(np.concatenate(turns), kind="stable")[:images]
    seats_of = np.bincount(np.concatenate(owners)[first], minlength=3)
    return int(seats_of[1]), int(seats_of[2])
