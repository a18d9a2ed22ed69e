"""Splits of images with several labels: iterative stratification, of groups as wholes.

Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label data": the label with
the fewest images left is dealt out first, each of its images to the split that lacks most of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnrun.data.manifest import Manifest, image_ids
from cnnrun.data.order import hash_order
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed

Rows = npt.NDArray[np.int64]
Places = npt.NDArray[np.int8]
Counts = npt.NDArray[np.int64]


def label_places(
    manifest: Manifest, rows: Rows, *, cut_validation: float, cut_test: float, seed: int
) -> Places:
    """Whether each row trains (0), tests (1) or validates (2).

    The outcome depends on the images' paths, labels and groups alone, not on their order. Each
    label has at least one image in each split, as far as the labels that it stands beside allow it.

    Args:
        manifest: the images, whose labels are a matrix.
        rows: those that are cut.
        cut_validation: the share that validates; 0 for none.
        cut_test: the share that tests; 0 for none.
        seed: chooses the cut.

    Raises:
        DataError: a label has fewer images (or groups) than there are splits.
    """
    units = _Units.of(manifest, rows, seed=seed)
    purposes = ["training", *["validation"] * (cut_validation > 0), *["test"] * (cut_test > 0)]
    _refuse_rare_labels(
        manifest,
        units,
        needed=len(purposes),
        why=f"one each for {', '.join(purposes)}",
        advice="cut fewer splits (data.split)",
    )
    shares = (1 - cut_validation - cut_test, cut_test, cut_validation)
    return stratified(units.counts, units.sizes, shares)[units.of_row]


def label_fold_places(
    manifest: Manifest, rows: Rows, *, fold: int, folds: int, cut_validation: float, seed: int
) -> Places:
    """Whether each row trains (0), tests (1) or validates (2) where one of several folds tests.

    Args:
        manifest: the images, whose labels are a matrix.
        rows: those that are cut.
        fold: the number of the fold, from 1.
        folds: how many there are.
        cut_validation: the share of the images that validates; 0 for none.
        seed: chooses the folds.

    Raises:
        DataError: a label has fewer images (or groups) than there are folds.
    """
    units = _Units.of(manifest, rows, seed=seed)
    _refuse_rare_labels(
        manifest,
        units,
        needed=max(folds, 3) if cut_validation else folds,
        why=f"for {folds} folds",
        advice="take fewer folds",
    )
    is_test = _folds_of(units, folds) == fold - 1
    place = np.where(is_test, 1, 0).astype(np.int8)
    others = np.flatnonzero(~is_test)
    share = min(0.5, cut_validation * folds / (folds - 1))
    validates = stratified(units.counts[others], units.sizes[others], (1 - share, share))
    place[others[validates == 1]] = 2
    return place[units.of_row]


def label_fold_numbers(manifest: Manifest, rows: Rows, *, folds: int, seed: int) -> Places:
    """The fold of each row, from 0 on; see `label_fold_places`.

    Args:
        manifest: the images, whose labels are a matrix.
        rows: those that are dealt out.
        folds: how many there are.
        seed: chooses them.
    """
    units = _Units.of(manifest, rows, seed=seed)
    return _folds_of(units, folds)[units.of_row]


def _folds_of(units: "_Units", folds: int) -> Places:
    return stratified(units.counts, units.sizes, (1 / folds,) * folds)


def stratified(counts: Counts, sizes: Counts, shares: Sequence[float]) -> Places:
    """The part `(units,)` that each unit is dealt to, so that labels are shared out evenly.

    Args:
        counts: `(units, labels)`, how many images of a unit have a label; units in the order in
            which equal ones are dealt out.
        sizes: `(units,)`, how many images a unit has.
        shares: of each part; one of 0 gets nothing. The first one gives to the others what they
            lack of one image of each label.
    """
    parts = np.asarray(shares)
    totals = counts.sum(axis=0)
    wanted = np.where(parts[:, None] > 0, np.maximum(parts[:, None] * totals, 1.0), -np.inf)
    wanted[0] = totals - np.where(parts[1:, None] > 0, wanted[1:], 0).sum(axis=0)
    room = np.where(parts > 0, parts * sizes.sum(), -np.inf)
    place = np.full(len(sizes), -1, dtype=np.int8)

    def deal(unit: int, part: int) -> None:
        place[unit] = part
        wanted[part] -= counts[unit]
        room[part] -= sizes[unit]

    while True:
        left = (counts[place < 0] > 0).sum(axis=0)
        if not left.any():
            break
        label = int(np.argmin(np.where(left > 0, left, np.iinfo(np.int64).max)))
        members = np.flatnonzero((place < 0) & (counts[:, label] > 0))
        # Large units first: small ones can still even out what they leave.
        for unit in members[np.argsort(-counts[members, label], kind="stable")].tolist():
            lacking = wanted[:, label]
            best = np.flatnonzero(lacking == lacking.max())
            deal(unit, int(best[np.argmax(room[best])]))
    for unit in np.flatnonzero(place < 0).tolist():
        deal(unit, int(np.argmax(room)))
    return place


@dataclass(frozen=True, eq=False)
class _Units:
    """What a cut may not divide, in the order of their hashes: single images, or groups.

    Attributes:
        counts: `(units, labels)`, how many of its images have a label.
        sizes: `(units,)`, how many images it has.
        of_row: `(rows,)`, the unit of each row.
        noun: what to call one.
    """

    counts: Counts
    sizes: Counts
    of_row: Rows
    noun: str

    @staticmethod
    def of(manifest: Manifest, rows: Rows, *, seed: int) -> "_Units":
        present = (manifest.labels[rows] == 1).astype(np.int64)
        if manifest.groups is None:
            order = hash_order(manifest.ids[rows], seed=seed)
            return _Units(present[order], np.ones_like(order), np.argsort(order), "image")
        names = sorted({manifest.groups[row] for row in rows})
        number = {name: index for index, name in enumerate(names)}
        rank = np.argsort(hash_order(image_ids(names), seed=seed))
        of_row = np.array([rank[number[manifest.groups[row]]] for row in rows], dtype=np.int64)
        counts = np.zeros((len(names), len(manifest.classes)), dtype=np.int64)
        np.add.at(counts, of_row, present)
        return _Units(counts, np.bincount(of_row, minlength=len(names)), of_row, "group")


def _refuse_rare_labels(
    manifest: Manifest, units: _Units, *, needed: int, why: str, advice: str
) -> None:
    having = (units.counts > 0).sum(axis=0)
    rare = [
        f"{name} has {counted(int(number), units.noun)}"
        for name, number in zip(manifest.classes, having, strict=True)
        if number < needed
    ]
    if rare:
        raise DataError.at(
            "the images" if manifest.root is None else shown(manifest.root),
            rule=f"must have at least {needed} {units.noun}s of every label, {why}",
            received=listed(rare),
            advice=f"add images, leave the label out (data.classes), or {advice}",
        )
