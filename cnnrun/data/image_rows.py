"""From images whose labels, splits and groups are known as text to a manifest."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cnnrun.data.label_sets import ReadSets, matrix_of_sets
from cnnrun.data.layouts import Placed
from cnnrun.data.manifest import Layout, Manifest, image_ids, number_labels
from cnnrun.errors import DataError
from cnnrun.wording import counted, listed


def manifest_of_rows(
    root: Path,
    rows: Sequence[Placed],
    *,
    classes: tuple[str, ...] | int | None,
    partial: bool,
    place: str,
    layout: Layout | None,
    notes: Sequence[str],
    several: ReadSets | None = None,
    identities: Callable[[Sequence[str]], Sequence[str]] = tuple,
) -> Manifest:
    """The manifest of some images.

    Images without a label, and those without a split where others have one, are left out and said;
    so are those whose class is not among the given ones.

    Args:
        root: the folder that paths are relative to.
        rows: the images.
        classes: what `data.classes` says.
        partial: whether classes may be without images; others than the given ones are refused then.
        place: what messages name as the place of the images.
        layout: how the folder was read, for resolved.yaml.
        notes: what is said already.
        several: how the labels were read where an image may have several; the rows hold them.
        identities: of paths, what their ids are made of.

    Raises:
        DataError: no image is left, or the classes do not fit.
    """
    said = list(notes)
    rows = _kept(rows, lambda row: row.is_labelled, "a label", said, place)
    if any(row.split for row in rows):
        rows = _kept(rows, lambda row: bool(row.split), "a split", said, place)
    if several is None:
        rows = _positions_named(rows, classes)
        if isinstance(classes, tuple) and not partial:
            rows = _selected(rows, classes, said)
    rows = sorted(rows, key=lambda row: row.path)
    paths = tuple(row.path for row in rows)
    if several is None:
        names, labels = number_labels(
            [row.label for row in rows], classes=classes, place=place, partial=partial
        )
    else:
        names, labels = matrix_of_sets(
            [row.labels for row in rows if row.labels is not None],
            order=several.order,
            classes=classes,
            place=place,
            partial=partial,
            said=said,
        )
    has_splits = any(row.split for row in rows)
    has_groups = any(row.group for row in rows)
    weights = _weights(rows, said)
    return Manifest(
        root=root,
        paths=paths,
        labels=labels,
        classes=names,
        splits=tuple(row.split for row in rows) if has_splits else None,
        groups=tuple(row.group or row.path for row in rows) if has_groups else None,
        ids=image_ids(identities(paths)),
        pixels=None,
        value_range=None,
        notes=tuple(said),
        layout=layout,
        weights=weights,
        separator=several.separator if several is not None else None,
    )


def _weights(rows: Sequence[Placed], said: list[str]) -> npt.NDArray[np.float32] | None:
    lacking = [row.path for row in rows if row.weight is None]
    if len(lacking) == len(rows):
        return None
    if lacking:
        images = counted(len(lacking), "image")
        said.append(f"the weight is 1 for {images} without: {listed(lacking)}")
    return np.array([1 if row.weight is None else row.weight for row in rows], dtype=np.float32)


def _kept(
    rows: Sequence[Placed], has_it: Callable[[Placed], bool], what: str, said: list[str], place: str
) -> Sequence[Placed]:
    lacking = [row.path for row in rows if not has_it(row)]
    if not lacking:
        return rows
    if len(lacking) == len(rows):
        raise DataError.at(
            place,
            rule=f"must say of every image that is used {what}",
            received=f"{counted(len(rows), 'image')} without one",
            advice="give data.layout or the column of a table that says it",
        )
    said.append(f"left out {counted(len(lacking), 'image')} without {what}: {listed(lacking)}")
    return [row for row in rows if has_it(row)]


def _positions_named(
    rows: Sequence[Placed], classes: tuple[str, ...] | int | None
) -> Sequence[Placed]:
    """Whole-number labels as positions in the given names, where no name is a number itself."""
    if not isinstance(classes, tuple) or any(name.isdecimal() for name in classes):
        return rows
    labels = {row.label for row in rows}
    if not all(label.isdecimal() for label in labels):
        return rows
    first = first_position({int(label) for label in labels}, len(classes))
    if first is None:
        return rows
    return [row._replace(label=classes[int(row.label) - first]) for row in rows]


def first_position(numbers: Collection[int], classes: int) -> int | None:
    """Whether numbers of classes count from 0 or from 1; None where they are not numbers of these.

    From 1 only where the number of the last class, counted so, is among them, and 0 is not.
    """
    first = 1 if max(numbers, default=0) == classes and min(numbers) > 0 else 0
    return first if max(numbers, default=0) - first < classes else None


def _selected(
    rows: Sequence[Placed], classes: tuple[str, ...], said: list[str]
) -> Sequence[Placed]:
    """The images of the given classes, where all of these are there."""
    found = {row.label for row in rows}
    others = sorted(found - set(classes))
    if not others or not found.issuperset(classes):
        return rows
    kept = [row for row in rows if row.label in set(classes)]
    said.append(
        f"left out {counted(len(rows) - len(kept), 'image')} of classes that data.classes does not"
        f" name: {listed(others)}"
    )
    return kept


def classes_in_order(
    rows: Sequence[Placed], classes: tuple[str, ...] | int | None
) -> tuple[str, ...] | int | None:
    """What `data.classes` says, or else the classes of some images if they are whole numbers.

    These sort as numbers: 10 stands after 9.
    """
    labels = {row.label for row in rows if row.label}
    if not labels or isinstance(classes, tuple):
        return classes
    _, names = labels_in_order(sorted(labels), None)
    return names if isinstance(names, tuple) and classes in (None, len(names)) else classes


def labels_in_order(
    labels: Sequence[str], classes: tuple[str, ...] | int | None
) -> tuple[list[str], tuple[str, ...] | int | None]:
    """Labels as names, and the classes in their order.

    Whole numbers are positions in given names, and else sort as numbers: 10 stands after 9.
    """
    rows = _positions_named([Placed("", label, "", "") for label in labels], classes)
    names = [row.label for row in rows]
    if classes is None and all(name.isdecimal() for name in names):
        return names, tuple(sorted(set(names), key=int))
    return names, classes
