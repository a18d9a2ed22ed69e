"""Images and labels in arrays, from an .npz file or from Keras, as a manifest."""

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from cnnrun.config.data_section import Task
from cnnrun.data.array_names import ArrayNames, ArrayPair, array_pairs
from cnnrun.data.label_sets import (
    FEW_NUMBERS,
    NUMBERS_AT_LEAST,
    REGRESSION,
    matrix_of_array,
    refuse_empty_labels,
)
from cnnrun.data.manifest import Manifest, composed, image_ids, number_labels
from cnnrun.data.sample_weights import weights_of_array
from cnnrun.errors import DataError
from cnnrun.file_kinds import not_a_file
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed, nearest

Array = npt.NDArray[Any]

ROWS_AT_ONCE = 4096


_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    MemoryError,
    RuntimeError,  # encrypted
    NotImplementedError,  # a compression that Python does not know
    TypeError,  # a header that describes no array
    SyntaxError,
    RecursionError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""What NumPy and the zip archive raise for a damaged file, by where the damage is."""


def read_npz(file: Path) -> dict[str, Array]:
    """The arrays of an .npz file, by name. Pickled objects in it are refused, not loaded.

    Raises:
        DataError: the file is absent, damaged, or holds objects.
    """
    rule = "must be an .npz file of images and labels"
    if (kind := not_a_file(file)) not in (None, "nothing", "a folder"):
        raise DataError.at(shown(file), rule=rule, received=f"{kind}", advice="correct the path")
    try:
        with file.open("rb") as stream:
            _refuse_impossible_sizes(stream)
            arrays = np.load(stream, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise DataError.at(
                    shown(file),
                    rule=rule,
                    received="a single array",
                    advice="write it with numpy.savez(file, images=images, labels=labels)",
                )
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError as error:
        siblings = [path.name for path in file.parent.glob("*.npz")]
        received, advice = "nothing: there is no such file", nearest(file.name, siblings)
        raise DataError.at(
            shown(file), rule=rule, received=received, advice=advice or "correct the path"
        ) from error
    except _UNREADABLE as error:
        pickled = "allow_pickle" in str(error)
        described = "a header that describes no array" if _is_of_a_header(error) else str(error)
        raise DataError.at(
            shown(file),
            rule=rule,
            received="Python objects or no array at all" if pickled else described,
            advice="write it with numpy.savez, images as uint8 and labels as integers or text",
        ) from error


def _is_of_a_header(error: Exception) -> bool:
    """Whether an array's header cannot be read; Python's words for it differ by version."""
    return isinstance(error, SyntaxError | tokenize.TokenError | TypeError | RecursionError)


def _refuse_impossible_sizes(stream: IO[bytes]) -> None:
    """Raise if an array's header claims more than its file holds: NumPy would make room for it."""
    if not zipfile.is_zipfile(stream):
        stream.seek(0)
        return
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            with archive.open(info) as member:
                shape, _, dtype = _header(member)
                claimed = math.prod(shape) * dtype.itemsize
                if claimed > info.file_size and not dtype.hasobject:
                    raise ValueError(
                        f"{info.filename} claims {claimed:,} bytes and has {info.file_size:,}"
                    )
    stream.seek(0)


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array, as its file says before the numbers."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member)
    return np.lib.format.read_array_header_2_0(member)


def manifest_from_arrays(
    arrays: Mapping[str, Array],
    *,
    place: str,
    names: ArrayNames,
    value_range: tuple[float, float] | None,
    classes: tuple[str, ...] | int | None,
    partial: bool,
    task: Task | None = None,
) -> Manifest:
    """Images that are in memory.

    Args:
        arrays: `x_train` and `y_train`, and for validation and test if there are any (`x_test`,
            `test_images` and so on); or `images` and `labels`, or `x` and `y`; or as `names` says.
            Images are `(images, height, width)` or `(images, height, width, channels)`. Labels are
            `(images,)` or `(images, 1)`, integers or text; of several labels an image
            `(images, labels)` of 1, 0 and -1.
        place: what messages name as the place of the arrays.
        names: which arrays to take, where their names do not say it.
        value_range: the values that stand for black and white. None says 0 and 255.
        classes: what `data.classes` says. Integers are then the position of their class in it;
            without names, classes are the sorted integers or names.
        partial: whether classes may be without images.
        task: whether an image has one label, or several or none; None for one.

    Returns:
        A manifest in the arrays' order.

    Raises:
        DataError: an array is missing, or its shape, type or values do not fit.
    """
    shapes = {name: array.shape for name, array in arrays.items()}
    pairs, unused = array_pairs(shapes, names, place=place, partial=partial)
    images = [
        checked_images(
            arrays[pair.images], place=f"{place}: {pair.images}", value_range=value_range
        )
        for pair in pairs
    ]
    if task != "multi_label" and classes is None:
        _refuse_measurements([arrays[pair.labels] for pair in pairs], f"{place}: {pairs[0].labels}")
    read = matrix_of_array if task == "multi_label" else _labels
    labels = [read(arrays[pair.labels], place=f"{place}: {pair.labels}") for pair in pairs]
    for pair, pixels, values in zip(pairs, images, labels, strict=True):
        _check_lengths(place, pair.images, len(pixels), pair.labels, len(values))
    _check_shapes(place, [pair.images for pair in pairs], images)
    if task == "multi_label":
        found, numbers = _joined_matrices(labels, classes, place=place, partial=partial)
    else:
        found, numbers = number_labels(
            _class_names(labels, classes, place),
            classes=_ordered(labels, classes),
            place=place,
            partial=partial,
        )
    paths = tuple(
        f"{name}[{row}]"
        for (name, *_), pixels in zip(pairs, images, strict=True)
        for row in range(len(pixels))
    )
    splits = tuple(pair.split for pair, pixels in zip(pairs, images, strict=True) for _ in pixels)
    return Manifest(
        root=None,
        paths=paths,
        labels=numbers,
        classes=found,
        splits=splits if any(splits) else None,
        groups=_groups(arrays, pairs, place),
        ids=image_ids(paths),
        pixels=images[0] if len(images) == 1 else np.concatenate(images),
        value_range=value_range,
        notes=(f"left out arrays that data.arrays does not name: {listed(unused)}",)
        if unused
        else (),
        weights=_weights(arrays, pairs, place),
    )


def _groups(
    arrays: Mapping[str, Array], pairs: list[ArrayPair], place: str
) -> tuple[str, ...] | None:
    """Each image's group, or None where no array says it."""
    if not any(pair.groups for pair in pairs):
        return None
    groups: list[str] = []
    for pair in pairs:
        if not pair.groups:
            raise DataError.at(
                place,
                rule="must hold groups for every split, where it holds them for one",
                received=f"none for {pair.images}",
                advice="correct data.arrays.groups",
            )
        values = arrays[pair.groups].reshape(-1)
        _check_lengths(place, pair.images, len(arrays[pair.images]), pair.groups, len(values))
        groups.extend(str(value) for value in values.tolist())
    return tuple(groups)


def _weights(
    arrays: Mapping[str, Array], pairs: list[ArrayPair], place: str
) -> npt.NDArray[np.float32] | None:
    """Each image's weight, 1 where its split has none; None where no array says it."""
    if not any(pair.weights for pair in pairs):
        return None
    weights = []
    for pair in pairs:
        images = len(arrays[pair.images])
        if not pair.weights:
            weights.append(np.ones(images, np.float32))
            continue
        array = arrays[pair.weights]
        _check_lengths(place, pair.images, images, pair.weights, len(array), "weights")
        weights.append(weights_of_array(array, place=f"{place}: {pair.weights}"))
    return np.concatenate(weights)


def checked_images(array: Array, *, place: str, value_range: tuple[float, float] | None) -> Array:
    """Images as `(images, height, width, channels)`, their values checked but not changed."""
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4 or 0 in array.shape:
        raise DataError.at(
            place,
            rule="must have the shape (images, height, width) or (images, height, width, channels)",
            received=f"shape {array.shape}",
            advice="reshape it; each length has to be 1 or more",
        )
    if is_channels_first(array.shape):
        raise DataError.at(
            place,
            rule="must have channels last, (images, height, width, channels)",
            received=f"shape {array.shape}, which looks like channels first",
            advice="write images.transpose(0, 2, 3, 1) instead",
        )
    if array.dtype.kind not in "uifb":
        raise DataError.at(
            place,
            rule="must hold numbers",
            received=f"type {array.dtype}",
            advice="convert it, to uint8 if you can",
        )
    if value_range is None and array.dtype.kind in "fb":
        raise DataError.at(
            place,
            rule="must come with the values that stand for black and white, unless it holds "
            "integers from 0 to 255",
            received=f"type {array.dtype}, values {array.min()} to {array.max()}",
            advice="give data.arrays.value_range, such as [0, 1]",
        )
    _check_values(array, place=place, value_range=value_range)
    return array.astype(np.uint8, copy=False) if value_range is None else array


def is_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether (images, a, b, c) is rather (images, channels, height, width).

    So it is where `a` is small beside `b` and `c`, which are as alike as sides are, and `c` is not
    what channels are in pictures.
    """
    _, channels, height, width = shape
    are_sides = max(height, width) <= 4 * min(height, width)
    return width > 4 and are_sides and 2 * channels <= min(height, width)


def _check_values(array: Array, *, place: str, value_range: tuple[float, float] | None) -> None:
    """Refuse values outside of the range, a part at a time so that memory stays small."""
    low, high = value_range or (0, 255)
    if array.dtype == np.uint8 and low <= 0 and high >= 255:
        return
    for start in range(0, len(array), ROWS_AT_ONCE):
        part = array[start : start + ROWS_AT_ONCE]
        # Written so that NaN, which compares as false, is refused as well.
        fits = ((part >= low) & (part <= high)).all(axis=(1, 2, 3))
        if not fits.all():
            row = int(np.argmin(fits))
            lowest, highest = part[row].min(), part[row].max()
            wide = "give data.arrays.value_range, such as [0, 65535]"
            raise DataError.at(
                f"{place}[{start + row}]",
                rule=f"must have values from {low:g} to {high:g}",
                received="a value that is not a number (NaN)"
                if np.isnan(lowest)
                else f"values from {lowest} to {highest}",
                advice=wide if value_range is None else "correct the image or the value range",
            )


def _joined_matrices(
    labels: list[Array], classes: tuple[str, ...] | int | None, *, place: str, partial: bool
) -> tuple[tuple[str, ...], Array]:
    """The labels' names, their positions where there are no others, and all arrays in one."""
    widths = sorted({array.shape[1] for array in labels})
    wanted = len(classes) if isinstance(classes, tuple) else classes
    if len(widths) > 1 or wanted not in (None, widths[0]):
        raise DataError.at(
            place,
            rule="must hold as many labels in every array as data.classes says"
            if wanted is not None
            else "must hold as many labels in every array",
            received=" and ".join(map(str, widths)) + (f", not {wanted}" if wanted else ""),
            advice="correct data.classes or the arrays",
        )
    names = classes if isinstance(classes, tuple) else tuple(map(str, range(widths[0])))
    matrix = np.concatenate(labels)
    if not partial:
        found = zip(names, (matrix == 1).any(axis=0), strict=True)
        refuse_empty_labels(names, {name for name, is_there in found if is_there}, place)
    return names, matrix


def _labels(array: Array, *, place: str) -> Array:
    """Labels as `(images,)` of integers or text."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and holds_several(array):
        raise DataError.at(
            place,
            rule="must hold one label an image, with the shape (images,)",
            received=f"shape {array.shape} of 0 and 1, several or none a row",
            advice="write `task: multi_label` under `data`, if each column says whether the image "
            "has a label",
        )
    if array.ndim != 1:
        one_hot = array.ndim == 2
        raise DataError.at(
            place,
            rule="must hold one label an image, with the shape (images,)",
            received=f"shape {array.shape}" + (", which looks like one-hot rows" * one_hot),
            advice="write labels.argmax(axis=1) instead" if one_hot else "reshape it",
        )
    if array.dtype.kind not in "uiUS":
        raise DataError.at(
            place,
            rule="must hold integers or text",
            received=f"type {array.dtype}",
            advice="convert it, with labels.astype(int) for instance",
        )
    return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array


def holds_several(array: Array) -> bool:
    """Whether rows hold 0 and 1 (or -1, for unknown), and not exactly one 1 each."""
    return (
        array.dtype.kind in "uifb"
        and bool(np.isin(array, (-1, 0, 1)).all())
        and not ((array == 1).sum(axis=1) == 1).all()
    )


def _refuse_measurements(labels: list[Array], place: str) -> None:
    """Refuse numbers that are no classes: not whole ones, or of several none twice."""
    columns = [each[:, 0] if each.ndim == 2 and each.shape[1] == 1 else each for each in labels]
    if any(each.ndim != 1 or each.dtype.kind not in "uif" for each in columns):
        return
    numbers = np.concatenate(columns)
    if not np.isfinite(numbers).all():
        return
    distinct = len(np.unique(numbers))
    each_once = distinct == len(numbers) >= NUMBERS_AT_LEAST
    if each_once or (distinct > FEW_NUMBERS and not (numbers == np.floor(numbers)).all()):
        raise DataError.at(
            place,
            rule="must hold classes, each of several images",
            received=f"{counted(distinct, 'different number')}",
            advice=f"{REGRESSION}; sort the numbers into classes",
        )


def _check_lengths(
    place: str, image_name: str, images: int, name: str, number: int, noun: str = "labels"
) -> None:
    if images != number:
        raise DataError.at(
            place,
            rule=f"must hold as many {noun} as images",
            received=f"{counted(images, 'image')} in {image_name} and "
            f"{counted(number, noun.removesuffix('s'))} in {name}",
            advice="write both arrays again from the same list",
        )


def _check_shapes(place: str, names: list[str], images: list[Array]) -> None:
    """Refuse arrays of different image sizes, channels, types or kinds of labels."""
    kinds = {f"{name} {pixels.shape[1:]}" for name, pixels in zip(names, images, strict=True)}
    if len({pixels.shape[1:] for pixels in images}) > 1:
        raise DataError.at(
            place,
            rule="must hold images of one height, width and number of channels",
            received=", ".join(sorted(kinds)),
            advice="bring them to one shape",
        )


def _class_names(
    labels: list[Array], classes: tuple[str, ...] | int | None, place: str
) -> list[str]:
    """Each image's class name; an integer is a position in `classes` where that gives names."""
    values = [value for array in labels for value in array.tolist()]
    if any(isinstance(value, str) for value in values):
        return [composed(str(value)) for value in values]
    if not isinstance(classes, tuple):
        return [str(value) for value in values]
    wrong = sorted({value for value in values if not 0 <= value < len(classes)})
    if wrong:
        raise DataError.at(
            place,
            rule=f"must have labels from 0 to {len(classes) - 1}, positions in data.classes",
            received=listed([str(value) for value in wrong]),
            advice="correct data.classes or the labels",
        )
    return [classes[value] for value in values]


def _ordered(
    labels: list[Array], classes: tuple[str, ...] | int | None
) -> tuple[str, ...] | int | None:
    """The classes in their order: integers sort as numbers, so 10 stands after 9."""
    if classes is not None and not isinstance(classes, int):
        return classes
    if any(array.dtype.kind == "U" for array in labels):
        return classes
    found = sorted({int(value) for array in labels for value in np.unique(array)})
    names = tuple(str(value) for value in found)
    if isinstance(classes, int) and classes != len(names):
        return classes
    return names
