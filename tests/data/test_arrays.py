"""Arrays as manifests. Oracle: the arrays that each test makes."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import manifest_from_arrays, read_npz
from cnnrun.data.manifest import Manifest, image_ids
from cnnrun.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def of_arrays(
    arrays: dict[str, Any],
    *,
    value_range: tuple[float, float] | None = None,
    classes: tuple[str, ...] | int | None = None,
) -> Manifest:
    return manifest_from_arrays(
        arrays,
        place="digits.npz",
        names=ArrayNames(),
        value_range=value_range,
        classes=classes,
        partial=False,
    )


def test_images_and_labels() -> None:
    manifest = of_arrays({"images": IMAGES, "labels": LABELS})

    assert manifest.root is None
    assert manifest.paths[:2] == ("images[0]", "images[1]")
    assert manifest.classes == ("0", "1", "2")
    assert manifest.labels.tolist() == LABELS.tolist()
    assert manifest.labels.dtype == np.int32
    assert manifest.splits is None
    assert manifest.pixels is IMAGES, "not copied"
    assert manifest.ids.tolist() == image_ids(manifest.paths).tolist()


def test_splits() -> None:
    manifest = of_arrays(
        {
            "x_train": IMAGES[:3],
            "y_train": LABELS[:3],
            "x_test": IMAGES[3:5],
            "y_test": LABELS[3:5],
            "x_validation": IMAGES[5:],
            "y_validation": LABELS[5:],
        }
    )

    assert manifest.splits == ("train", "train", "train", "validation", "test", "test")
    assert manifest.paths == (
        "x_train[0]",
        "x_train[1]",
        "x_train[2]",
        "x_validation[0]",
        "x_test[0]",
        "x_test[1]",
    )
    assert manifest.labels.tolist() == [0, 1, 2, 2, 0, 1]
    assert np.array_equal(manifest.pixels, IMAGES[[0, 1, 2, 5, 3, 4]])


def test_grey_images_get_a_channel() -> None:
    manifest = of_arrays({"x": IMAGES[..., 0], "y": LABELS})

    assert manifest.pixels is not None
    assert manifest.pixels.shape == (6, 4, 5, 1)


def test_labels_in_a_column_as_cifar_has_them() -> None:
    assert of_arrays({"x": IMAGES, "y": LABELS[:, np.newaxis]}).labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("dtype", [str, "S3"])
def test_labels_as_text(dtype: str) -> None:
    labels = np.array(["dog", "cat", "cow"] * 2).astype(dtype)

    manifest = of_arrays({"x": IMAGES, "y": labels})

    assert manifest.classes == ("cat", "cow", "dog")
    assert manifest.labels.tolist() == [2, 0, 1, 2, 0, 1]


def test_integers_sort_as_numbers() -> None:
    manifest = of_arrays({"x": IMAGES, "y": np.array([9, 10, 100, 9, 10, 100])})

    assert manifest.classes == ("9", "10", "100")
    assert manifest.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_integers_are_positions_in_given_classes() -> None:
    manifest = of_arrays({"x": IMAGES, "y": LABELS}, classes=("shirt", "bag", "coat"))

    assert manifest.classes == ("shirt", "bag", "coat")
    assert manifest.labels.tolist() == LABELS.tolist()


def test_floats_with_a_range_are_kept_as_they_are() -> None:
    images = IMAGES / 255.0

    manifest = of_arrays({"x": images, "y": LABELS}, value_range=(0, 1))

    assert manifest.pixels is images
    assert manifest.value_range == (0, 1)


def test_small_integers_of_a_wide_type_are_pixels() -> None:
    manifest = of_arrays({"x": IMAGES.astype(np.int64), "y": LABELS})

    assert manifest.pixels is not None
    assert manifest.pixels.dtype == np.uint8
    assert np.array_equal(manifest.pixels, IMAGES)


@pytest.mark.parametrize(
    ("arrays", "arguments"),
    [
        pytest.param({"faces": IMAGES, "moods": LABELS}, {}, id="other-names"),
        pytest.param({}, {}, id="none"),
        pytest.param({"x_train": IMAGES, "label": LABELS}, {}, id="no-labels"),
        pytest.param({"y": LABELS}, {}, id="no-images"),
        pytest.param({"x_test": IMAGES, "y_test": LABELS}, {}, id="no-train"),
        pytest.param(
            {"x": IMAGES, "y": LABELS, "x_train": IMAGES, "y_train": LABELS}, {}, id="both-forms"
        ),
        pytest.param({"x": IMAGES.reshape(6, 60), "y": LABELS}, {}, id="flat-images"),
        pytest.param({"x": IMAGES[:0], "y": LABELS[:0]}, {}, id="no-image"),
        pytest.param({"x": IMAGES.astype("U3"), "y": LABELS}, {}, id="text-images"),
        pytest.param({"x": IMAGES / 255, "y": LABELS}, {}, id="floats"),
        pytest.param({"x": IMAGES > 127, "y": LABELS}, {}, id="booleans"),
        pytest.param({"x": IMAGES.astype(np.uint16) * 257, "y": LABELS}, {}, id="sixteen-bits"),
        pytest.param({"x": IMAGES / 1.0, "y": LABELS}, {"value_range": (0, 1)}, id="out-of-range"),
        pytest.param({"x": np.eye(3)[LABELS], "y": IMAGES}, {}, id="exchanged"),
        pytest.param({"x": IMAGES, "y": np.eye(3)[LABELS]}, {}, id="one-hot"),
        pytest.param({"x": IMAGES, "y": LABELS / 1.0}, {}, id="float-labels"),
        pytest.param({"x": IMAGES, "y": LABELS[:5]}, {}, id="lengths"),
        pytest.param(
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, 1:], "y_test": LABELS},
            {},
            id="sizes",
        ),
        pytest.param({"x": IMAGES, "y": LABELS}, {"classes": ("a", "b")}, id="too-few-classes"),
        pytest.param(
            {"x": IMAGES, "y": LABELS}, {"classes": ("a", "b", "c", "d")}, id="too-many-classes"
        ),
        pytest.param({"x": IMAGES, "y": LABELS}, {"classes": 4}, id="another-number-of-classes"),
        pytest.param({"x": IMAGES, "y": LABELS * 0}, {}, id="one-class"),
    ],
)
def test_refused(arrays: dict[str, Any], arguments: dict[str, Any], snapshot: object) -> None:
    with pytest.raises(DataError) as error:
        of_arrays(arrays, **arguments)

    assert str(error.value) == snapshot


def test_not_a_number_is_named(snapshot: object) -> None:
    images = IMAGES / 255
    images[4, 0, 0, 0] = np.nan

    with pytest.raises(DataError) as error:
        of_arrays({"x": images, "y": LABELS}, value_range=(0, 1))

    assert str(error.value) == snapshot


def test_a_file_is_read(here: Path) -> None:
    np.savez_compressed("digits.npz", images=IMAGES, labels=LABELS)

    arrays = read_npz(Path("digits.npz"))

    assert sorted(arrays) == ["images", "labels"]
    assert np.array_equal(arrays["images"], IMAGES)


class Malicious:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("was-here"),)


def test_pickled_objects_are_refused_and_not_run(here: Path, snapshot: object) -> None:
    np.savez("digits.npz", images=IMAGES, labels=np.array([Malicious()] * 6, dtype=object))

    with pytest.raises(DataError) as error:
        read_npz(Path("digits.npz"))

    assert not Path("was-here").exists()
    assert str(error.value) == snapshot


def test_a_bare_pickle_is_refused_and_not_run(here: Path, snapshot: object) -> None:
    Path("digits.npz").write_bytes(pickle.dumps(Malicious()))

    with pytest.raises(DataError) as error:
        read_npz(Path("digits.npz"))

    assert not Path("was-here").exists()
    assert str(error.value) == snapshot


def test_no_such_file(here: Path, snapshot: object) -> None:
    np.savez("digits.npz", images=IMAGES)

    with pytest.raises(DataError) as error:
        read_npz(Path("digit.npz"))

    assert str(error.value) == snapshot


def test_a_single_array(here: Path, snapshot: object) -> None:
    with open("digits.npz", "wb") as file:
        np.save(file, IMAGES)

    with pytest.raises(DataError) as error:
        read_npz(Path("digits.npz"))

    assert str(error.value) == snapshot


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_file(here: Path, share: float, snapshot: object) -> None:
    np.savez("whole.npz", images=IMAGES, labels=LABELS)
    whole = Path("whole.npz").read_bytes()
    Path("digits.npz").write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(DataError) as error:
        read_npz(Path("digits.npz"))

    assert str(error.value) == snapshot


def test_a_file_with_a_changed_byte(here: Path, snapshot: object) -> None:
    np.savez("digits.npz", images=IMAGES, labels=LABELS)
    changed = bytearray(Path("digits.npz").read_bytes())
    changed[300] ^= 1
    Path("digits.npz").write_bytes(changed)

    with pytest.raises(DataError) as error:
        read_npz(Path("digits.npz"))

    assert str(error.value) == snapshot


ONES = np.ones((3, 4, 5, 3), np.uint8)
TWO = np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        (("x_train", "y_train"), ("x_val", "y_val"), "validation"),
        (("X_train", "y_train"), ("X_test", "y_test"), "test"),
        (("train_images", "train_labels"), ("val_images", "val_labels"), "validation"),
        (("train_images", "train_labels"), ("test_images", "test_labels"), "test"),
        (("x_train", "y_train"), ("x_valid", "y_valid"), "validation"),
        (("images_train", "labels_train"), ("images_test", "labels_test"), "test"),
        (("train_x", "train_y"), ("test_x", "test_y"), "test"),
        (("data_train", "target_train"), ("data_test", "target_test"), "test"),
    ],
)
def test_pairs_are_known_by_their_names(
    train: tuple[str, str], other: tuple[str, str], split: str
) -> None:
    arrays = dict(zip((*train, *other), (IMAGES, LABELS, ONES[:, :, :, :], TWO), strict=True))

    manifest = of_arrays(arrays)

    assert manifest.splits == ("train",) * 6 + (split,) * 3
    assert manifest.paths[6] == f"{other[0]}[0]"


def test_named_arrays_and_groups() -> None:
    arrays = {"a": IMAGES, "b": LABELS, "who": np.array([7, 7, 8, 8, 9, 9]), "more": ONES}

    manifest = manifest_from_arrays(
        arrays,
        place="digits.npz",
        names=ArrayNames(images="a", labels="b", groups="who"),
        value_range=None,
        classes=None,
        partial=False,
    )

    assert manifest.groups == ("7", "7", "8", "8", "9", "9")
    assert manifest.notes == ("left out arrays that data.arrays does not name: more",)


def test_a_pattern_of_arrays() -> None:
    arrays = {"pics-a": IMAGES, "cls-a": LABELS, "pics-b": ONES, "cls-b": TWO}
    words = {"train": ("a",), "test": ("b",)}

    manifest = manifest_from_arrays(
        arrays,
        place="digits.npz",
        names=ArrayNames(images="pics-{split}", labels="cls-{split}", words=words),
        value_range=None,
        classes=None,
        partial=False,
    )

    assert manifest.splits == ("train",) * 6 + ("test",) * 3


@pytest.mark.parametrize(
    "extra",
    [
        {"x_tset": ONES, "y_tset": TWO},
        {"x_test2": ONES, "y_test2": TWO},
        {"names": TWO},
        {"x_test": ONES},
        {"y_test": TWO},
        {"X_train": ONES, "Y_train": TWO},
    ],
    ids=lambda extra: "-".join(extra),
)
def test_no_array_is_dropped_without_a_word(extra: dict[str, np.ndarray], snapshot: object) -> None:
    with pytest.raises(DataError) as error:
        of_arrays({"x_train": IMAGES, "y_train": LABELS, **extra})
    assert str(error.value) == snapshot


@pytest.mark.parametrize(
    "names",
    [
        ArrayNames(images="picture", labels="y"),
        ArrayNames(images="x"),
        ArrayNames(images="{split}_x", labels="y"),
        ArrayNames(images="x{", labels="{name}"),
    ],
    ids=["misspelt", "images alone", "no such pattern", "no pattern"],
)
def test_names_that_fit_no_array(names: ArrayNames, snapshot: object) -> None:
    with pytest.raises(DataError) as error:
        manifest_from_arrays(
            {"x": IMAGES, "y": LABELS, "pictures": IMAGES},
            place="digits.npz",
            names=names,
            value_range=None,
            classes=None,
            partial=False,
        )
    assert str(error.value) == snapshot
