"""The list of all images with their labels, before a single one of them is decoded."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnrun.data.packed_images import ImageFile, Packing
from cnnrun.errors import DataError
from cnnrun.runs.data_states import SPLITS
from cnnrun.wording import counted, listed, nearest

TRAIN, VALIDATION, TEST = SPLITS


@dataclass(frozen=True)
class Layout:
    """How a folder is read; the values of `data.layout`, `data.split` and `data.exclude`.

    Attributes:
        patterns: where class, split and group stand in a path; the first that covers it counts.
        words: for a split, what `{split}` calls it; others keep their usual words.
        exclude: patterns of what is left out.
    """

    patterns: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Manifest:
    """Every image of a data source, one row an image.

    Attributes:
        root: the folder that `paths` are relative to; None where the images are arrays.
        paths: each image's path with forward slashes, or its place in an array: `x_train[17]`.
        labels: `(images,)`, each an index into `classes`; where an image may have several labels
            `(images, classes)` of 1, 0, and -1 for unknown.
        classes: the names of classes or labels in the order of the network's outputs.
        splits: "train", "validation" or "test" a row, where the source says so; otherwise None.
        groups: a name a row; images of one group never come into different splits. Or None.
        ids: `(images,)`, a hash of the path; what order and draws depend on (see order.py).
        pixels: `(images, height, width, channels)` where the images are arrays; otherwise None.
        value_range: the values in `pixels` that stand for black and white (0 and 255), where they
            are not 0 and 255 themselves.
        notes: what a person should know about how the source was read, a sentence each.
        layout: how a folder was read; None for other sources.
        weights: `(images,)`, how much each image counts in the training loss; None for all alike.
        separator: what parts the labels of an image in a table's cell; None where none does.
        packing: where the images lie in files that hold many; `root` is then the folder of these.
    """

    root: Path | None
    paths: tuple[str, ...]
    labels: npt.NDArray[np.int32]
    classes: tuple[str, ...]
    splits: tuple[str, ...] | None
    groups: tuple[str, ...] | None
    ids: npt.NDArray[np.uint64]
    pixels: npt.NDArray[Any] | None
    value_range: tuple[float, float] | None
    notes: tuple[str, ...]
    layout: Layout | None = None
    weights: npt.NDArray[np.float32] | None = None
    separator: str | None = None
    packing: Packing | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def is_multi_label(self) -> bool:
        """Whether an image may have several labels, or none."""
        return self.labels.ndim == 2

    def counts(self, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        """How many of some rows are of each class, or have each label, `(classes,)`."""
        return self.sums(rows, np.ones(len(rows))).astype(np.int64)

    def sums(
        self, rows: npt.NDArray[np.integer[Any]], weights: npt.NDArray[np.floating[Any]]
    ) -> npt.NDArray[np.float64]:
        """The sum of weights of some rows, `(rows,)`, by class or label: `(classes,)`."""
        labels = self.labels[rows]
        if self.is_multi_label:
            return np.asarray(weights @ (labels == 1), dtype=np.float64)
        counted = np.bincount(labels, weights, minlength=len(self.classes))
        return counted.astype(np.float64, copy=False)

    def first_labels(self, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
        """One number an image to lay images out by: its class, or the first label that it has.

        Images without a label have the number that follows the last one.
        """
        labels = self.labels[rows]
        if not self.is_multi_label:
            return np.asarray(labels)
        present = labels == 1
        first = np.where(present.any(axis=1), present.argmax(axis=1), len(self.classes))
        return first.astype(np.int32)

    def label_text(self, row: int) -> str:
        """An image's class; of several labels all, `cat|dog`, unknown ones as `?mouse`."""
        if not self.is_multi_label:
            return self.classes[int(self.labels[row])]
        values = zip(self.classes, self.labels[row].tolist(), strict=True)
        marks = {1: "", -1: "?"}
        return "|".join(f"{marks[value]}{name}" for name, value in values if value in marks)

    def file(self, row: int) -> ImageFile:
        """The file of an image that is one, or the part of a file that it is."""
        if self.packing is not None:
            return self.packing.image(row, self.paths[row])
        if self.root is None:
            raise ValueError(f"{self.paths[row]} is in memory and has no file")
        return self.root / self.paths[row]


def image_ids(paths: Iterable[str]) -> npt.NDArray[np.uint64]:
    """A number for each path that depends on the path alone.

    The number is the first eight bytes of BLAKE2b. Names are brought to Unicode's composed form
    first, because the same folder copied from macOS has decomposed ones.

    Returns:
        `(images,)` of unsigned 64-bit integers.
    """
    digests = (blake2b(composed(path).encode(), digest_size=8).digest() for path in paths)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def number_labels(
    names: Sequence[str],
    *,
    classes: tuple[str, ...] | int | None,
    place: str,
    partial: bool,
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The classes, and each image's label as an index into them.

    Args:
        names: each image's class name.
        classes: what `data.classes` says: names in their order, their number, or nothing. Without
            names the classes are the sorted names.
        place: what messages name as the place of the labels.
        partial: whether images may lack some of the given classes, as test images may.

    Returns:
        The classes' names, and `(images,)` labels.

    Raises:
        DataError: the names found and `classes` disagree, or there are fewer than two classes.
    """
    found = sorted(set(names))
    if isinstance(classes, tuple):
        _check_names(found, classes=classes, place=place, partial=partial)
        found = list(classes)
    elif isinstance(classes, int) and classes != len(found):
        raise DataError.at(
            place,
            rule=f"must have as many classes as data.classes says, {classes}",
            received=f"{counted(len(found), 'class', 'classes')}: {listed(found)}",
            advice="correct data.classes or the labels",
        )
    if len(found) < 2 and not partial:
        raise DataError.at(
            place,
            rule="must have at least two classes",
            received=f"one: {found[0]}" if found else "none",
            advice="add images of another class to tell it from",
        )
    index = {name: number for number, name in enumerate(found)}
    labels = np.fromiter((index[name] for name in names), dtype=np.int32, count=len(names))
    return tuple(found), labels


def _check_names(
    found: Sequence[str], *, classes: tuple[str, ...], place: str, partial: bool
) -> None:
    unknown = [name for name in found if name not in set(classes)]
    absent = [name for name in classes if name not in set(found)]
    if unknown:
        raise DataError.at(
            place,
            rule=f"must have only classes that are known ({listed(classes)})",
            received=listed(unknown),
            advice=nearest(unknown[0], classes) or "correct data.classes or the labels",
        )
    if absent and not partial:
        raise DataError.at(
            place,
            rule=f"must have images of every class that data.classes names ({listed(classes)})",
            received=f"no images of {listed(absent)}",
            advice=nearest(absent[0], found) or "correct data.classes or add images",
        )
